"""The statistics of an account: what is counted is what has happened, asked of the exchange."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import trio

from connector.errors import OrderNotPlaced, OrderUnknown
from connector.orders import Limits
from tests.account.trader import SYMBOL, VENUES, bid, open_world

venues = pytest.mark.parametrize("venue", VENUES)


@venues
async def test_orders_fills_and_refusals(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world, world.account() as account:
        assert account.statistics().synced and account.statistics().placed == 0
        first = await account.place(bid("2980"))
        await account.place(bid("2981"))
        await account.cancel(first)
        (truth,) = world.truth.open_orders
        world.exchange.trading.fill(truth)
        with suppress(OrderNotPlaced):
            await account.place(bid("3100", post_only=True))
        world.exchange.trading.place(
            "mm1", symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.1",
            price="2900", newClientOrderId="web_1",
        )  # fmt: skip
        await trio.sleep(1)

        now = account.statistics()
        assert now.placed == 3
        assert sum(now.ended.values()) == 3
        assert (now.ended["cancelled"], now.ended["filled"]) == (1, 1)
        assert sum(now.orders_by_state.values()) == 3
        assert (now.fills, now.backfilled) == (1, 0)
        assert now.other_orders == 1 and len(account.other_orders) == 1
        if venue == "spot":
            assert now.refusals == {"post_only": 1}
        assert (now.late, now.unsynced, now.unsynced_reason) == (0, 0, "")
        assert world.adapter.statistics().accounts == (now,)
    after = account.statistics()
    assert not after.synced and after.sockets_open == 0


@venues
async def test_an_unknown_order_has_an_age(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world, world.account() as account:
        world.exchange.trading.lose_reply("order.place")
        world.exchange.trading.delay_events(60)
        world.exchange.trading.lose_request("order.status", times=None)
        began = trio.current_time()
        with pytest.raises(OrderUnknown):
            await account.place(bid())
        with trio.fail_after(60):
            while "unknown" not in account.statistics().orders_by_state:
                await trio.sleep(0.1)
        age = account.statistics().oldest_unknown_seconds
        assert age == pytest.approx(trio.current_time() - began, abs=0.01)
        world.exchange.trading.mend()
        await world.settled(account)
        assert account.statistics().oldest_unknown_seconds == 0


@venues
async def test_why_it_is_not_synced(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world, world.account() as account:
        world.cut_streams()
        with trio.fail_after(10):
            while account.synced:
                await trio.sleep(0.001)
        now = account.statistics()
        assert (now.synced, now.unsynced) == (False, 1)
        assert now.unsynced_reason
        await account.wait_synced()


@venues
async def test_limits_and_quotes(venue: str, autojump_clock: Any) -> None:
    limits = Limits(open_notional=10_000, orders_per_minute=10, position={SYMBOL: 100})
    async with open_world(venue) as world, world.account(limits=limits) as account:
        async with account.quotes(SYMBOL, max_long=100, max_short=100, max_age=60) as quotes:
            quotes.want(bids=[(2980, "0.5"), (2970, "0.5")])
            await quotes.settled()
            now = account.statistics()
            (shown,) = now.quotes
            assert (shown.symbol, shown.orders, shown.behind) == (SYMBOL, 2, 0)
            held = float(account.positions[SYMBOL].quantity)
            assert now.own_limits_used["orders_per_minute"] == pytest.approx(0.2)
            assert now.own_limits_used["open_notional"] == pytest.approx(0.2975)
            assert now.own_limits_used[f"position {SYMBOL}"] == pytest.approx((held + 1) / 100)
            assert now.limits_used[10.0][0] >= 2
            await trio.sleep(61)
            assert account.statistics().own_limits_used["orders_per_minute"] == 0
            assert account.statistics().limits_used[10.0][0] == 0
        assert account.statistics().quotes == ()
