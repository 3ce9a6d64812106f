"""Hundreds of orders, placed, amended and cancelled while everything goes wrong at random.

At most one order per intent, every fill told once, the account equal to the exchange's whenever it
is synced and nothing is on its way, nothing open afterwards. `CONNECTOR_RANDOM_ORDERS` makes it
longer.
"""

from __future__ import annotations

import os
import random
from contextlib import suppress
from typing import Any

import pytest
import trio

from connector.accounts import Timing
from connector.errors import (
    AmendRefused,
    NotSynced,
    OrderEnded,
    OrderNotPlaced,
    OrderUnknown,
)
from connector.orders import Limit, Market
from connector.testing import OrderFlow
from tests.account.trader import SYMBOL, VENUES, World, listening, open_world

ORDERS = int(os.environ.get("CONNECTOR_RANDOM_ORDERS", "60"))


def something_goes_wrong(world: World, chance: random.Random) -> None:
    trading = world.exchange.trading
    method = chance.choice(["order.place", "order.cancel", "order.modify", "order.*"])
    seconds = chance.uniform(0, 3)
    effect = chance.random() < 0.5
    event = chance.choice(["*", "*:TRADE", "*:NEW", "*:CANCELED", "ACCOUNT_UPDATE"])
    match chance.randint(0, 15):
        case 0:
            trading.lose_reply(method)
        case 1:
            trading.lose_request(method)
        case 2:
            trading.late_reply(seconds, method)
        case 3:
            trading.double_reply(method)
        case 4:
            trading.cut_request(method)
        case 5:
            trading.cut_reply(method, after_bytes=chance.randint(0, 200))
        case 6:
            trading.unknown_503(method, effect=effect)
        case 7:
            trading.unavailable_503(method)
        case 8:
            trading.time_out(method, effect=effect)
        case 9:
            trading.overload(method)
        case 10:
            trading.lose_event(event)
        case 11:
            trading.double_event(event, times=2)
        case 12:
            trading.swap_events(event)
        case 13:
            trading.late_event(seconds / 3, event)
        case 14:
            world.cut_streams()
        case _:
            trading.delay_gateway(chance.choice([0.0, 0.0, seconds / 2]))
            trading.lag_queries(chance.choice([0.0, 0.0, 2 * seconds]))


async def trade(account: Any, venue: str, chance: random.Random) -> None:
    """One order, and perhaps what is done to it."""
    side = chance.choice(["buy", "sell"])
    price = chance.randint(2960, 3040)
    intent: Any = Limit(SYMBOL, side, quantity="0.01", price=price)  # type: ignore[arg-type]
    if chance.random() < 0.1:
        intent = Market(SYMBOL, side, quantity="0.01")  # type: ignore[arg-type]
    await account.wait_synced()
    try:
        order = await account.place(intent)
    except OrderNotPlaced:
        return
    except OrderUnknown as unknown:
        order = unknown.order
    if venue == "usdm" and isinstance(intent, Limit) and chance.random() < 0.3:
        with suppress(AmendRefused, OrderEnded, OrderUnknown, OrderNotPlaced, NotSynced):
            await account.amend(order, price=price + chance.randint(-3, 3))
    if chance.random() < 0.7:
        await account.cancel(order)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("seed", range(2))
async def test_whatever_happens(venue: str, seed: int, autojump_clock: Any) -> None:
    chance = random.Random(seed)
    source = OrderFlow(symbols=(SYMBOL,), seed=seed, rate_per_second=5)
    async with open_world(venue, source=source) as world:
        timing = Timing(leave_timeout=120.0)
        async with world.account(timing=timing) as account, listening(account) as told:
            limiter = trio.CapacityLimiter(8)

            async def one() -> None:
                async with limiter:
                    await trade(account, venue, chance)

            async with trio.open_nursery() as nursery:
                for _ in range(ORDERS):
                    nursery.start_soon(one)
                    await trio.sleep(chance.uniform(0, 1.0))
                    if chance.random() < 0.4:
                        something_goes_wrong(world, chance)
                    told.judge(world.truth)
                    ids = world.truth.client_ids
                    assert len(set(ids)) == len(ids)
            world.exchange.trading.mend()
            await trio.sleep(150)
            await world.settled(account, 300)
            told.judge_complete(world.truth)
            world.judge(account, told)
            assert not [each for each in account.orders.values() if each._record.late]
        assert account.left == ()
        assert world.truth.open_orders == ()
