"""Quotes at the simulated exchange: they converge, fade and withdraw; exposure stays bounded."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest
import trio

from connector.accounts import Timing
from connector.errors import OrderInvalid, OrdersLeft
from connector.orders import Keep, Limits
from connector.testing import OrderFlow
from tests.account.trader import SYMBOL, VENUES, World, listening, open_world

venues = pytest.mark.parametrize("venue", VENUES)


def wide(**changes: Any) -> dict[str, Any]:
    return {"max_long": 100, "max_short": 100, "max_age": 60.0} | changes


def book(world: World) -> dict[str, list[tuple[Decimal, Decimal]]]:
    found: dict[str, list[tuple[Decimal, Decimal]]] = {"BUY": [], "SELL": []}
    for each in world.truth.open_orders:
        found[each.side].append((each.price, each.remaining))
    return {side: sorted(levels) for side, levels in found.items()}


def levels(*pairs: tuple[str, str]) -> list[tuple[Decimal, Decimal]]:
    return sorted((Decimal(price), Decimal(size)) for price, size in pairs)


@venues
async def test_they_become_what_is_wanted(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world, world.account() as account:
        async with account.quotes(SYMBOL, **wide()) as quotes:
            bids, asks = [("2980", "0.5"), ("2970", "1")], [("3030", "0.5")]
            quotes.want(bids=bids, asks=asks)
            await quotes.settled()
            assert book(world) == {"BUY": levels(*bids), "SELL": levels(*asks)}
            assert quotes.behind.number == 0
            made = len(world.truth.orders)

            quotes.want(bids=bids, asks=asks)
            await quotes.settled()
            await trio.sleep(1)
            assert len(world.truth.orders) == made

            quotes.want(bids=[("2981", "0.5"), ("2970", "1")])
            await quotes.settled()
            assert book(world) == {"BUY": levels(("2981", "0.5"), ("2970", "1")), "SELL": []}
            world.judge(account)
        assert world.truth.open_orders == ()


@venues
async def test_what_fills_is_gone_until_the_next_want(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world, world.account() as account:
        async with account.quotes(SYMBOL, **wide()) as quotes:
            quotes.want(bids=[("2980", "0.5")])
            await quotes.settled()
            (truth,) = world.truth.open_orders
            world.exchange.trading.fill(truth)
            await trio.sleep(5)
            assert world.truth.open_orders == ()

            quotes.want(bids=[("2980", "0.5")])
            await quotes.settled()
            assert len(world.truth.open_orders) == 1


@venues
async def test_an_old_want_withdraws_everything(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world, world.account() as account:
        async with account.quotes(SYMBOL, **wide(max_age=1.0)) as quotes:
            quotes.want(bids=[("2980", "0.5")])
            await trio.sleep(0.9)
            assert len(world.truth.open_orders) == 1
            await trio.sleep(0.3)
            assert world.truth.open_orders == ()


@venues
async def test_the_same_want_again_is_a_new_budget(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world, world.account() as account:
        async with account.quotes(SYMBOL, **wide()) as quotes:
            for _ in range(3):
                quotes.want(bids=[("2980", "0.5")])
                await quotes.settled()
                (truth,) = world.truth.open_orders
                assert truth.remaining == Decimal("0.5")
                world.exchange.trading.fill(truth)
                await trio.sleep(0.5)
                assert world.truth.open_orders == ()
            quotes.want(bids=[(2980, "0.5")])
            with pytest.raises(TypeError):
                quotes.want(bids=[(2980.0, "0.5")])


@venues
async def test_a_blind_account_withdraws_and_only_a_new_want_sends(
    venue: str, autojump_clock: Any
) -> None:
    async with open_world(venue) as world, world.account(timing=Timing(blind_seconds=1)) as account:
        async with account.quotes(SYMBOL, **wide()) as quotes:
            quotes.want(bids=[("2980", "0.5")])
            await quotes.settled()
            account._running.stream.reopen("error", "a test")
            while account.synced:
                await trio.lowlevel.checkpoint()
            account._running.stream.dialling._pause = 5.0
            began = trio.current_time()
            while world.truth.open_orders:
                await trio.sleep(0.05)
            assert trio.current_time() - began < 2.0
            await account.wait_synced()
            await trio.sleep(2)
            assert world.truth.open_orders == ()
            quotes.want(bids=[("2980", "0.5")])
            await quotes.settled()
            assert len(world.truth.open_orders) == 1


@venues
async def test_a_refused_quote_does_not_loop(
    venue: str, autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A bid above the market is refused as post-only; it is wanted for 20 seconds all the same."""
    async with open_world(venue) as world, world.account() as account:
        async with account.quotes(SYMBOL, **wide()) as quotes:
            for _ in range(200):
                quotes.want(bids=[("3100", "0.5")])
                await trio.sleep(0.1)
            assert 4 <= account._office.refusals.counts["post_only"] <= 6
            assert world.truth.orders == ()
            assert "order refused: post_only" in caplog.text


