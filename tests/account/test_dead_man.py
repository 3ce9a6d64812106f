"""The dead man's switch: renewed while the program lives, disarmed when nothing is left."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from connector.accounts import DeadMan, Timing
from connector.errors import ConfigError, OrdersLeft
from connector.testing.exchange.trading.orders import Order
from connector.testing.faults.trading import TradingFault
from tests.account.trader import World, bid, open_world

SWITCH = DeadMan(30, others_too=True)


def place_of_another(world: World) -> Order:
    """An order of another program on the same account."""
    return world.exchange.trading.place(
        "mm1", symbol="ETHUSDC", side="BUY", type="LIMIT", timeInForce="GTC",
        quantity="0.5", price="2900",
    )  # fmt: skip


async def test_it_is_renewed_and_disarmed(autojump_clock: Any) -> None:
    async with open_world("usdm") as world:
        async with world.account(dead_man=SWITCH) as account:
            order = await account.place(bid())
            await trio.sleep(300)
            assert order.state == "open"
        other = place_of_another(world)
        await trio.sleep(100)
        assert [each.order_id for each in world.truth.open_orders] == [other.order_id]


async def test_it_fires_when_orders_are_left(autojump_clock: Any) -> None:
    async with open_world("usdm") as world:
        with pytest.raises(OrdersLeft):
            async with world.account(dead_man=SWITCH, timing=Timing(leave_timeout=5)) as account:
                await account.place(bid())
                await trio.sleep(1)
                world.exchange.inject("refuse")
                world.cut_streams()
        assert len(world.truth.open_orders) == 1
        await trio.sleep(60)
        assert world.truth.open_orders == ()


async def test_its_scope_must_be_said(autojump_clock: Any) -> None:
    async with open_world("usdm") as world:
        with pytest.raises(ConfigError, match="others_too=True"):
            world.account(dead_man=DeadMan(30))
        with pytest.raises(ConfigError, match="write a DeadMan"):
            world.account(dead_man=30)
    async with open_world("spot") as world:
        with pytest.raises(ConfigError, match="no dead man's switch"):
            world.account(dead_man=SWITCH)


async def test_what_is_on_its_way_when_the_block_is_left_arms_nothing(autojump_clock: Any) -> None:
    """Else it would cancel the orders of others when this program is gone."""
    async with open_world("usdm") as world:
        async with world.account(dead_man=SWITCH) as account:
            order = await account.place(bid())
            await account.cancel(order)
            await trio.sleep(1)
            noted: list[str] = []
            world.exchange.trading.note(noted)
            world.exchange.trading.inject(
                TradingFault("late_request", "countdownCancelAll", seconds=1.0)
            )
            while "request countdownCancelAll" not in noted:
                await trio.sleep(0.01)
        other = place_of_another(world)
        await trio.sleep(100)
        assert [each.order_id for each in world.truth.open_orders] == [other.order_id]


async def test_it_is_disarmed_although_the_exchange_was_away(autojump_clock: Any) -> None:
    async with open_world("usdm") as world:
        async with world.account(dead_man=SWITCH) as account:
            order = await account.place(bid())
            await account.cancel(order)
            await trio.sleep(1)
            world.exchange.trading.inject(
                TradingFault(
                    "answer", "countdownCancelAll", status=503, text="Service Unavailable.", times=3
                )
            )
        other = place_of_another(world)
        await trio.sleep(100)
        assert [each.order_id for each in world.truth.open_orders] == [other.order_id]


async def test_it_is_disarmed_although_nothing_answered_when_it_was_armed(
    autojump_clock: Any,
) -> None:
    """The exchange may have armed it, and its reply was lost."""
    async with open_world("usdm") as world:
        async with world.account(dead_man=SWITCH) as account:
            world.exchange.trading.lose_reply("countdownCancelAll", times=None)
            order = await account.place(bid())
            await trio.sleep(1)
            await account.cancel(order)
        other = place_of_another(world)
        await trio.sleep(100)
        assert [each.order_id for each in world.truth.open_orders] == [other.order_id]
