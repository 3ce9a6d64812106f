"""`connector stop` against the simulated exchange: what it confirms is so, whatever fails."""

from __future__ import annotations

import random
from typing import Any

import pytest
import trio

from connector.account.asking import Asking
from connector.account.exchange_clock import ExchangeClock
from connector.app.trading.access import Access
from connector.app.trading.stopping import Ended, stop_orders
from connector.errors import RequestRejected
from connector.testing.faults.trading import TradingFault
from connector.trading.client_ids import ClientIds, new_run
from connector.trading.venue import Request
from tests.account.trader import SYMBOL, VENUES, World, bid, exchange_of, open_world

venues = pytest.mark.parametrize("venue", VENUES)
PLACE = {"symbol": SYMBOL, "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1"}


def access_to(world: World, venue: str) -> Access:
    return Access(exchange=exchange_of(venue, world.exchange), dialer=world.network, key=world.key)


def put(world: World, client_id: str, price: str = "2950", **changes: Any) -> Any:
    return world.exchange.trading.place(
        "mm1", **PLACE | {"side": "BUY", "price": price, "newClientOrderId": client_id} | changes
    )


def ids_of(name: str, run: int = 1) -> ClientIds:
    return ClientIds(name, new_run(run, 7), "hex")


def open_ids(world: World) -> set[str]:
    return {each.client_id for each in world.truth.open_orders}


@venues
async def test_a_name_is_stopped_in_every_run_and_nothing_else(
    venue: str, autojump_clock: Any
) -> None:
    async with open_world(venue) as world:
        mine, earlier, other = ids_of("mm1").make(), ids_of("mm1", 9).make(), ids_of("mm2").make()
        for client_id in (mine, earlier, other, "web_1"):
            put(world, client_id)
        told: list[Ended] = []

        stopped = await stop_orders(access_to(world, venue), "mm1", seconds=30, told=told.append)

        assert stopped.confirmed and not stopped.left and not stopped.newly_placed
        assert {each.order.client_id for each in told} == {mine, earlier}
        assert {each.end for each in told} == {"cancelled"}
        assert open_ids(world) == {other, "web_1"}
        assert {each.client_id for each in stopped.untouched} == {other, "web_1"}


async def test_a_whole_account_is_stopped_with_its_conditional_orders(autojump_clock: Any) -> None:
    async with open_world("usdm") as world:
        put(world, "web_1")
        access = access_to(world, "usdm")
        asking = Asking(
            access.exchange.trading,
            access.exchange.rest,
            world.key,
            ExchangeClock(),
            world.network,  # type: ignore[attr-defined]
        )
        conditional = Request(
            what="algo", over="rest", method="POST /fapi/v1/algoOrder", decode=bytes,
            parameters={"algoType": "CONDITIONAL", "symbol": SYMBOL, "side": "SELL", "quantity":
                        "0.1", "type": "STOP_MARKET", "triggerPrice": "2500"},
        )  # fmt: skip
        async with asking.open() as conversation:
            await conversation.sample_clock()
            await conversation.ask(conditional)
        assert [each.is_open for each in world.exchange.trading.algo_orders] == [True]

        named = await stop_orders(access, "mm1", seconds=30)
        assert named.confirmed and len(named.untouched) == 2
        assert [each.is_open for each in world.exchange.trading.algo_orders] == [True]

        stopped = await stop_orders(access, None, seconds=30)
        assert stopped.confirmed and len(stopped.ended) == 2
        assert world.truth.open_orders == ()
        assert [each.is_open for each in world.exchange.trading.algo_orders] == [False]


async def test_conditional_orders_of_spot_are_stopped(autojump_clock: Any) -> None:
    async with open_world("spot") as world:
        put(world, "web_1", type="STOP_LOSS_LIMIT", side="SELL", price="2800", stopPrice="2850")

        stopped = await stop_orders(access_to(world, "spot"), None, seconds=30)

        assert stopped.confirmed and world.truth.open_orders == ()
        assert [each.order.conditional for each in stopped.ended] == [True]


@venues
async def test_a_program_that_runs_sees_its_orders_end(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world, world.account() as account:
        orders = [await account.place(bid(price)) for price in ("2950", "2951")]

        stopped = await stop_orders(access_to(world, venue), "mm1", seconds=30)

        assert stopped.confirmed and len(stopped.ended) == 2
        await world.settled(account)
        assert [each.state for each in orders] == ["cancelled", "cancelled"]
        world.judge(account)


@venues
async def test_a_program_that_goes_on_placing_is_noticed(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world, world.account() as account:
        async with account.quotes(SYMBOL, max_long=99, max_short=99, max_age=60) as quotes:
            quotes.want(bids=[("2950", "0.1")])
            await quotes.settled()

            stopped = await stop_orders(access_to(world, venue), "mm1", seconds=10)

            assert not stopped.confirmed
            assert stopped.newly_placed > 0


@venues
async def test_an_order_that_lists_still_show_was_filled(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world:
        order = put(world, ids_of("mm1").make())
        await trio.sleep(3)
        world.exchange.trading.fill(order)
        world.exchange.trading.lag_queries(1.5)

        stopped = await stop_orders(access_to(world, venue), "mm1", seconds=60)

        (ended,) = stopped.ended
        assert stopped.confirmed
        assert (ended.end, ended.filled) == ("filled", order.quantity)


@pytest.mark.parametrize("seed", range(12))
async def test_a_confirmed_stop_is_right_whatever_fails(seed: int, autojump_clock: Any) -> None:
    """Replies, requests and lists fail at random; a place arrives while it works."""
    chance = random.Random(seed)
    venue = chance.choice(VENUES)
    async with open_world(venue) as world:
        trading, ids = world.exchange.trading, ids_of("mm1")
        for number in range(6):
            put(world, ids.make(), str(2900 + number))
        for _ in range(4):
            kind = chance.choice(["lose_reply", "lose_request", "cut_reply", "cut_request"])
            method = chance.choice(["order.cancel", "openOrders.status", "order.status"])
            trading.inject(
                TradingFault(kind, method, skip=chance.randrange(3), times=chance.randrange(1, 3))
            )
        trading.unknown_503("order.cancel", effect=chance.random() < 0.5)
        if chance.random() < 0.5:
            trading.lag_queries(chance.uniform(0.1, 1.9))
        late = ids.make()
        async with trio.open_nursery() as nursery:

            async def place_late() -> None:
                await trio.sleep(chance.uniform(0, 1.5))
                put(world, late)

            nursery.start_soon(place_late)
            stopped = await stop_orders(access_to(world, venue), "mm1", seconds=300)

        assert stopped.confirmed
        assert len(stopped.ended) == 7
        assert world.truth.open_orders == ()


@venues
async def test_what_cannot_be_reached_is_not_confirmed(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world:
        put(world, ids_of("mm1").make())
        world.exchange.trading.lose_request("order.cancel", times=None)

        stopped = await stop_orders(access_to(world, venue), "mm1", seconds=30)

        assert not stopped.confirmed and len(stopped.left) == 1
        assert "no answer" in stopped.trouble

        world.exchange.trading.mend()
        world.exchange.trading.ban(100)
        banned = await stop_orders(access_to(world, venue), "mm1", seconds=30)
        assert not banned.confirmed and banned.trouble


@venues
async def test_a_key_that_may_not_is_an_error(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world:
        put(world, ids_of("mm1").make())
        world.exchange.trading.revoke_key("mm1")

        with pytest.raises(RequestRejected) as caught:
            await stop_orders(access_to(world, venue), "mm1", seconds=30)

        assert world.truth.secret not in str(caught.value)
