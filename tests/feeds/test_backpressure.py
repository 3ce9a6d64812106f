"""When a link may read: the full buffers, and those who wait for a reply."""

from __future__ import annotations

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from connector.feeds.backpressure import ROOM_BEFORE_ENTERED, STRETCH, Full
from connector.feeds.buffer import Buffer, Overflow
from connector.feeds.lossy_buffers import make_buffer


def full_buffer(link: Full, held: int) -> Buffer[int]:
    buffer: Buffer[int] = make_buffer(2, Overflow.BLOCK, gaps=False)
    buffer.join(link)
    for number in range(held):
        buffer.put(number)
    return buffer


def test_a_full_buffer_holds_the_link_back() -> None:
    link = Full()
    buffer = full_buffer(link, 2)
    assert link.holds_back()

    buffer.take_all()
    buffer.unblock_if_drained()
    assert not link.holds_back()


def test_a_buffer_may_exceed_its_capacity_within_bounds_while_a_reply_is_awaited() -> None:
    link = Full()
    buffer = full_buffer(link, 2)
    with link.awaiting_reply():
        assert not link.holds_back()
        for number in range(2 * STRETCH - 2):
            assert not link.holds_back()
            buffer.put(number)
        assert link.holds_back()
    assert link.holds_back()


def test_a_feed_that_cannot_be_read_yet_may_hold_much_but_not_without_end() -> None:
    link = Full()
    entered = full_buffer(link, 2)
    entered.entering = True
    with link.awaiting_reply():
        for number in range(2, ROOM_BEFORE_ENTERED):
            assert not link.holds_back()
            entered.put(number)
        assert link.holds_back()
        entered.take_all()
        entered.unblock_if_drained()
        # Another feed that is full can be read.
        full_buffer(link, 2 * STRETCH)
        assert link.holds_back()


async def test_a_link_at_rest_goes_on_when_somebody_begins_to_wait_for_a_reply() -> None:
    link = Full()
    full_buffer(link, 2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.wait_for_room)
        await wait_all_tasks_blocked()
        with link.awaiting_reply(), trio.fail_after(1):
            await wait_all_tasks_blocked()
            assert not nursery.child_tasks


async def test_a_rest_ends_when_its_time_is_over(autojump_clock: MockClock) -> None:
    link = Full()

    await link.rest(3)

    assert trio.current_time() == 3


async def test_a_rest_ends_when_a_consumer_waits(autojump_clock: MockClock) -> None:
    link = Full()
    buffer: Buffer[int] = make_buffer(2, Overflow.CONFLATE, gaps=False)
    buffer.join(link)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.rest, 3)
        await trio.sleep(1)
        nursery.start_soon(buffer.wait)
        await wait_all_tasks_blocked()
        assert set(link.waiting) == {buffer}
        buffer.put(1)

    assert trio.current_time() == 1
    assert not link.waiting


async def test_a_consumer_that_gave_up_waiting_is_in_no_hurry(autojump_clock: MockClock) -> None:
    link = Full()
    buffer: Buffer[int] = make_buffer(2, Overflow.CONFLATE, gaps=False)
    buffer.join(link)

    with trio.move_on_after(1):
        await buffer.wait()

    assert not link.waiting
