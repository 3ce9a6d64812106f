"""Raw frames out of an adapter: all of them, in order, bounded, and none when nobody asks."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from connector import ConfigError, Feed, Overflow, SlowConsumer, open_adapter
from connector.channels import OrderBook
from connector.events import Gap
from connector.exchanges.protocol import Envelope
from connector.feeds.backpressure import Full
from connector.feeds.delivery import Delivery
from connector.feeds.lossy_buffers import make_buffer
from connector.lifecycle import Connected, Connecting, Disconnected, Subscribed
from connector.link.raw_frames import FrameItem, RawFrame, Recorders, RestAnswer
from connector.testing import OrderFlow
from tests.faults.world import BOOK, BOOK_STREAM, TRADES, Pulse, open_world
from tests.feeds.test_delivery import Reader
from tests.link.test_source import A, at, script
from tests.toy import ENVELOPE, Toy, frame, keyed, subscription


def drain(feed: Feed[FrameItem]) -> list[FrameItem]:
    items = []
    while True:
        try:
            items.append(feed.receive_nowait())
        except trio.WouldBlock:
            return items


def kinds(items: list[Any]) -> list[Any]:
    """Streams of frames, classes of the rest."""
    return [each.stream if isinstance(each, RawFrame) else type(each) for each in items]


async def test_everything_of_a_session_comes_in_its_place(autojump_clock: MockClock) -> None:
    async with open_world() as world, world.adapter.subscribe(BOOK) as books:
        with world.adapter.frames() as frames:
            await trio.sleep(0.25)
            world.exchange.break_connections("reset")
            await trio.sleep(1.05)
            items = drain(frames)
        events = [books.receive_nowait() for _ in range(books.statistics().buffered)]

    raw = [each for each in items if isinstance(each, RawFrame)]
    data = [each for each in raw if each.stream == BOOK_STREAM]
    assert kinds(items)[:2] == [Connected, Subscribed]
    marks = [each for each in kinds(items) if isinstance(each, type)]
    assert marks[2:] == [Disconnected, Connecting, Connected, Subscribed]
    replies = [each for each in raw if each.stream is None]
    assert [each.session for each in replies] == [2]
    assert {each.link for each in raw} == {"binance_usdm/public"}
    assert [(each.received_ns, each.session) for each in data] == [
        (each.received_ns, each.session) for each in events[-len(data) :]
    ]
    assert all(each.payload.startswith(b'{"stream":"') for each in data)


async def test_answers_to_requests_come_between_the_frames(autojump_clock: MockClock) -> None:
    async with open_world(source=OrderFlow(symbols=("ETHUSDC",)), links=2) as world:
        with world.adapter.frames() as frames:
            async with world.adapter.subscribe(OrderBook("ETHUSDC", depth=20)) as views:
                while not (await views.receive()).synced:
                    pass
            items = drain(frames)

    (answer,) = [each for each in items if isinstance(each, RestAnswer)]
    assert answer.target == "/fapi/v1/depth?symbol=ETHUSDC&limit=500"
    assert answer.body.startswith(b'{"lastUpdateId"')


async def test_a_feed_of_frames_that_is_not_read_holds_the_connections_back(
    autojump_clock: MockClock,
) -> None:
    async with open_world(source=Pulse(every=0.01)) as world:
        async with world.adapter.subscribe(BOOK, buffer=10_000) as books:
            with world.adapter.frames(buffer=8) as frames:
                await trio.sleep(5)
                assert frames.statistics().buffered <= 8 + 2
                first = drain(frames)
                await trio.sleep(0.5)
                raw = [each for each in (*first, *drain(frames)) if isinstance(each, RawFrame)]
            # The frames that were held back came at once: none is missing, and none twice.
            await trio.sleep(0.1)
            ids = [books.receive_nowait().update_id for _ in range(20)]
    assert ids == list(range(ids[0], ids[0] + 20))
    assert len({each.payload for each in raw}) == len(raw)


async def test_dropping_frames_shows_as_a_gap(autojump_clock: MockClock) -> None:
    async with open_world(source=Pulse(every=0.01)) as world:
        async with world.adapter.subscribe(BOOK, buffer=10_000):
            with world.adapter.frames(buffer=8, overflow=Overflow.DROP_OLDEST) as frames:
                await trio.sleep(1)
                items = drain(frames)

    assert isinstance(items[0], Gap)
    assert items[0].dropped is not None and items[0].dropped > 80
    assert len(items) == 9


async def test_an_unread_feed_does_not_gather_marks_for_ever() -> None:
    recorders = Recorders(Toy())
    buffer = make_buffer(4, Overflow.BLOCK, gaps=True)
    recorders.add(buffer)

    for n in range(3_000):
        recorders.mark(RestAnswer(str(n), 0, b""))

    assert len(buffer) == 4 + 1024
    assert isinstance(buffer.next_error(), SlowConsumer)
    assert not recorders


async def test_leaving_lets_the_connections_go_on(autojump_clock: MockClock) -> None:
    async with open_world() as world, world.adapter.subscribe(BOOK, buffer=1000) as books:
        with world.adapter.frames(buffer=1):
            await trio.sleep(5)
        before = world.adapter.statistics().messages
        await trio.sleep(1)

        assert world.adapter.statistics().messages >= before + 9
        assert books.statistics().gaps == 0


async def test_links_that_come_later_are_recorded_too(autojump_clock: MockClock) -> None:
    async with open_world(links=2) as world:
        with world.adapter.frames() as frames:
            async with world.adapter.subscribe(BOOK), world.adapter.subscribe(TRADES):
                await trio.sleep(1.5)
            links = {each.link for each in drain(frames) if isinstance(each, RawFrame)}

    assert links == {"binance_usdm/public", "binance_usdm/market"}


async def test_frames_of_a_source_can_be_recorded_again() -> None:
    steps = [at(10, frame("A", 1)), at(20, frame("A", 2), frame("B", 1))]

    async with open_adapter(Toy(), source=script(steps)) as adapter:
        with adapter.frames() as frames:
            async with adapter.subscribe(A):
                items = [each async for each in frames]

    assert [
        (each.session, each.received_ns, each.payload)
        for each in items
        if isinstance(each, RawFrame)
    ] == [(1, 10, frame("A", 1)), (1, 20, frame("A", 2)), (1, 20, frame("B", 1))]


async def test_conflating_frames_makes_no_sense() -> None:
    async with open_adapter(Toy(), source=script()) as adapter:
        with pytest.raises(ConfigError, match="CONFLATE"):
            with adapter.frames(overflow=Overflow.CONFLATE):
                pass

    with pytest.raises(trio.ClosedResourceError):
        with adapter.frames():
            pass


# --- the tee


frames_of_any_kind = st.lists(
    st.sampled_from(
        [frame("A", 1), frame("B", 2), frame("C*", 1, 2, 3), b'{"id":1}', b"{", b'{"stream":"A"']
    ),
    max_size=30,
)


@given(payloads=frames_of_any_kind, capacity=st.integers(1, 5), taken_at_once=st.integers(1, 9))
def test_every_delivered_frame_is_recorded_once_and_in_order(
    payloads: list[bytes], capacity: int, taken_at_once: int
) -> None:
    async def main() -> None:
        full = Full()
        streams = keyed(*(subscription(name, full=full) for name in ("A", "B", "C*")))
        events = make_buffer(4, Overflow.BLOCK, gaps=True)
        for each in streams.values():
            each.attach(events)
        delivery = Delivery(Toy(), 3, dict(streams), full, Reader({}))
        recorders = Recorders(Toy())
        buffer = make_buffer(capacity, Overflow.BLOCK, gaps=True)
        recorders.add(buffer)
        buffer.join(full)
        sink = recorders.sink("toy/all", delivery)

        recorded: list[RawFrame] = []
        taken = 0
        while taken < len(payloads):
            taken = sink.deliver(payloads, taken)
            assert len(buffer) <= capacity
            recorded += buffer.take_all()[:taken_at_once] if len(buffer) <= taken_at_once else []
            while len(buffer):
                recorded.append(buffer.take())
            buffer.unblock_if_drained()
            events.take_all()
            events.unblock_if_drained()

        assert [each.payload for each in recorded] == payloads
        assert {each.session for each in recorded} <= {3}

    trio.run(main)


@attrs.frozen
class Bare(Toy):
    envelope: Envelope | None = None


@pytest.mark.parametrize("exchange", [Toy(), Bare()], ids=["sliced", "parsed"])
@pytest.mark.parametrize(
    ("payload", "stream"),
    [
        (frame("A", 1), "A"),
        (frame("B", 1), "B"),
        (b'{"data":1,"stream":"A"}', "A"),
        (b'{"id":1}', None),
        (b"{", None),
        (b"", None),
    ],
)
async def test_the_stream_of_a_frame_is_told_as_the_exchange_does(
    exchange: Toy, payload: bytes, stream: str | None
) -> None:
    recorders = Recorders(exchange)
    buffer = make_buffer(10, Overflow.BLOCK, gaps=True)
    recorders.add(buffer)
    sink = recorders.sink("toy/all", Delivery(exchange, 1, {}, Full(), Reader({})))

    for _ in range(2):  # the second time it is known
        sink.deliver([payload], 0)

    assert [each.stream for each in buffer.take_all()] == [stream, stream]


async def test_a_link_that_is_not_recorded_does_no_extra_work() -> None:
    recorders = Recorders(Toy())
    delivery = Delivery(Toy(), 1, {}, Full(), Reader({}))

    assert recorders.sink("toy/all", delivery) is delivery
    assert ENVELOPE is Toy().envelope
    await wait_all_tasks_blocked()
