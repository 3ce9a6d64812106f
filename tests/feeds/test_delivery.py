"""Whatever an exchange sends, in whatever pieces, into buffers however full: every event once."""

from __future__ import annotations

import inspect
import time
from typing import Any

import attrs
import msgspec
import pytest
import trio
from hypothesis import example, given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from connector.errors import RAW_EXCERPT_BYTES, DecodeError
from connector.events import Event, Gap
from connector.exchanges.protocol import (
    Envelope,
    Inbound,
    Part,
    PartlyUndecodable,
    Reply,
    Shutdown,
    Unknown,
)
from connector.feeds.backpressure import Full
from connector.feeds.buffer import Buffer, Overflow
from connector.feeds.delivery import Delivery
from connector.feeds.feed import Feed
from connector.feeds.lossy_buffers import make_buffer
from connector.feeds.subscription import Subscription
from tests.toy import Glance, Tick, Toy, frame, keyed, rising, subscription

SESSION = 7


@attrs.define
class Reader:
    """Notes what is not data; a reply ends the subscription of every stream."""

    streams: dict[bytes, Subscription]
    messages: list[Inbound] = attrs.field(factory=list)
    errors: list[DecodeError] = attrs.field(factory=list)

    def read_message(self, message: Inbound) -> None:
        self.messages.append(message)
        if isinstance(message, Reply):
            self.streams.clear()

    def read_undecodable(self, error: DecodeError) -> None:
        self.errors.append(error)


class World:
    """A delivery with streams A, B and the lists C*, all read by one buffer."""

    def __init__(
        self,
        exchange: Toy,
        capacity: int = 10_000,
        overflow: Overflow = Overflow.BLOCK,
        names: tuple[str, ...] = ("A", "B", "C*"),
        *,
        gaps: bool = True,
    ) -> None:
        self.full = Full()
        self.buffer: Buffer[Any] = make_buffer(capacity, overflow, gaps=gaps)
        self.subscriptions = [subscription(name, exchange, self.full) for name in names]
        for each in self.subscriptions:
            each.attach(self.buffer)
        self.streams = keyed(*self.subscriptions)
        self.reader = Reader(self.streams)
        self.delivery = Delivery(exchange, SESSION, self.streams, self.full, self.reader)
        self.got: list[Event] = []

    def deliver(self, batch: list[bytes]) -> None:
        """Deliver all of `batch`, as a connection does, taking an event where there is no room."""
        taken = self.delivery.deliver(batch, 0)
        while taken < len(batch):
            assert self.full
            self.got.append(self.buffer.take())
            self.buffer.unblock_if_drained()
            before, taken = taken, self.delivery.deliver(batch, taken)
            assert taken >= before

    def drain(self) -> list[Event]:
        self.got += self.buffer.take_all()
        self.buffer.unblock_if_drained()
        return self.got

    def ticks(self) -> list[tuple[str, int]]:
        return [(event.symbol, event.n) for event in self.got if isinstance(event, Tick)]

    def counts(self) -> dict[str, Any]:
        return {each.name: each.statistics() for each in self.subscriptions}


# --- frames


def partly(payload: bytes) -> list[Tick]:
    """Ticks of a list, of which those below 0 do not decode."""
    ticks = msgspec.json.Decoder(list[Tick]).decode(payload)
    good = [tick for tick in ticks if tick.n >= 0]
    if len(good) == len(ticks):
        return ticks
    bad = [tick for tick in ticks if tick.n < 0]
    raise PartlyUndecodable("below 0", good, lost=len(bad), raw=b"%d" % bad[0].n, symbol="C1")


