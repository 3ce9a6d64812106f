"""Amending orders of futures in place, and what holds while nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import trio

from connector.accounts import Timing
from connector.errors import (
    AmendRefused,
    ConfigError,
    ConnectorError,
    LimitExceeded,
    NotSent,
    OrderEnded,
    OrderInvalid,
    OrderUnknown,
)
from connector.orders import Limits
from connector.testing.exchange.trading.control import Trading
from connector.testing.faults.trading import TradingFault
from tests.account.trader import bid, listening, open_world


async def test_price_and_quantity(autojump_clock: Any) -> None:
    async with open_world("usdm") as world, world.account() as account:
        async with listening(account) as told:
            order = await account.place(bid())
            for changes in (
                {"price": "2991"},
                {"quantity": "0.7"},
                {"price": 2980, "quantity": "0.1"},
            ):
                assert await account.amend(order, **changes) is order
                (truth,) = world.truth.open_orders
                assert (order.price, order.quantity) == (truth.price, truth.quantity)
                assert truth.client_id == order.client_id
                world.judge(account, told)
            assert (order.price, order.quantity) == (2980, Decimal("0.1"))


async def test_what_is_refused_before_it_is_sent(autojump_clock: Any) -> None:
    limits = Limits(order_notional=2000)
    async with open_world("usdm") as world, world.account(limits=limits) as account:
        order = await account.place(bid())
        with pytest.raises(OrderInvalid, match="tick"):
            await account.amend(order, price="2990.001")
        with pytest.raises(LimitExceeded):
            await account.amend(order, quantity="0.9")
        with pytest.raises(ConfigError, match="needs a price"):
            await account.amend(order)
        with pytest.raises(TypeError):
            await account.amend(order, price=1.5)
        assert world.truth.open_orders[0].changes == 0
        await account.cancel(order)
        with pytest.raises(OrderEnded):
            await account.amend(order, price="2991")


async def test_spot_says_what_it_amends(autojump_clock: Any) -> None:
    async with open_world("spot") as world, world.account() as account:
        order = await account.place(bid())
        with pytest.raises(ConfigError, match="amends nothing"):
            await account.amend(order, quantity="0.1")


async def test_an_amend_that_ends_the_order(autojump_clock: Any) -> None:
    async with open_world("usdm") as world, world.account() as account:
        crossing = await account.place(bid(post_only=True))
        with pytest.raises((OrderEnded, AmendRefused)):
            await account.amend(crossing, price="3100")
        filled = await account.place(bid())
        for each in world.truth.open_orders:
            if each.client_id == filled.client_id:
                world.exchange.trading.fill(each, "0.3")
        with pytest.raises((OrderEnded, AmendRefused)):
            await account.amend(filled, quantity="0.2")
        await world.settled(account)
        world.judge(account)


async def test_an_amend_of_an_order_whose_end_was_not_told(autojump_clock: Any) -> None:
    """The exchange is asked how it ended; nobody waits for the next audit."""
    async with open_world("usdm") as world, world.account() as account:
        order = await account.place(bid())
        (truth,) = world.truth.open_orders
        world.exchange.trading.lose_event(times=None)
        world.exchange.trading.cancel(truth)
        began = trio.current_time()

        with pytest.raises(OrderEnded):
            await account.amend(order, price="2991")

        assert trio.current_time() - began < Timing().patience
        assert order.state == "cancelled"
        world.exchange.trading.mend()


async def test_an_order_that_cannot_be_found_for_a_while_can_be_amended_again(
    autojump_clock: Any,
) -> None:
    async with open_world("usdm") as world, world.account() as account:
        order = await account.place(bid())
        world.exchange.trading.inject(
            TradingFault(
                "answer", "order.modify", status=400, code=-2013, text="Order does not exist."
            )
        )

        with pytest.raises(OrderUnknown):
            await account.amend(order, price="2991")

        await trio.sleep(10)
        assert order._record.amending is None
        await account.amend(order, price="2992")
        assert order.price == 2992


async def test_each_amend_is_unknown_until_its_own_window_is_over(autojump_clock: Any) -> None:
    """Who finds out about an earlier one does not judge a later one."""
    async with open_world("usdm") as world, world.account(timing=Timing(window=5.0)) as account:
        order = await account.place(bid())
        world.exchange.trading.inject(TradingFault("late_request", "order.modify", seconds=4.5))
        with trio.move_on_after(0.1):
            await account.amend(order, price="2991")
        while order._record.amending is not None:
            await trio.sleep(0.01)
        assert order.price == 2991
        world.exchange.trading.lose_request("order.modify")
        sent = trio.current_time()
        with trio.move_on_after(0.1):
            await account.amend(order, price="2992")
        while order._record.amending is not None:
            await trio.sleep(0.1)
        constants = account._office.trading.constants
        assert (
            trio.current_time() - sent > 5.0 + constants.engine_seconds + constants.settle_seconds
        )


FAULTS: dict[str, Callable[[Trading], None]] = {
    "reply lost": lambda it: it.lose_reply("order.modify"),
    "request lost": lambda it: it.lose_request("order.modify"),
    "cut before": lambda it: it.cut_request("order.modify"),
    "cut after": lambda it: it.cut_reply("order.modify"),
    "-1007, amended": lambda it: it.time_out("order.modify", effect=True),
    "-1007, not amended": lambda it: it.time_out("order.modify", effect=False),
    "-1008": lambda it: it.overload("order.modify"),
    "all lost, queries lag": lambda it: (
        it.lag_queries(1.5), it.lose_event(times=None), it.lose_reply("order.modify")
    )[2],
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_amend_that_goes_wrong(fault: str, autojump_clock: Any) -> None:
    async with open_world("usdm") as world, world.account() as account:
        order = await account.place(bid())
        FAULTS[fault](world.exchange.trading)
        error: ConnectorError | None = None
        try:
            await account.amend(order, price="2995", quantity="0.7")
        except (AmendRefused, OrderUnknown) as raised:
            error = raised
        (truth,) = world.truth.open_orders
        assert order.remaining >= truth.remaining
        if error is None:
            assert (truth.price, truth.quantity) == (2995, Decimal("0.7"))
        if isinstance(error, AmendRefused):
            assert (truth.price, truth.quantity) == (2990, Decimal("0.5"))
        world.exchange.trading.mend()
        with trio.fail_after(60):
            while order._record.amending is not None:
                await trio.sleep(0.5)
        assert (order.price, order.quantity) == (truth.price, truth.quantity)
        await trio.sleep(100)
        await world.settled(account)
        world.judge(account)


async def test_an_amend_crosses_a_fill(autojump_clock: Any) -> None:
    async with open_world("usdm") as world, world.account() as account:
        async with listening(account) as told:
            order = await account.place(bid())
            world.exchange.trading.delay_engine(1.0)
            async with trio.open_nursery() as nursery:

                async def change() -> None:
                    with pytest.raises((OrderEnded, AmendRefused)):
                        await account.amend(order, price="2991")

                nursery.start_soon(change)
                await trio.sleep(0.5)
                world.exchange.trading.fill(world.truth.open_orders[0])
            assert order.state == "filled"
            await world.settled(account)
            told.judge_complete(world.truth)
            world.judge(account)


async def test_a_cancelled_amend_that_is_refused_does_not_count_any_more(
    autojump_clock: Any,
) -> None:
    async with open_world("usdm") as world, world.account() as account:
        order = await account.place(bid())
        with trio.move_on_after(0):
            await account.amend(order, quantity="5000")
        await trio.sleep(30)
        assert order.remaining == Decimal("0.5")
        assert await account.amend(order, quantity="0.6") is order
        world.judge(account)


async def test_a_cancelled_amend_that_was_not_sent_leaves_the_order(autojump_clock: Any) -> None:
    async with open_world("usdm") as world, world.account() as account:
        order = await account.place(bid())
        world.exchange.inject("refuse")
        world.cut_streams()
        await trio.sleep(0.01)
        with trio.move_on_after(0.1):
            await account.amend(order, quantity="0.7")
        assert order.remaining == Decimal("0.5")
        world.exchange.mend()
        await world.settled(account)
        assert world.truth.open_orders[0].changes == 0


async def test_a_cancelled_amend_that_was_carried_out_is_found(autojump_clock: Any) -> None:
    async with open_world("usdm") as world, world.account() as account:
        order = await account.place(bid())
        world.exchange.trading.lose_reply("order.modify")
        world.exchange.trading.lose_event(times=1)
        with trio.move_on_after(0):
            await account.amend(order, quantity="0.7")
        await trio.sleep(30)
        assert order.quantity == Decimal("0.7")
        world.judge(account)


async def test_one_amend_of_an_order_at_a_time(autojump_clock: Any) -> None:
    """A second one would be measured by what the first has not made true yet."""
    async with open_world("usdm") as world, world.account() as account:
        order = await account.place(bid())
        world.exchange.trading.late_reply(1.0, "order.modify")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(account.amend, order, price="2985"))
            await trio.sleep(0.01)
            await account.amend(order, quantity="0.7")
        assert (order.price, order.quantity) == (2985, Decimal("0.7"))
        world.judge(account)


async def test_while_an_amend_is_unknown_no_other_is_sent(autojump_clock: Any) -> None:
    async with open_world("usdm") as world, world.account() as account:
        order = await account.place(bid())
        world.exchange.trading.lose_request("order.modify")
        world.exchange.trading.lag_queries(3600.0)
        with pytest.raises(OrderUnknown):
            await account.amend(order, quantity="0.9")
        with pytest.raises(NotSent, match="earlier amend"):
            await account.amend(order, quantity="0.1")
        assert order.remaining == Decimal("0.9")
        world.exchange.trading.mend()
        await trio.sleep(30)
        assert order.remaining == Decimal("0.5")
        await account.amend(order, quantity="0.1")
