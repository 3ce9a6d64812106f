"""A feed gives every event once, to one consumer, and touches the scheduler only when it must."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

import attrs
import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import (
    MockClock,
    assert_checkpoints,
    assert_no_checkpoints,
    wait_all_tasks_blocked,
)

from connector.channels import AnyChannel
from connector.errors import ConnectorError, SlowConsumer
from connector.events import Event, Gap
from connector.feeds.buffer import Buffer, Overflow
from connector.feeds.delivery_delay import Delays
from connector.feeds.feed import Feed
from connector.feeds.late_decoding import Unread
from connector.feeds.lossy_buffers import make_buffer
from tests.toy import Ticks


@attrs.define
class Owner:
    """Notes what a feed asks for."""

    added: list[AnyChannel] = attrs.field(factory=list)
    removed: list[AnyChannel] = attrs.field(factory=list)
    left: int = 0

    async def add_channels(self, feed: Feed[object], channels: tuple[AnyChannel, ...]) -> None:
        await trio.lowlevel.checkpoint()
        self.added += channels

    def remove_channels(self, feed: Feed[object], channels: tuple[AnyChannel, ...]) -> None:
        self.removed += channels

    def remove_feed(self, feed: Feed[object]) -> None:
        self.left += 1


def open_feed(
    capacity: int = 8, overflow: Overflow = Overflow.BLOCK, *, gaps: bool = False
) -> tuple[Feed[int], Buffer[int]]:
    buffer: Buffer[int] = make_buffer(capacity, overflow, gaps=gaps)
    return Feed(Owner(), buffer), buffer


async def next_batch(feed: Feed[int]) -> list[int]:
    return await feed.batches().__anext__()


Read = Callable[[Feed[int]], Coroutine[Any, Any, object]]
READS: dict[str, Read] = {
    "receive": Feed.receive,
    "async for": Feed.__anext__,
    "batches": next_batch,
}
reads = pytest.mark.parametrize("read", READS.values(), ids=list(READS))


# --- what comes out


@pytest.mark.parametrize("overflow", Overflow)
async def test_a_feed_gives_events_in_order_however_it_is_read(overflow: Overflow) -> None:
    feed, buffer = open_feed(8, overflow)
    for number in range(7):
        buffer.put_run([number], str(number))

    assert await feed.receive() == 0
    assert feed.receive_nowait() == 1
    async for event in feed:
        assert event == 2
        break
    assert await next_batch(feed) == [3, 4, 5, 6]
    with pytest.raises(trio.WouldBlock):
        feed.receive_nowait()


@reads
async def test_a_consumer_that_waits_gets_the_next_event(read: Read) -> None:
    feed, buffer = open_feed()
    got: list[object] = []

    async def consume() -> None:
        got.append(await read(feed))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        await wait_all_tasks_blocked()
        assert feed.statistics().tasks_waiting == 1
        buffer.put(1)

    assert got in ([1], [[1]])
    assert feed.statistics().tasks_waiting == 0


async def test_events_put_while_a_consumer_wakes_are_one_batch() -> None:
    feed, buffer = open_feed()
    batches: list[list[int]] = []

    async def consume() -> None:
        batches.append(await next_batch(feed))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        await wait_all_tasks_blocked()
        for number in range(3):
            buffer.put(number)

    assert batches == [[0, 1, 2]]


steps = st.lists(st.sampled_from(["put", "put", "cancel", "step"]), max_size=80)


@given(st.sampled_from(list(READS)), st.integers(1, 5), steps)
async def test_cancelling_a_consumer_loses_nothing(
    read: str, capacity: int, steps: list[str]
) -> None:
    feed, buffer = open_feed(capacity)
    links: set[Buffer[int]] = set()
    buffer.join(links)
    put: list[int] = []
    got: list[Any] = []
    scope = trio.CancelScope()

    async def consume() -> None:
        nonlocal scope
        while True:
            with scope:
                event = await READS[read](feed)
                got.extend(event if isinstance(event, list) else [event])
            scope = trio.CancelScope()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        for step in steps:
            if step == "cancel":
                scope.cancel()
            elif step == "step":
                await trio.lowlevel.checkpoint()
            elif not links:
                put.append(len(put))
                buffer.put(put[-1])
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert got == put
    assert not links


# --- checkpoints


async def test_receive_always_executes_a_checkpoint() -> None:
    feed, buffer = open_feed()
    buffer.put(1)
    buffer.put(2)

    with assert_checkpoints():
        await feed.receive()
    with assert_checkpoints():
        await next_batch(feed)


async def test_iteration_executes_none_while_events_are_buffered() -> None:
    feed, buffer = open_feed()
    for number in range(4):
        buffer.put(number)

    with assert_no_checkpoints():
        assert [await anext(feed) for _ in range(4)] == [0, 1, 2, 3]


@reads
async def test_a_refill_executes_one(read: Read) -> None:
    feed, buffer = open_feed()

    async with trio.open_nursery() as nursery:

        async def put() -> None:
            buffer.put(1)

        nursery.start_soon(put)
        with assert_checkpoints():
            await read(feed)


@reads
async def test_a_cancelled_consumer_of_an_empty_feed_leaves(read: Read) -> None:
    feed, buffer = open_feed()

    with trio.move_on_after(0) as scope:
        await read(feed)

    assert scope.cancelled_caught
    assert not buffer.has_waiter()


async def test_a_cancelled_receive_leaves_the_event() -> None:
    feed, buffer = open_feed()
    buffer.put(1)

    with trio.move_on_after(0):
        await feed.receive()
    with trio.move_on_after(0):
        await next_batch(feed)

    assert feed.receive_nowait() == 1


# --- one consumer


@reads
async def test_a_second_consumer_is_refused_at_once(read: Read) -> None:
    feed, buffer = open_feed()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read, feed)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await feed.receive()
        with pytest.raises(trio.BusyResourceError):
            await anext(feed)
        with pytest.raises(trio.WouldBlock):
            feed.receive_nowait()
        buffer.put(1)


@pytest.mark.parametrize("overflow", Overflow)
@reads
async def test_a_consumer_whose_event_was_taken_by_another_waits_on(
    read: Read, overflow: Overflow
) -> None:
    feed, buffer = open_feed(8, overflow)
    got: list[object] = []

    async def consume() -> None:
        got.append(await read(feed))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        await wait_all_tasks_blocked()
        buffer.put(1)
        assert feed.receive_nowait() == 1
        await wait_all_tasks_blocked()
        assert not got
        buffer.put(2)

    assert got in ([2], [[2]])


# --- back-pressure


@given(
    st.integers(1, 6),
    st.lists(
        st.sampled_from(["put", "receive", "receive_nowait", "async for", "batches"]), max_size=60
    ),
)
async def test_an_empty_feed_blocks_no_link(capacity: int, steps: list[str]) -> None:
    feed, buffer = open_feed(capacity)
    links: set[Buffer[int]] = set()
    buffer.join(links)

    for step in steps:
        if step == "put":
            if not links:
                buffer.put(0)
        elif step == "receive_nowait":
            if len(buffer):
                feed.receive_nowait()
        elif len(buffer):
            await READS[step](feed)

        assert bool(links) <= bool(len(buffer))
        assert bool(links) >= (len(buffer) >= capacity)


# --- errors


@reads
async def test_the_error_of_fail_comes_once_and_after_what_is_buffered(read: Read) -> None:
    feed, buffer = open_feed(2, Overflow.FAIL)
    for number in range(4):
        buffer.put(number)

    assert await next_batch(feed) == [0, 1]
    with pytest.raises(SlowConsumer, match="2 events"):
        await read(feed)
    buffer.put(4)
    assert await read(feed) in (4, [4])
    assert feed.statistics().dropped == 2


@reads
async def test_an_error_wakes_the_consumer(read: Read) -> None:
    feed, buffer = open_feed()

    with pytest.raises(ExceptionGroup) as caught:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, feed)
            await wait_all_tasks_blocked()
            buffer.fail(ConnectorError("refused"))

    assert caught.group_contains(ConnectorError, match="refused", depth=1)


async def test_every_error_is_raised_once() -> None:
    feed, buffer = open_feed()
    buffer.fail(ConnectorError("first"))
    buffer.fail(ConnectorError("second"))

    for words in ("first", "second"):
        with pytest.raises(ConnectorError, match=words):
            feed.receive_nowait()
    with pytest.raises(trio.WouldBlock):
        feed.receive_nowait()


# --- the end


@pytest.mark.parametrize("overflow", Overflow)
@reads
async def test_a_closed_feed_has_nothing_any_more(read: Read, overflow: Overflow) -> None:
    feed, buffer = open_feed(8, overflow)
    buffer.put(1)

    feed.close()

    for _ in range(2):
        with pytest.raises(trio.ClosedResourceError):
            await read(feed)
        with pytest.raises(trio.ClosedResourceError):
            feed.receive_nowait()


@reads
async def test_closing_ends_a_waiting_consumer(read: Read) -> None:
    feed, _ = open_feed()

    async def consume() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await read(feed)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        await wait_all_tasks_blocked()
        feed.close()


@reads
async def test_a_finished_feed_gives_what_it_holds_first(read: Read) -> None:
    feed, buffer = open_feed()
    buffer.put(1)

    buffer.finish()

    assert await read(feed) in (1, [1])
    with pytest.raises(trio.ClosedResourceError):
        await read(feed)


async def test_leaving_the_block_of_a_feed_ends_its_subscription() -> None:
    owner = Owner()
    feeds: list[Feed[int]] = [
        Feed(owner, make_buffer(8, Overflow.BLOCK, gaps=False)) for _ in range(2)
    ]

    async with feeds[0] as entered:
        assert entered is feeds[0]
    with feeds[1] as entered:
        assert entered is feeds[1]

    assert owner.left == 2
    for feed in feeds:
        with pytest.raises(trio.ClosedResourceError):
            feed.receive_nowait()


# --- what does not decode


class Told:
    """Where a frame came from, when nobody needs to be told."""

    def lose_unread(self, stream: str, payload: bytes, error: Exception) -> None: ...


def conflated(*symbols: str) -> tuple[Feed[Any], Callable[[str], None]]:
    """A feed that conflates, with an event for each symbol that is decoded when it is taken.

    A symbol in lower case does not decode.
    """
    buffer: Any = make_buffer(8, Overflow.CONFLATE, gaps=False)

    def put(symbol: str) -> None:
        buffer.put_unread(
            Unread(symbol, symbol, symbol.encode(), slice(None), read, 1, 1, Told()), 1
        )

    def read(data: bytes) -> Event:
        if data.islower():
            raise msgspec.DecodeError
        return Event(symbol=data.decode())

    for symbol in symbols:
        put(symbol)
    return Feed(Owner(), buffer), put


@reads
async def test_a_step_passes_over_undecodable_events(read: Read) -> None:
    feed, _ = conflated("a", "b", "C")

    assert getattr(first(await read(feed)), "symbol", None) == "C"


@reads
async def test_a_feed_waits_for_the_next_event_after_an_undecodable_one(
    read: Read, autojump_clock: MockClock
) -> None:
    feed, put = conflated("a", "b")

    async def bring() -> None:
        for symbol in "cdE":
            await trio.sleep(1)
            put(symbol)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(bring)
        with trio.fail_after(10):
            assert getattr(first(await read(feed)), "symbol", None) == "E"


def test_a_read_without_waiting_passes_over_undecodable_events() -> None:
    feed, _ = conflated("a", "B", "c")

    assert feed.receive_nowait().symbol == "B"
    with pytest.raises(trio.WouldBlock):
        feed.receive_nowait()


def first(read: object) -> object:
    return read[0] if isinstance(read, list) else read


@reads
async def test_a_source_that_has_no_more_ends_a_feed_after_what_it_holds(read: Read) -> None:
    feed, buffer = open_feed(8)
    buffer.put(1)

    buffer.end()

    assert await read(feed) in (1, [1])
    over = trio.EndOfChannel if read is Feed.receive else StopAsyncIteration
    for _ in range(2):
        with pytest.raises(over):
            await read(feed)
        with pytest.raises(trio.EndOfChannel):
            feed.receive_nowait()


# --- channels and statistics


async def test_a_feed_asks_its_owner_for_channels() -> None:
    owner = Owner()
    feed: Feed[int] = Feed(owner, make_buffer(8, Overflow.BLOCK, gaps=False))

    await feed.add(Ticks("A"), Ticks("B"))
    with assert_checkpoints():
        await feed.discard(Ticks("A"))

    assert owner.added == [Ticks("A"), Ticks("B")]
    assert owner.removed == [Ticks("A")]


class Stamped(msgspec.Struct):
    """Something that was read at that time."""

    received_ns: int


async def test_a_feed_tells_who_waits_and_how_long_the_first_of_each_batch_has() -> None:
    hour_ns = 3_600 * 10**9
    now_ns = time.time_ns()
    delays = Delays()
    buffer: Buffer[Stamped] = make_buffer(8, Overflow.BLOCK, gaps=False)
    feed = Feed(Owner(), buffer, delays)
    assert (feed.statistics().tasks_waiting, feed.statistics().waiting_seconds) == (0, 0)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed.receive)
        await wait_all_tasks_blocked()
        assert feed.statistics().tasks_waiting == 1
        buffer.put(Stamped(now_ns - hour_ns))
    assert feed.statistics().tasks_waiting == 0
    assert delays.statistics().sum_seconds // 3_600 == 1

    for hours in (6, 5, 4):
        buffer.put(Stamped(now_ns - hours * hour_ns))
    assert feed.statistics().waiting_seconds // 3_600 == 6
    assert len(await feed.batches().__anext__()) == 3
    assert feed.statistics().waiting_seconds == 0
    assert delays.statistics().sum_seconds // 3_600 == 1 + 6
    assert sum(delays.statistics().counts) == 2


async def test_a_feed_tells_what_it_holds_and_has_lost() -> None:
    feed, buffer = open_feed(2, Overflow.DROP_OLDEST, gaps=True)
    buffer.channels = (Ticks("A"),)
    for number in range(5):
        buffer.put(number)

    statistics = feed.statistics()

    assert statistics.channels == feed.channels == (Ticks("A"),)
    assert statistics.overflow is Overflow.DROP_OLDEST
    assert (statistics.capacity, statistics.dropped, statistics.gaps) == (2, 3, 1)
    marker, *events = await next_batch(feed)
    assert isinstance(marker, Gap)
    assert events == [3, 4]
    assert repr(feed) == "<Feed of 1 channels, 0 events buffered>"


@pytest.mark.parametrize("step", [anext, lambda feed: anext(feed, None)], ids=["anext", "default"])
async def test_a_step_whose_event_is_gone_waits_for_the_next(
    step: Callable[[Feed[int]], Any],
) -> None:
    feed, buffer = open_feed()
    buffer.put(1)
    awaited = step(feed)
    assert feed.receive_nowait() == 1

    async def put() -> None:
        await wait_all_tasks_blocked()
        buffer.put(2)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(put)
        assert await awaited == 2


async def test_a_step_whose_event_is_gone_ends_with_the_feed() -> None:
    feed, buffer = open_feed()
    buffer.put(1)
    awaited = anext(feed, None)
    feed.receive_nowait()

    async def end() -> None:
        await wait_all_tasks_blocked()
        buffer.end()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(end)
        assert await awaited is None