@pytest.mark.parametrize("bad", [1, 2])
async def test_an_element_that_does_not_decode_is_lost_alone(bad: int) -> None:
    world = World(Toy())
    world.subscriptions[2].decode = partly  # type: ignore[assignment]

    world.deliver([frame("C*", 1, *[-5] * bad, 2), frame("C*", 3)])
    world.drain()

    gap, *ticks = world.got
    assert isinstance(gap, Gap)
    assert (gap.reason, gap.dropped, gap.symbol) == (
        "decode error",
        bad,
        "C1" if bad == 1 else "C*",
    )
    assert [event.n for event in ticks] == [1, 2, 3]  # type: ignore[attr-defined]
    (error,) = world.reader.errors
    assert (error.stream, error.raw) == ("C*", b"-5")
    assert "below 0" in error.reason
    counts = world.counts()["C*"]
    assert (counts.messages, counts.decode_errors, counts.gaps) == (2, bad, 1)


numbers = st.integers(1, 9)
ticks = st.builds(frame, st.sampled_from("AB"), numbers)
lists = st.lists(numbers, max_size=6).map(lambda several: frame("C*", *several))
odd = st.sampled_from(
    [
        frame("Z", 1),  # a stream that nobody wants
        b'{"stream":"A","data":{"n":"x"}}',  # not what is documented
        b'{"stream":"A","data":{"n":1',  # cut off
        b'{"stream":"A","data":',
        b'{"stream":"A"}',
        b'{"stream":"A',
        b'{"stream":"AX',  # one byte behind the name of a stream, and no more
        b'{ "stream" : "A" , "data" : {"n": 5, "symbol": "A"} }',
        b'{"data":{"n":6,"symbol":"A"},"stream":"A"}',
        b'{"stream":"A","data":{"n":7,"symbol":"A"},"time":1}',
        b'{"stream":"A","data":{"n":8,"symbol":"A"}}\n',
        b'{"stream":"\\u0041","data":{"n":9,"symbol":"A"}}',
        b'{"stream":"C*","data":{"n":1}}',
        b'{"stream":"C*","data":[{"n":1},{"n":"x"}]}',
        b'{"stream":"C*","data":[]}',
        b'{"bye":"soon"}',
        b'{"else":1}',
        b'{"stream":"",  "data":1}',
        b"[]",
        b"",
        b"no JSON",
        '{"stream":"Ä","data":{}}'.encode(),
    ]
)
frames = st.lists(st.one_of(ticks, ticks, lists, odd), max_size=25)


# --- the fast path and the long way

BROKEN = b'{"stream":"A","data":{"n":"x"}}'
"""Of a stream that exists, but does not decode."""


@given(frames, st.sampled_from([None, rising]), st.booleans(), st.integers(1, 10))
@example([BROKEN, BROKEN, frame("A", 1)], None, False, 1)
@example([b'{"stream":"AX', frame("A", 1)], None, False, 1)
async def test_the_fast_path_gives_what_parsing_gives(
    frames: list[bytes], sequence: Any, shared: bool, capacity: int
) -> None:
    fast = World(Toy(sequence=sequence), capacity)
    slow = World(Toy(sequence=sequence, envelope=None), capacity)

    seen = []
    for world in (fast, slow):
        other: Buffer[Any] = make_buffer(10_000, Overflow.BLOCK, gaps=True)
        if shared:
            world.subscriptions[0].attach(other)
        world.deliver(frames)
        seen.append([world.drain(), other.take_all()])
        for event in [*seen[-1][0], *seen[-1][1]]:
            event.received_ns = 0
            if isinstance(event, Gap):
                event.since_ns = None

    assert seen[0] == seen[1]
    assert fast.counts() == slow.counts()
    assert fast.delivery.messages == slow.delivery.messages
    assert fast.reader.messages == slow.reader.messages
    assert [str(each) for each in fast.reader.errors] == [str(each) for each in slow.reader.errors]


class Unparsed(Toy):
    """A toy exchange of whose frames none needs the long way."""

    def parse(self, frame: bytes) -> Inbound:
        raise AssertionError(f"{frame!r} took the long way")


