"""A loop that stalls for longer than a limit reads what has arrived before it judges."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from connector.account import order_link
from connector.account.late_timers import LATE_SECONDS, read_if_late, sleep_until_read
from connector.account.patience import Patience
from connector.accounts import Timing
from connector.errors import AmendRefused
from tests.account.test_patience import order
from tests.account.trader import VENUES, bid, open_world


async def test_a_timer_in_time_costs_nothing(autojump_clock: trio.testing.MockClock) -> None:
    with trio.testing.assert_no_checkpoints():
        await read_if_late(trio.current_time() - LATE_SECONDS / 2)
    await sleep_until_read(7)
    assert trio.current_time() == 7


async def test_a_reply_behind_other_data_ends_the_wait(mock_clock: trio.testing.MockClock) -> None:
    patience, waiting, known = Patience(5.0), order("one"), []
    send, receive = trio.open_memory_channel[str](10)

    async def read() -> None:
        async for text in receive:
            await trio.lowlevel.checkpoint()
            if text == "reply":
                waiting._record.state = "open"
                waiting._wake()

    async def wait() -> None:
        patience.begin(waiting)
        known.append(await waiting._wait_patiently())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(patience.run)
        nursery.start_soon(read)
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(60)  # the loop does not run for a minute
        for text in ("other", "other", "reply"):
            send.send_nowait(text)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert known == [True]


@pytest.mark.parametrize("venue", VENUES)
async def test_a_stall_breaks_no_connection_whose_answer_is_there(
    venue: str, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(venue) as world, world.account() as account:
        before: Any = account.statistics().orders
        for number in range(8):
            placed = account.submit(bid(str(2900 + number)))
            for connection in world.network.connections:
                connection._pipes[1].stalled = True
            while len(world.truth.open_orders) == number:
                await trio.sleep(0.001)
            await trio.sleep(0.01)
            autojump_clock.jump(order_link.REPLY_SECONDS + 1)
            for connection in world.network.connections:
                connection.resume()
            await placed.accepted()
            assert placed.state == "open"

        now: Any = account.statistics().orders
        assert (now.sessions_opened, now.reconnects) == (before.sessions_opened, before.reconnects)
        world.judge(account)


async def test_a_stall_hides_no_refusal_of_an_amend(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_world("usdm") as world, world.account() as account:
        placed = await account.place(bid())
        for _ in range(8):
            refused: list[AmendRefused] = []

            async def amend(refused: list[AmendRefused] = refused) -> None:
                try:
                    await account.amend(placed, price="2990", quantity="0.5")
                except AmendRefused as error:
                    refused.append(error)

            async with trio.open_nursery() as nursery:
                for connection in world.network.connections:
                    connection._pipes[1].stalled = True
                nursery.start_soon(amend)
                await trio.sleep(0.5)
                autojump_clock.jump(Timing().patience)
                for connection in world.network.connections:
                    connection.resume()
            assert [each.code for each in refused] == [-5027]
            assert placed._record.amending is None
