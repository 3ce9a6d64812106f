"""An account on COIN-M futures: contracts are placed and held, coins are earned and paid."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import Any

import pytest
import trio

from connector.accounts import DeadMan, Fill, FundingPayment, Unsynced
from connector.errors import AmendRefused, ConfigError, OrderInvalid, OrderRefused
from connector.orders import Limit, Limits, Market
from connector.testing import OrderFlow
from connector.testing.exchange.trading.accounts import TradingAccount
from tests.account.trader import World, listening, open_world

SYMBOL = "ETHUSD_PERP"
STILL = OrderFlow(symbols=(SYMBOL,), rate_per_second=1e-6)
RICH = {"ETH": "100"}
DOLLARS = 10
"""Of one contract."""


@asynccontextmanager
async def coinm(*accounts: TradingAccount, **options: Any) -> AsyncIterator[World]:
    specs = accounts or (TradingAccount("mm1", RICH),)
    with trio.fail_after(1000):
        async with open_world("binance_coinm", *specs, **{"source": STILL} | options) as world:
            yield world


def bid(price: str = "2990", quantity: int = 60, **changes: Any) -> Limit:
    return Limit(SYMBOL, "buy", quantity=quantity, price=price, **changes)


async def test_contracts_are_bought_and_sold_for_coins(autojump_clock: Any) -> None:
    async with coinm() as world, world.account() as account, listening(account) as told:
        assert account.balances["ETH"].total == 100
        assert account.summary is None
        order = await account.place(bid("2500", 60))
        (true,) = world.truth.open_orders
        world.exchange.trading.fill(true, 40)
        world.exchange.trading.fill(true)
        assert await order.wait_done() == "filled"
        await world.settled(account)
        bought = account.positions[SYMBOL]
        sale = await account.place(Limit(SYMBOL, "sell", quantity=60, price=4000))
        world.exchange.trading.fill(world.truth.open_orders[0])
        await sale.wait_done()
        await world.settled(account)

        # 600 dollars bought 0.24 ETH at 2500, and 0.15 ETH are given back for them at 4000.
        assert (bought.quantity, bought.entry_price) == (60, 2500)
        (*_, last) = told.of(Fill)
        assert (last.realised, last.fee_asset) == (Decimal("0.09"), "ETH")
        assert account.positions[SYMBOL].quantity == 0
        fees = Decimal("0.0002") * (Decimal("0.24") + Decimal("0.15"))
        assert account.balances["ETH"].total == 100 + Decimal("0.09") - fees
        assert order.net_quote == -600
        assert order.net_base == Decimal("0.24") - Decimal("0.0002") * Decimal("0.24")
        told.judge_complete(world.truth)
        world.judge(account, told)


async def test_the_average_price_counts_coins(autojump_clock: Any) -> None:
    async with coinm() as world, world.account() as account:
        order = await account.place(bid("2800", 60))
        world.exchange.trading.fill(world.truth.open_orders[0], 30)
        await trio.sleep(1)
        await account.amend(order, price=2900, quantity=60)
        world.exchange.trading.fill(world.truth.open_orders[0])
        await order.wait_done()

        assert [(each.price, each.quantity) for each in order.fills] == [(2800, 30), (2900, 30)]
        coins = sum(each.quantity / each.price for each in order.fills)
        assert order.average_price is not None
        assert abs(order.average_price - 60 / coins) < Decimal("1e-8")
        (true,) = world.truth.orders
        assert abs(order.average_price - true.average_price) < Decimal("0.01")


async def test_orders_are_amended_refused_and_cancelled(autojump_clock: Any) -> None:
    async with coinm() as world, world.account() as account:
        with pytest.raises(OrderInvalid, match="step"):
            await account.place(Limit(SYMBOL, "buy", quantity="1.5", price="2990"))
        with pytest.raises(OrderRefused) as refused:
            await account.place(bid(quantity=600_000))
        assert refused.value.reason == "balance"
        with pytest.raises(OrderRefused) as refused:
            await account.place(bid("3100", post_only=True))
        assert refused.value.reason == "post_only"
        with pytest.raises(ConfigError, match="quote_quantity"):
            account.submit(Market(SYMBOL, "buy", quote_quantity=100))
        order = await account.place(bid())
        await account.amend(order, price="2980", quantity=50)
        (true,) = world.truth.open_orders
        assert (true.price, true.quantity, true.client_id) == (2980, 50, order.client_id)
        with pytest.raises(AmendRefused):
            await account.amend(order, quantity=900_000)
        assert await account.cancel(order) == "cancelled"
        assert world.truth.open_orders == ()


async def test_limits_are_dollars_and_contracts(autojump_clock: Any) -> None:
    limits = Limits(order_notional=500, position={SYMBOL: 70})
    async with coinm() as world, world.account(limits=limits) as account:
        with pytest.raises(Exception, match="order_notional=500"):
            account.submit(bid(quantity=51))
        await account.place(bid(quantity=50))
        with pytest.raises(Exception, match="position=70"):
            account.submit(bid(quantity=21))


async def test_hedge_mode_lists_three_rows(autojump_clock: Any) -> None:
    async with coinm(TradingAccount("mm1", RICH, hedge=True)) as world, world.account() as account:
        for leg, side in (("long", "buy"), ("short", "sell")):
            order = await account.place(Market(SYMBOL, side, quantity=10, leg=leg))  # type: ignore[arg-type]
            assert await order.wait_done() == "filled"
        await world.settled(account)
        await trio.sleep(100)  # an audit agrees
        position = account.positions[SYMBOL]
        assert (position.long, position.short) == (10, 10)


async def test_a_position_that_never_was_is_not_older_than_its_reading(
    autojump_clock: Any,
) -> None:
    async with coinm() as world, world.account() as account, listening(account) as told:
        order = await account.place(Market(SYMBOL, "buy", quantity=10))
        await order.wait_done()
        world.exchange.trading.deposit("mm1", "ETH", 1)
        world.exchange.trading.fund(SYMBOL, "0.001")
        await trio.sleep(0.5)
        world.cut_streams()
        await world.settled(account)
        world.judge(account, told)
        (funding,) = told.of(FundingPayment)
        assert (funding.asset, funding.symbol) == ("ETH", SYMBOL)
        assert funding.amount < 0


async def test_a_listen_key_that_is_gone_in_silence(autojump_clock: Any) -> None:
    async with coinm() as world, world.account() as account, listening(account) as told:
        await account.place(bid())
        world.exchange.trading.expire_listen_key("mm1", announce=False)
        await account.place(bid("2980"))
        await trio.sleep(10)
        assert told.of(Unsynced)
        await world.settled(account)
        world.exchange.trading.fill(world.truth.open_orders[0])
        await trio.sleep(1)
        told.judge_complete(world.truth)


async def test_the_switch_of_a_dead_man(autojump_clock: Any) -> None:
    async with coinm() as world:
        async with world.account(dead_man=DeadMan(30, others_too=True)) as account:
            await account.place(bid())
            await trio.sleep(100)
            assert len(world.truth.open_orders) == 1
            world.exchange.inject("refuse")
            world.cut_streams()
            await trio.sleep(60)
            assert world.truth.open_orders == ()
            world.exchange.mend()
            await world.settled(account, 300)


async def test_a_conditional_order_is_shown_and_not_touched(autojump_clock: Any) -> None:
    async with coinm() as world:
        stop = world.exchange.trading.place(
            "mm1", symbol=SYMBOL, side="BUY", type="STOP_MARKET", stopPrice="3500", quantity="5"
        )
        async with world.account() as account, listening(account) as told:
            (shown,) = account.other_orders
            assert (shown.conditional, shown.price) == (True, None)
            await trio.sleep(100)
            assert account.synced
            world.exchange.trading.trigger(stop)
            await world.settled(account)
            assert account.other_orders == ()
            assert account.positions[SYMBOL].quantity == 5
            told.judge_complete(world.truth)


@pytest.mark.parametrize(
    "asked",
    [
        {"type": "STOP_MARKET", "stopPrice": "2500", "closePosition": "true"},
        {"type": "TRAILING_STOP_MARKET", "callbackRate": "1", "quantity": "60"},
    ],
)
async def test_a_close_without_quantity_and_a_trail_are_shown(
    asked: dict[str, str], autojump_clock: Any
) -> None:
    async with coinm() as world, world.account() as account, listening(account) as told:
        await account.place(bid())
        world.exchange.trading.fill(world.truth.open_orders[0])
        stop = world.exchange.trading.place("mm1", symbol=SYMBOL, side="SELL", **asked)
        await world.settled(account)
        (shown,) = account.other_orders
        assert (shown.conditional, shown.price) == (True, None)
        world.exchange.trading.trigger(stop)
        await world.settled(account)
        assert account.other_orders == ()
        assert account.positions.get(SYMBOL) is None or not account.positions[SYMBOL].quantity
        told.judge_complete(world.truth)


async def test_quotes_in_contracts(autojump_clock: Any) -> None:
    async with coinm() as world, world.account() as account:
        async with account.quotes(SYMBOL, max_long=100, max_short=100, max_age=60) as quotes:
            quotes.want(bids=[("2990", 80), ("2980", 40)], asks=[("3010", 50)])
            await quotes.settled()
            resting = [(each.side, each.price, each.quantity) for each in world.truth.open_orders]
            assert sorted(resting) == [("BUY", 2980, 20), ("BUY", 2990, 80), ("SELL", 3010, 50)]
        assert world.truth.open_orders == ()


async def test_crash_and_return(autojump_clock: Any) -> None:
    async with coinm() as world:
        async with world.account(on_leave="keep") as account:
            await account.place(bid())
            await account.place(bid("2980"))
            mark = account.bookmark
        world.exchange.trading.fill(world.truth.open_orders[0])
        async with world.account(bookmark=mark) as account, listening(account) as told:
            await world.settled(account)
            (fill,) = told.of(Fill)
            assert (fill.quantity, fill.backfilled) == (60, True)
            assert world.truth.open_orders == ()
            await _same(world, account)


async def _same(world: World, account: Any) -> None:
    await world.settled(account)
    assert account.positions[SYMBOL].quantity == world.truth.position(SYMBOL).quantity
    assert account.balances["ETH"].total == world.truth.balances["ETH"]


async def test_the_listen_key_in_the_path_is_shown_nowhere(
    autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[object] = []
    async with coinm() as world:
        with world.adapter.frames() as frames, world.adapter.lifecycle() as lifecycle:
            async with world.account() as account, listening(account) as told:
                await account.place(bid())
                world.cut_streams()
                await trio.sleep(10)
                world.exchange.inject("http_status")
                world.cut_streams()
                await trio.sleep(30)
                world.exchange.mend()
                await world.settled(account, 300)
                shown += [account, account.statistics(), world.adapter.statistics(), *told.take()]
            for source in (frames, lifecycle):
                with suppress(trio.WouldBlock, trio.EndOfChannel):
                    while True:
                        shown.append(source.receive_nowait())
    everything = "\n".join(map(repr, shown)) + "\n".join(map(str, shown)) + caplog.text
    assert "order open" in caplog.text
    key = world.exchange.trading._house.streams.keys.active("mm1", world.exchange.trading.now_ms())
    assert key is not None
    for secret in (key.text, world.truth.secret, world.truth.key):
        assert secret not in everything
