"""Order entry: what may go is sent at once, in one piece or in many, by a connection that ends."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from connector.account import order_link
from connector.errors import NotSent
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


async def test_a_cancel_passes_a_place_for_which_the_socket_has_no_room(
    venue: str, autojump_clock: Any
) -> None:
    async with open_world(venue) as world, world.account() as account:
        old = await account.place(bid("2890"))
        connections = world.network.connections
        for connection in connections:
            connection.narrow(40)
            connection.stall()
        first = account.submit(bid("2900"))
        second = account.submit(bid("2901"))
        await trio.sleep(0.1)
        # A place that is signed can neither be passed nor taken back, and its time grows old.
        assert (first.state, second.state) == ("sent", "queued")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(account.cancel, old)
            await trio.sleep(0.1)
            for connection in connections:
                connection.resume()
            await second.accepted()

        assert (old.state, first.state, second.state) == ("cancelled", "open", "open")
        ended, signed, before = (
            old._record.exchange_time_ns,
            second._record.signed_ns,
            first._record.signed_ns,
        )
        accepted = second._record.exchange_time_ns
        assert ended is not None and accepted is not None and ended < accepted
        assert signed is not None and before is not None and signed - before >= 150_000_000
        world.judge(account)


async def test_a_place_that_the_socket_has_no_room_for_in_time_was_not_sent(
    venue: str, autojump_clock: Any
) -> None:
    async with open_world(venue) as world, world.account() as account:
        for connection in world.network.connections:
            connection.narrow(40)
            connection.stall()
        first = account.submit(bid("2900"))
        with pytest.raises(NotSent):
            await account.place(bid("2901"))
        for connection in world.network.connections:
            connection.narrow(65_536)
            connection.resume()
        await first.accepted()

        assert len(world.truth.client_ids) == 1
        world.judge(account)


async def test_a_torn_connection_is_replaced_soon(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world, world.account() as account:
        before = account.statistics().orders.sessions_opened
        link = account._office.link
        assert link is not None and link._connection is not None
        link._connection._tap.outgoing.torn = True  # as a ping that is cancelled within its frame
        began = trio.current_time()
        order = account.submit(bid("2900"))
        assert order.state == "queued"  # and not "sent": no byte of it was

        while account.statistics().orders.sessions_opened == before:
            await trio.sleep(0.1)

        assert trio.current_time() - began < order_link.REPLY_SECONDS / 2
        await world.settled(account)
        assert order.state in ("open", "refused")
        world.judge(account)