@pytest.mark.parametrize(
    ("envelope", "wrapped"),
    [
        (Envelope((Part(b'{"stream":"', b'","data":'),), b"}"), b'{"stream":"A","data":%s}'),
        (Envelope((Part(b"", b" "),), b""), b"A %s"),
        (Envelope((Part(b"[", b","),), b"]  "), b"[A,%s]  "),
    ],
)
async def test_frames_in_the_envelope_take_the_fast_path(
    envelope: Envelope, wrapped: bytes
) -> None:
    world = World(Unparsed(envelope=envelope))

    world.deliver([wrapped % b'{"n":1,"symbol":"A"}'])

    world.drain()
    assert world.ticks() == [("A", 1)]


# --- decoding late


TAKE, TAKE_ALL = "take", "take all"
batches = st.lists(
    st.one_of(frames, frames, st.just([TAKE]), st.just([TAKE]), st.just([TAKE_ALL])), max_size=12
)


@given(batches, st.sampled_from([None, rising]), st.integers(1, 3), st.booleans())
@example([[frame("A", 2), frame("A", 1), frame("A", 5)], [TAKE], [frame("A", 5)]], rising, 1, True)
@example([[frame("A", 1)], [frame("A", n) for n in (2, 3, 4)], [TAKE]], None, 2, True)
async def test_decoding_late_gives_what_decoding_at_once_gives(
    batches: list[Any], sequence: Any, capacity: int, gaps: bool
) -> None:
    seen = []
    for exchange in (Toy(sequence=sequence), Toy(sequence=sequence, glance=Tick)):
        world = World(exchange, capacity, Overflow.CONFLATE, gaps=gaps)
        for batch in batches:
            if batch == [TAKE] and len(world.buffer):
                world.got.append(world.buffer.take())
            elif batch == [TAKE_ALL]:
                world.drain()
            elif batch and batch[0] not in (TAKE, TAKE_ALL):
                world.deliver(batch)
        world.drain()
        for event in world.got:
            event.received_ns = 0
            if isinstance(event, Gap):
                event.since_ns = None
        buffer, errors = world.buffer, [str(each) for each in world.reader.errors]
        seen.append((world.got, world.counts(), buffer.dropped, buffer.gaps, errors))

    assert seen[0] == seen[1]


class Counting:
    """A decoder that knows what it was given."""

    def __init__(self, decode: Any) -> None:
        self.decode = decode
        self.seen: list[bytes] = []

    def __call__(self, payload: bytes) -> Any:
        self.seen.append(payload)
        return self.decode(payload)


def late_world(*buffers: Buffer[Any]) -> tuple[World, Counting]:
    world = World(Toy(glance=Glance), overflow=Overflow.CONFLATE)
    (stream, *_) = world.subscriptions
    for buffer in buffers:
        stream.attach(buffer)
    stream.decode = counting = Counting(stream.decode)
    return world, counting


async def test_an_event_replaced_before_it_is_taken_is_never_decoded() -> None:
    other: Buffer[Any] = make_buffer(5, Overflow.CONFLATE, gaps=False)
    world, counting = late_world(other)

    world.deliver([frame("A", n) for n in range(50)])
    assert counting.seen == []
    events = [world.buffer.take_all()[-1], other.take()]

    assert counting.seen == [b'{"n":49,"symbol":"A"}']
    assert events[0] is events[1]
    assert (events[0].session, events[0].received_ns) == (SESSION, world.delivery.received_ns)
    assert world.counts()["A"].messages == 50


async def test_a_feed_that_does_not_conflate_has_every_event_decoded() -> None:
    other: Buffer[Any] = make_buffer(50, Overflow.DROP_OLDEST, gaps=False)
    world, counting = late_world(other)

    world.deliver([frame("A", n) for n in range(3)])
    assert len(counting.seen) == 3
    world.subscriptions[0].detach(other)
    world.deliver([frame("A", n) for n in range(3, 6)])

    assert len(counting.seen) == 3
    (newest,) = world.drain()
    assert (newest.n, world.buffer.replaced) == (5, 5)