@venues
async def test_a_wrong_want_changes_nothing(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world, world.account() as account:
        async with account.quotes(SYMBOL, **wide()) as quotes:
            quotes.want(bids=[("2980", "0.5")])
            await quotes.settled()
            for wrong in ([("2980.001", "1")], [("2980", "0.00001")], [("2980", "1")] * 2):
                with pytest.raises(OrderInvalid):
                    quotes.want(bids=wrong)
            with pytest.raises(TypeError):
                quotes.want(bids=[(2980.0, 1)])
            await trio.sleep(1)
            assert book(world)["BUY"] == levels(("2980", "0.5"))
            with pytest.raises(OrderInvalid):
                async with account.quotes("NOTHING", **wide()):
                    pass


@venues
async def test_kept_quotes_cost_nothing(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world, world.account() as account:
        async with account.quotes(SYMBOL, keep=Keep(ticks=100), **wide()) as quotes:
            quotes.want(bids=[("2980", "0.5")])
            await quotes.settled()
            quotes.want(bids=[("2980.50", "0.5")])
            await quotes.settled()
            assert len(world.truth.orders) == 1
            quotes.want(bids=[("2979", "0.5")])
            await quotes.settled()
            assert book(world)["BUY"] == levels(("2979", "0.5"))


@venues
async def test_what_cannot_be_confirmed_is_named(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world:
        with pytest.raises(OrdersLeft) as caught:
            async with world.account(timing=Timing(leave_timeout=5)) as account:
                async with account.quotes(SYMBOL, **wide()) as quotes:
                    quotes.want(bids=[("2980", "0.5")])
                    await quotes.settled()
                    world.exchange.inject("refuse")
                    world.cut_streams()
        assert len(caught.value.orders) == 1


@venues
@pytest.mark.parametrize("seed", range(2))
async def test_exposure_stays_bounded_while_everything_goes_wrong(
    venue: str, seed: int, autojump_clock: Any
) -> None:
    """A lively market, faults and cuts: at no moment more than the largest position can come about,
    and in the end nothing is open.
    """
    chance = random.Random(seed)
    source = OrderFlow(symbols=(SYMBOL,), seed=seed, rate_per_second=20)
    most = Decimal("0.5")
    async with open_world(venue, source=source) as world:
        start = world.truth.balances["ETH"]
        limits = Limits(orders_per_minute=5000)
        timing = Timing(leave_timeout=90)
        async with (
            world.account(limits=limits, timing=timing) as account,
            listening(account) as told,
        ):
            origin = account.positions[SYMBOL].quantity if venue == "spot" else Decimal(0)
            bounds = wide(max_long=origin + most, max_short=most - origin if most > origin else 0)
            async with account.quotes(SYMBOL, **bounds) as quotes:
                trading = world.exchange.trading
                for _ in range(40):
                    middle = Decimal(3000 + chance.randint(-3, 3))
                    size = Decimal(chance.choice(["0.1", "0.2", "0.3"]))
                    with_asks = venue == "usdm"
                    quotes.want(
                        bids=[(middle - 1 - step, size) for step in range(2)],
                        asks=[(middle + 1 + step, size) for step in range(2)] if with_asks else [],
                    )
                    fault = chance.randint(0, 9)
                    if fault == 0:
                        world.cut_streams()
                    elif fault == 1:
                        trading.lose_reply("order.*")
                    elif fault == 2:
                        trading.time_out("order.*", effect=chance.random() < 0.5)
                    elif fault == 3:
                        trading.double_event(times=2)
                    for _ in range(5):
                        await trio.sleep(chance.uniform(0, 0.1))
                        judge_exposure(world, venue, start, most)
            assert world.truth.open_orders == ()
            trading.mend()
            await trio.sleep(10)
            await world.settled(account, 200)
            told.judge_complete(world.truth)
            world.judge(account)
        assert len(world.truth.orders) > 5


def judge_exposure(world: World, venue: str, start: Decimal, most: Decimal) -> None:
    held = world.truth.position(SYMBOL).quantity
    if venue == "spot":
        # Fees are paid in what is bought.
        held = sum(
            (fill.quantity if fill.side == "BUY" else -fill.quantity for fill in world.truth.fills),
            Decimal(0),
        )
    buys = sum(
        (each.remaining for each in world.truth.open_orders if each.side == "BUY"), Decimal(0)
    )
    sells = sum(
        (each.remaining for each in world.truth.open_orders if each.side == "SELL"), Decimal(0)
    )
    slack = Decimal("0.001") if venue == "spot" else Decimal(0)
    assert held + buys <= most + slack
    assert sells - held <= most + slack
