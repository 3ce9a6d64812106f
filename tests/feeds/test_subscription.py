"""One wanted stream, many readers: all get everything, each learns once what became of it."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

from connector.errors import SubscriptionRejected
from connector.events import Event, Gap
from connector.feeds.backpressure import Full
from connector.feeds.buffer import Buffer, Overflow
from connector.feeds.lossy_buffers import make_buffer
from connector.feeds.subscription import Subscription
from tests.toy import Tick, Ticks, Toy, rising, subscription

REFUSED = SubscriptionRejected(Ticks("A"), 2, "unknown stream")


def attached(
    to: Subscription, capacity: int = 8, overflow: Overflow = Overflow.BLOCK, *, gaps: bool = True
) -> Buffer[Any]:
    buffer: Buffer[Any] = make_buffer(capacity, overflow, gaps=gaps)
    to.attach(buffer)
    return buffer


def ticks(*numbers: int) -> list[Event]:
    return [Tick(n=number) for number in numbers]


# --- readers


@pytest.mark.parametrize("overflow", Overflow)
def test_every_reader_gets_every_event(overflow: Overflow) -> None:
    stream = subscription("A")
    readers = [attached(stream), attached(stream, overflow=overflow)]
    events = [Tick(n=number, symbol=str(number)) for number in range(3)]

    stream.readers.put_run([*events], stream.name)

    assert [reader.take_all() for reader in readers] == [events, events]


def test_a_reader_has_events_from_attaching_to_detaching() -> None:
    stream = subscription("A")
    one, other = attached(stream), attached(stream)
    stream.readers.put_run(ticks(1), stream.name)

    assert not stream.detach(one)
    stream.readers.put_run(ticks(2), stream.name)
    assert stream.buffers() == (other,)
    assert stream.detach(other)

    assert one.take_all() == ticks(1)
    assert other.take_all() == ticks(1, 2)


@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from(Overflow)), max_size=4))
def test_the_room_is_that_of_the_fullest_reader_that_blocks(
    readers: list[tuple[int, Overflow]],
) -> None:
    full = Full()
    stream = subscription("A", full=full)
    buffers = [attached(stream, capacity, overflow) for capacity, overflow in readers]
    blocking = [each.capacity for each in buffers if each.overflow is Overflow.BLOCK]

    for room in range(min(blocking, default=9), 0, -1):
        assert not full
        assert not blocking or stream.readers.room() == room
        stream.readers.put_run(ticks(room), stream.name)

    assert bool(full) == bool(blocking)


def test_a_link_learns_of_a_buffer_that_is_full_already() -> None:
    full = Full()
    buffer = attached(subscription("A"), 1)
    buffer.put(Tick(n=1))

    subscription("B", full=full).attach(buffer)

    assert full == {buffer}


# --- losses


def test_every_reader_has_a_marker_of_its_own() -> None:
    stream = subscription("A")
    readers = [attached(stream), attached(stream), attached(stream, gaps=False)]

    stream.lose("sequence", 5, dropped=2, session=3)

    one, other, none = (reader.take_all() for reader in readers)
    marker = Gap(
        symbol="A",
        received_ns=5,
        session=3,
        channels=(Ticks("A"),),
        reason="sequence",
        dropped=2,
        since_ns=5,
    )
    assert one == other == [marker]
    assert one[0] is not other[0]
    assert none == []
    assert stream.statistics().gaps == 1


def test_a_connection_that_carried_the_stream_is_a_loss() -> None:
    stream = subscription("A")

    assert not stream.interrupted()
    stream.acknowledged()
    assert stream.interrupted()
    assert not stream.interrupted()
    stream.messages += 1  # data may come before its acknowledgement
    assert stream.interrupted()
    assert not stream.interrupted()

    assert stream.statistics().gaps == 2
    assert not stream.live


def test_ids_begin_anew_with_the_next_connection() -> None:
    stream = subscription("A", Toy(sequence=rising))
    stream.last_id, stream.sequence = 7, None

    stream.interrupted()

    assert stream.last_id == 0
    assert stream.sequence is rising


# --- waiting for the acknowledgement


async def test_a_waiting_subscriber_resumes_when_the_stream_is_acknowledged() -> None:
    stream = subscription("A")
    reader = attached(stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.wait_live, reader)
        await wait_all_tasks_blocked()
        stream.acknowledged()

    with assert_checkpoints():
        await stream.wait_live(reader)


steps = st.lists(st.sampled_from(["acknowledged", "interrupted", "settle"]), max_size=20)


@given(steps)
async def test_a_subscriber_passes_only_while_the_stream_is_live(steps: list[str]) -> None:
    stream = subscription("A")
    reader = attached(stream)
    live_then: list[bool] = []

    async def wait() -> None:
        await stream.wait_live(reader)
        live_then.append(stream.live)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        for step in steps:
            if step == "settle":
                await wait_all_tasks_blocked()
                assert bool(live_then) >= stream.live
            elif step == "acknowledged":
                stream.acknowledged()
            else:
                stream.interrupted()
        stream.acknowledged()

    assert live_then == [True]


async def test_each_waiting_subscriber_gets_an_error_of_its_own_for_a_refusal() -> None:
    stream = subscription("A")
    readers = [attached(stream) for _ in range(2)]
    errors: list[SubscriptionRejected] = []

    async def wait(reader: Buffer[Any]) -> None:
        with pytest.raises(SubscriptionRejected) as caught:
            await stream.wait_live(reader)
        errors.append(caught.value)

    async with trio.open_nursery() as nursery:
        for reader in readers:
            nursery.start_soon(wait, reader)
        await wait_all_tasks_blocked()
        stream.reject(REFUSED)

    assert [str(error) for error in errors] == [str(REFUSED)] * 2
    assert errors[0] is not errors[1]
    assert [reader.next_error() for reader in readers] == [None, None]


async def test_a_later_refusal_is_an_error_in_every_feed_once() -> None:
    stream = subscription("A")
    readers = [attached(stream) for _ in range(2)]
    stream.acknowledged()
    for reader in readers:
        await stream.wait_live(reader)
    stream.interrupted()

    stream.reject(REFUSED)

    errors = [reader.next_error() for reader in readers]
    assert [str(error) for error in errors] == [str(REFUSED)] * 2
    assert errors[0] is not errors[1]
    assert [reader.next_error() for reader in readers] == [None, None]


async def test_a_waiting_subscriber_gets_an_error_when_its_channel_is_discarded() -> None:
    stream = subscription("A")
    reader = attached(stream)

    async def wait() -> None:
        with pytest.raises(trio.ClosedResourceError, match="discarded"):
            await stream.wait_live(reader)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        stream.detach(reader)


# --- what it tells


def test_a_subscription_tells_its_messages_bytes_and_state() -> None:
    stream = subscription("A")
    stream.messages, stream.payload_bytes = 3, 99
    stream.acknowledged()

    statistics = stream.statistics()

    assert (statistics.messages, statistics.payload_bytes, statistics.live) == (3, 99, True)
    assert repr(stream) == "<Subscription A live>"


def test_a_stream_without_a_connection_is_not_silent() -> None:
    wanted = subscription("A")
    wanted.acknowledged()
    wanted.silent_seconds = 12.0

    wanted.interrupted()

    assert wanted.statistics().silent_seconds is None