async def test_a_link_reads_at_leisure_only_what_nobody_waits_for() -> None:
    world, _ = late_world()
    _, *others = world.subscriptions
    for other in others:
        other.detach(world.buffer)

    world.deliver([frame("A", n) for n in range(3)])
    keeps_up = world.delivery.leisurely
    world.deliver([frame("A", 3)])
    behind = world.delivery.leisurely
    world.buffer.take_all()
    world.deliver([frame("A", 4)])
    again = world.delivery.leisurely

    assert (keeps_up, behind, again) == (False, True, False)

    hasty: Buffer[Any] = make_buffer(50, Overflow.DROP_OLDEST, gaps=False)
    others[0].attach(hasty)
    world.deliver([frame("A", 5)])
    assert not world.delivery.leisurely
    others[0].detach(hasty)
    world.deliver([frame("A", 6)])
    assert world.delivery.leisurely


async def test_a_link_at_leisure_hurries_for_a_consumer_of_another_stream(
    autojump_clock: MockClock,
) -> None:
    other: Buffer[Any] = make_buffer(5, Overflow.CONFLATE, gaps=False)
    world, _ = late_world(other)
    for each in world.subscriptions[1:]:
        each.detach(world.buffer)
    world.deliver([frame("A", 1)])
    other.take_all()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other.wait)
        await wait_all_tasks_blocked()
        world.deliver([frame("A", 2)])
        assert not world.delivery.leisurely
        await wait_all_tasks_blocked()
    world.deliver([frame("A", 3)])
    assert world.delivery.leisurely
    await world.delivery.rest()

    assert trio.current_time() == 0.001
    assert not world.delivery.leisurely


BROKEN_LATE = b'{"stream":"A","data":{"n":"x","symbol":"A"}}'


async def test_a_decode_error_found_on_taking_is_reported_once_to_every_reader() -> None:
    other: Buffer[Any] = make_buffer(5, Overflow.CONFLATE, gaps=True)
    world, _ = late_world(other)

    world.deliver([frame("B", 1), BROKEN_LATE])
    batches = [world.drain(), other.take_all(), world.buffer.take_all(), other.take_all()]

    assert [event.symbol for event in batches[0]] == ["B"]
    (error,) = world.reader.errors
    assert (error.stream, error.raw) == ("A", BROKEN_LATE)
    told = [event for batch in batches for event in batch if isinstance(event, Gap)]
    assert [gap.reason for gap in told] == ["decode error"] * 2
    assert world.counts()["A"].decode_errors == 1


async def test_a_feed_passes_over_what_does_not_decode() -> None:
    world, _ = late_world()
    feed: Feed[Any] = Feed(None, world.buffer)  # type: ignore[arg-type]

    reads = (feed.receive_nowait, feed.receive, feed.__anext__, feed.batches().__anext__)
    for read in reads:
        world.deliver([BROKEN_LATE, frame("B", 1)])
        got: Any = read()
        got = await got if inspect.isawaitable(got) else got
        assert (got[0] if isinstance(got, list) else got).symbol == "B"
        (gap,) = world.buffer.take_all()
        assert isinstance(gap, Gap)


# --- back-pressure


def numbered(shape: list[int]) -> list[bytes]:
    """Frames whose events are numbered through: a tick for a 0, else a list of so many."""
    result, n = [], 0
    for size in shape:
        result.append(frame("C*", *range(n + 1, n + 1 + size)) if size else frame("A", n + 1))
        n += size or 1
    return result


shapes = st.lists(st.integers(0, 7), max_size=20)


