"""Order entry: what may go is sent at once, in one piece or in many, by a connection that ends."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from connector.account import order_link
from connector.orders import Keep
from tests.account.trader import SYMBOL, VENUES, bid, open_world

pytestmark = pytest.mark.parametrize("venue", VENUES)


async def test_a_place_is_sent_before_submit_returns(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world, world.account() as account:
        orders = [account.submit(bid(str(price))) for price in range(2900, 2910)]
        assert {each.state for each in orders} == {"sent"}
        assert account.statistics().queued == 0

        for order in orders:
            await order.accepted()

        assert len(world.truth.open_orders) == 10
        world.judge(account)


@pytest.mark.parametrize("room", [40, 300])
async def test_what_the_socket_has_no_room_for_follows(
    venue: str, autojump_clock: Any, room: int
) -> None:
    async with open_world(venue) as world, world.account() as account:
        for connection in world.network.connections:
            connection.narrow(room)
        orders = [account.submit(bid(str(price))) for price in range(2900, 2905)]
        # The first is on its way, and holds the others back.
        assert [each.state for each in orders] == ["sent", *["queued"] * 4]

        for order in orders:
            await order.accepted()

        assert {each.state for each in orders} == {"open"}
        assert len(world.truth.client_ids) == 5
        world.judge(account)


async def test_a_place_goes_before_a_quote_that_waits(venue: str, autojump_clock: Any) -> None:
    async with (
        open_world(venue) as world,
        world.account() as account,
        account.quotes(SYMBOL, max_long=100, max_short=0, max_age=10, keep=Keep()) as quotes,
    ):
        quotes.want(bids=[("2900", "0.1")])
        quotes._turn()
        (quote,) = quotes.orders
        order = account.submit(bid("2901"))
        assert (quote.state, order.state) == ("queued", "sent")

        await quotes.settled()
        await order.accepted()

        assert quote.state == order.state == "open"


async def test_a_connection_that_sends_nothing_ends_at_its_age(
    venue: str, autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_link, "_LIFETIME_SECONDS", 60.0)
    async with open_world(venue) as world, world.account() as account:
        before = account.statistics().orders.sessions_opened
        await world.settled(account)
        await trio.sleep(70)

        now = account.statistics().orders
        assert (now.sessions_opened, now.reconnects) == (before + 1, {"age": 1})
        assert (await account.place(bid())).state == "open"