@given(st.integers(1, 6), st.lists(shapes, max_size=4), st.booleans())
@example(capacity=2, batches=[[5]], fast=True)
@example(capacity=2, batches=[[0, 5, 0], [3]], fast=False)
async def test_a_full_buffer_loses_and_repeats_nothing(
    capacity: int, batches: list[list[int]], fast: bool
) -> None:
    world = World(Toy() if fast else Toy(envelope=None), capacity)
    frames = numbered([size for batch in batches for size in batch])
    begin = events = 0

    for batch in batches:
        world.deliver(frames[begin : begin + len(batch)])
        begin += len(batch)
        events += sum(size or 1 for size in batch)

        # What is taken is in the buffer: nothing waits inside for the next read.
        assert len(world.got) + len(world.buffer) == events
        assert len(world.buffer) <= capacity
    world.drain()

    assert [n for _, n in world.ticks()] == list(range(1, events + 1))
    assert world.delivery.messages == len(frames)
    assert sum(each.payload_bytes for each in world.counts().values()) == sum(map(len, frames))
    assert world.buffer.dropped == 0


async def test_a_list_larger_than_the_room_is_not_taken_before_all_of_it_is() -> None:
    world = World(Toy(), capacity=2)
    batch = [frame("C*", 1, 2, 3, 4, 5), frame("A", 6)]

    taken = [world.delivery.deliver(batch, 0)]
    while taken[-1] < len(batch):
        world.drain()
        taken.append(world.delivery.deliver(batch, taken[-1]))
    world.drain()

    assert taken == [0, 0, 2]
    assert [n for _, n in world.ticks()] == [1, 2, 3, 4, 5, 6]
    assert world.delivery.messages == 2


async def test_a_full_buffer_takes_nothing_and_forgets_nothing() -> None:
    world = World(Toy(), capacity=1)

    assert world.delivery.deliver([frame("A", 1), frame("A", 2)], 0) == 1
    assert world.delivery.deliver([frame("A", 1), frame("A", 2)], 1) == 1
    world.drain()
    assert world.delivery.deliver([frame("A", 1), frame("A", 2)], 1) == 2
    world.drain()

    assert world.ticks() == [("A", 1), ("A", 2)]


async def test_a_feed_that_drops_does_not_wait_for_one_that_blocks() -> None:
    world = World(Toy(), capacity=2)
    dropping: Buffer[Any] = make_buffer(1, Overflow.DROP_OLDEST, gaps=False)
    world.subscriptions[0].attach(dropping)

    taken = world.delivery.deliver([frame("A", n) for n in range(1, 6)], 0)

    assert taken == 2
    assert [tick.n for tick in dropping.take_all() if isinstance(tick, Tick)] == [2]


async def test_waiting_for_room_waits_for_every_full_buffer() -> None:
    world = World(Toy(), capacity=1)
    other: Buffer[Any] = make_buffer(1, Overflow.BLOCK, gaps=False)
    world.subscriptions[0].attach(other)
    world.delivery.deliver([frame("A", 1)], 0)
    went_on: list[bool] = []

    async def wait() -> None:
        await world.delivery.wait_for_room()
        went_on.append(True)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        for buffer in (world.buffer, other):
            assert not went_on
            buffer.take()
            buffer.unblock_if_drained()
            await wait_all_tasks_blocked()

    assert went_on


# --- stamps


async def test_every_event_of_a_read_has_the_same_time_and_the_session() -> None:
    world = World(Toy(), capacity=3)

    before = time.time_ns()
    world.deliver([frame("A", 1), frame("C*", 2, 3, 4, 5), b'{ "stream":"B","data":{"n":6}}'])
    after = time.time_ns()

    assert {event.session for event in world.drain()} == {SESSION}
    (received_ns,) = {event.received_ns for event in world.got}
    assert before <= received_ns <= after
    assert world.delivery.received_ns == received_ns


async def test_the_time_of_the_first_data_is_kept(autojump_clock: MockClock) -> None:
    world = World(Toy())

    world.deliver([b'{"bye":"soon"}', frame("Z", 1)])
    assert world.delivery.first_data is None
    await trio.sleep(3)
    first = trio.current_time()
    world.deliver([frame("A", 1)])
    await trio.sleep(3)
    world.deliver([frame("A", 2)])

    assert world.delivery.first_data == first


# --- what goes wrong


@pytest.mark.parametrize("exchange", [Toy(), Toy(envelope=None)], ids=["fast", "parsed"])
async def test_a_frame_that_does_not_decode_is_one_error_and_one_gap_in_its_place(
    exchange: Toy,
) -> None:
    world = World(exchange)
    broken = b'{"stream":"A","data":{"n":"%s"}}' % (b"x" * 500)

    world.deliver([frame("A", 1), broken, frame("A", 2)])

    _, gap, _ = world.drain()
    assert world.ticks() == [("A", 1), ("A", 2)]
    assert isinstance(gap, Gap)
    assert (gap.reason, gap.channels) == ("decode error", (world.subscriptions[0].stream.channel,))
    (error,) = world.reader.errors
    assert (error.stream, error.raw) == ("A", broken[:RAW_EXCERPT_BYTES])
    assert world.counts()["A"].decode_errors == 1
    assert world.counts()["A"].gaps == 1
    assert world.delivery.messages == 2


async def test_a_frame_that_is_not_json_belongs_to_no_stream() -> None:
    world = World(Toy())

    world.deliver([b"{", frame("A", 1)])

    assert [error.stream for error in world.reader.errors] == [None]
    assert [event.symbol for event in world.drain()] == ["A"]


async def test_a_message_of_an_unwanted_stream_is_counted() -> None:
    world = World(Toy())

    world.deliver([frame("Z", 1), b'{"bye":"soon"}', b'{"else":1}'])

    assert world.reader.messages == [Unknown("Z"), Shutdown("soon"), Unknown("?")]
    assert world.delivery.messages == 0


async def test_a_reply_takes_effect_with_the_next_frame() -> None:
    world = World(Toy())

    world.deliver([frame("A", 1), b'{"id":1}', frame("A", 2)])

    world.drain()
    assert world.ticks() == [("A", 1)]
    assert world.reader.messages == [Reply(1), Unknown("A")]


# --- sequences


@given(st.lists(st.integers(1, 12), max_size=30), st.integers(1, 4), st.booleans())
@example(ids=[2, *[1] * 20, 3], capacity=4, in_lists=False)
async def test_duplicates_are_dropped_and_jumps_are_flagged(
    ids: list[int], capacity: int, in_lists: bool
) -> None:
    world = World(Toy(sequence=rising), capacity)
    stream = "C*" if in_lists else "A"

    world.deliver([frame(stream, *ids)] if in_lists else [frame(stream, n) for n in ids])

    expected, duplicates = in_sequence(ids)
    got = [event.n if isinstance(event, Tick) else None for event in world.drain()]
    assert got == expected
    counts = world.counts()[stream]
    assert counts.duplicates == duplicates
    assert counts.gaps == expected.count(None)


def in_sequence(ids: list[int]) -> tuple[list[int | None], int]:
    """What becomes of `ids`, None for a gap, and how many of them were taken for duplicates."""
    result: list[int | None] = []
    last = duplicates = old = 0
    for position, n in enumerate(ids):
        if not last or n == last + 1:
            result.append(n)
            last = n
        elif n > last:
            result += [None, n]
            last, old = n, 0
        else:
            duplicates += 1
            old += 1
            if old > 16:  # the exchange counts anew: from here on the ids say nothing
                return [*result, None, *ids[position:]], duplicates
    return result, duplicates


async def test_the_sequence_begins_anew_with_a_session() -> None:
    world = World(Toy(sequence=rising))
    world.deliver([frame("A", 5)])

    world.subscriptions[0].interrupted()
    world.deliver([frame("A", 2)])

    world.drain()
    assert world.ticks() == [("A", 5), ("A", 2)]


def test_msgspec_can_raise_other_errors_than_its_own() -> None:
    """Which is why `Stream.decode` and `Exchange.parse` promise `MsgspecError` and no other."""
    with pytest.raises(RecursionError):
        msgspec.json.decode(b"[" * 100_000)
