"""What was recorded is played: the same events, gaps and sessions, at any speed, every time."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from connector import ConfigError, Overflow, SubscriptionRejected, open_adapter
from connector.channels import BookDeltas, Channel, OrderBook, PartialBook, Trades
from connector.events import BookView, Gap
from connector.exchanges import binance
from connector.lifecycle import Connected, Connecting, Disconnected, LinkEvent
from connector.link.raw_frames import RawFrame
from connector.recording import (
    Answer,
    End,
    Hole,
    Mark,
    Start,
    Subject,
    Writer,
    files_of,
    read_frames,
    replay,
)
from connector.recording.playhead import serves
from connector.recording.writer import Presence
from connector.testing import FaultKind, OrderFlow
from tests.faults.world import open_world
from tests.link.test_source import seen
from tests.recording.parts import LINK, drain, plain, raw, write
from tests.toy import ENVELOPE, Ticks, Toy, rising

BOOK = PartialBook("ETHUSDC", levels=5, interval_ms=100)
CHANNELS: tuple[Channel[Any], ...] = (BOOK, Trades("ETHUSDC"), BookDeltas("ETHUSDC"))
STREAMS = ("ethusdc@depth5@100ms", "ethusdc@trade", "ethusdc@depth@100ms")
BREAKS: tuple[FaultKind, ...] = ("reset", "close", "fin", "half_open", "mute", "server_shutdown")
ROUTES = dict(zip(STREAMS, ("public", "market", "public"), strict=True))
SUBJECT = Subject("binance_usdm", ("partial_book:ETHUSDC",), STREAMS, ROUTES)


async def record(
    folder: Path,
    *channels: Channel[Any],
    breaks: tuple[tuple[float, FaultKind], ...] = (),
    seconds: float = 5.0,
    rotate_after: float = math.inf,
    links: int = 2,
) -> tuple[list[Any], list[Any]]:
    """Record a simulated exchange; what a feed yielded and what happened meanwhile."""
    async with open_world(links=links, source=OrderFlow(symbols=("ETHUSDC",))) as world:
        happened = world.adapter.lifecycle()
        presence = Presence()
        writer = _writer(folder, presence, 1)
        seen: list[Any] = []
        with world.adapter.frames() as frames:
            async with (
                world.adapter.subscribe(*channels, buffer=100_000, gaps=True) as feed,
                trio.open_nursery() as nursery,
            ):

                async def look() -> None:
                    async for event in feed:
                        seen.append(plain(event))

                async def disturb() -> None:
                    for after, kind in breaks:
                        await trio.sleep(after)
                        world.exchange.break_connections(kind)

                async def rotate() -> None:
                    nonlocal writer
                    await trio.sleep(rotate_after)
                    writer.add(drain(frames))
                    writer.end("rotated", 1)
                    writer = _writer(folder, presence, 2)

                nursery.start_soon(look)
                nursery.start_soon(disturb)
                nursery.start_soon(rotate)
                await trio.sleep(seconds)
                nursery.cancel_scope.cancel()
                # In one step: what the feed has had and what was recorded ends at one place.
                writer.add(drain(frames))
                seen += map(plain, drain(feed))
        writer.end("stopped", 1)
        return seen, drain(happened)


def _writer(folder: Path, presence: Presence, number: int) -> Writer:
    file = (folder / f"{number}.rec.zst").open("xb", buffering=0)
    return Writer(file, SUBJECT, presence, number=number, started_ns=1)


async def play(
    folder: Path, *channels: Channel[Any], speed: float = math.inf
) -> tuple[list[Any], list[Any]]:
    async with open_adapter(replay(binance.UsdMFutures(), folder, speed=speed)) as adapter:
        happened = adapter.lifecycle()
        async with adapter.subscribe(*channels, gaps=True) as feed:
            return [plain(event) async for event in feed], drain(happened)


def told(events: list[Any]) -> list[Any]:
    """The events, and what was lost between: gaps that wait together may have become one."""
    result: list[Any] = []
    for event in events:
        if event[0] != "gap":
            result.append(event)
            continue
        lost = {(channel, event[6]) for channel in event[5]}
        if result and isinstance(result[-1], set):
            result[-1] |= lost
        else:
            result.append(lost)
    return result


def sessions(happened: list[Any]) -> list[Any]:
    """What opened and ended, with its reasons; how long it took to be acknowledged is left out."""
    return [
        (type(each), each.link, each.session, getattr(each, "reason", None), each.time_ns)
        for each in happened
        if isinstance(each, Connecting | Connected | Disconnected)
        and getattr(each, "reason", None) != "ended"
    ]


@settings(max_examples=12)
@given(
    breaks=st.lists(st.tuples(st.floats(0.3, 3), st.sampled_from(BREAKS)), max_size=3).map(tuple),
    rotate_after=st.sampled_from([math.inf, 1.0, 4.0]),
    speed=st.sampled_from([math.inf, 1.0, 7.5]),
)
@example(breaks=((0.3125, "half_open"),), rotate_after=math.inf, speed=math.inf)  # before a trade
def test_a_replay_gives_the_events_that_were_recorded(
    tmp_path_factory: pytest.TempPathFactory,
    breaks: tuple[tuple[float, FaultKind], ...],
    rotate_after: float,
    speed: float,
) -> None:
    folder = tmp_path_factory.mktemp("r")

    async def main() -> tuple[Any, ...]:
        live, happened = await record(
            folder, *CHANNELS, breaks=breaks, seconds=14.0, rotate_after=rotate_after
        )
        again, replayed = await play(folder, *CHANNELS, speed=speed)
        return live, again, happened, replayed

    live, again, happened, replayed = trio.run(main, clock=MockClock(autojump_threshold=0))

    assert len(live) > 5  # however soon it is mute
    assert told(again) == told(live)
    assert (
        sessions(replayed)
        == [each for each in sessions(happened) if each[3] != "left"][: len(sessions(replayed))]
    )


async def test_a_local_book_is_kept_from_recorded_snapshots(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    book = OrderBook("ETHUSDC", depth=20)
    breaks: tuple[tuple[float, FaultKind], ...] = ((3.0, "reset"), (3.0, "reset"))
    live, _ = await record(tmp_path, book, breaks=breaks, seconds=10.0)

    assert [each[0] for each in live].count("gap") == 2
    for speed in (1, 20, math.inf, math.inf):
        again, _ = await play(tmp_path, book, speed=speed)
        assert told(again) == told(live)


async def watched(
    folder: Path, speed: float, *, pause: int, buffer: int = 1024
) -> tuple[list[Any], list[Any]]:
    """What a consumer sees of a book that is a little slow, and one that holds a view."""
    book, seen, held = OrderBook("ETHUSDC", depth=20), [], []
    exchange = replay(binance.UsdMFutures(), folder, speed=speed)
    async with (
        open_adapter(exchange) as adapter,
        adapter.subscribe(book, Trades("ETHUSDC"), gaps=True) as both,
        adapter.subscribe(book, gaps=True, buffer=buffer) as books,
        trio.open_nursery() as nursery,
    ):

        async def hold() -> None:
            view = None
            async for event in both:
                if isinstance(event, BookView):
                    view = event
                elif not isinstance(event, Gap):
                    held.append((event.trade_id, None if view is None else plain(view)))

        nursery.start_soon(hold)
        async for event in books:
            seen.append(plain(event))
            for _ in range(pause):
                await trio.lowlevel.checkpoint()
    return seen, held


@settings(max_examples=5, phases=[Phase.explicit, Phase.generate])
@given(
    breaks=st.lists(st.tuples(st.floats(0.3, 3), st.sampled_from(BREAKS)), max_size=2).map(tuple),
    pause=st.sampled_from([0, 1, 7, 200]),
)
def test_local_books_are_the_same_at_every_speed_and_every_time(
    tmp_path_factory: pytest.TempPathFactory,
    breaks: tuple[tuple[float, FaultKind], ...],
    pause: int,
) -> None:
    folder = tmp_path_factory.mktemp("r")
    book = OrderBook("ETHUSDC", depth=20)

    async def main() -> list[Any]:
        channels = (book, Trades("ETHUSDC"))
        await record(folder, *channels, breaks=breaks, seconds=5.0, links=3)  # and REST
        speeds = (1.0, 9.0, math.inf, math.inf)
        return [await watched(folder, speed, pause=pause) for speed in speeds]

    first, *others = trio.run(main, clock=MockClock(autojump_threshold=0))

    assert len(first[0]) > 3
    assert len(first[1]) > 3
    for again in others:
        assert [told(again[0]), again[1]] == [told(first[0]), first[1]]


async def test_a_book_without_another_snapshot_is_no_error_at_the_end(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    book = OrderBook("ETHUSDC", depth=20)
    await record(tmp_path, book, breaks=((3.0, "reset"),), seconds=6.0)
    items = [item for path in files_of(tmp_path) for item in read_frames(path)]
    _, *others = [item for item in items if isinstance(item, Answer)]
    kept = [each for each in items if each not in others and not isinstance(each, Start | End)]
    subject = Subject("binance_usdm", ("order_book:ETHUSDC,depth=20",), STREAMS[2:])
    (tmp_path / "cut").mkdir()
    write(tmp_path / "cut" / "a.rec.zst", kept, subject=subject)

    seen, _ = await play(tmp_path / "cut", book, speed=1)

    assert others
    assert [each[0] for each in seen].count("gap") == 1
    views = [each for each in seen if each[0] == "view"]
    assert views[0][2] and not views[-1][2]


def test_what_brought_nothing_is_on_the_route_that_was_to_bring_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.rec.zst", [*opened()], subject=SUBJECT)

    exchange = replay(binance.UsdMFutures(), path)

    assert binance.UsdMFutures().stream(Trades("ETHUSDC")).route == "public"
    assert exchange.stream(Trades("ETHUSDC")).route == "market"
    assert exchange.stream(Trades("BTCUSDC")).route == "public"


async def test_scaled_time_passes_as_it_was_recorded(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    frames = [raw(n, ns=n * 1_000_000_000) for n in range(1, 6)]
    path = write(tmp_path / "a.rec.zst", [*opened(), *frames])

    async with open_adapter(replay(Toy(), path, speed=2)) as adapter:
        async with adapter.subscribe(Ticks("A")) as feed:
            came = [trio.current_time() async for _ in feed]

    assert [moment - came[0] for moment in came] == pytest.approx([0, 0.5, 1.0, 1.5, 2.0])


def opened(session: int = 1, ns: int = 1, link: str = LINK) -> list[Any]:
    return [
        Mark("Connecting", link, session, ns),
        Mark("Connected", link, session, ns),
        Mark("Subscribed", link, session, ns),
    ]


async def played(path: Path, *channels: Ticks, **options: Any) -> list[Any]:
    async with open_adapter(replay(Toy(sequence=rising), path, speed=math.inf)) as adapter:
        async with adapter.subscribe(*channels, gaps=True, **options) as feed:
            return [event async for event in feed]


async def test_sessions_that_failed_are_failed_again(tmp_path: Path) -> None:
    closed = {"reason": "reset", "detail": "d", "connected": True, "retry_seconds": 2.0}
    failed = {"reason": "unavailable", "detail": "no route", "connected": False}
    items = [
        *opened(4, 10), raw(1, session=4, ns=11), Mark("Disconnected", LINK, 4, 12, closed),
        Mark("Connecting", LINK, 5, 13), Mark("Disconnected", LINK, 5, 14, failed),
        *opened(6, 15), raw(7, session=6, ns=16),
    ]  # fmt: skip
    path = write(tmp_path / "a.rec.zst", items)

    async with open_adapter(replay(Toy(), path, speed=math.inf)) as adapter:
        happened = adapter.lifecycle()
        async with adapter.subscribe(Ticks("A"), gaps=True) as feed:
            events = [event async for event in feed]
        told = [each for each in drain(happened) if isinstance(each, LinkEvent)]

    assert seen(events) == [1, "disconnected", 7]
    assert [each.received_ns for each in events] == [11, 12, 16]
    assert [each.session for each in events] == [4, 4, 6]
    ends = [each for each in told if isinstance(each, Disconnected)]
    assert [(each.reason, each.detail, each.retry_seconds) for each in ends[:2]] == [
        ("reset", "d", 2.0), ("unavailable", "no route", 0.0),
    ]  # fmt: skip


async def test_a_recording_that_begins_in_the_middle_is_played_from_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.rec.zst", [raw(5, session=3), raw(6, session=3)])

    events = await played(path, Ticks("A"))

    assert [(each.n, each.session) for each in events] == [(5, 3), (6, 3)]


async def test_streams_that_nobody_wants_cost_nothing_and_are_not_unknown(tmp_path: Path) -> None:
    path = write(tmp_path / "a.rec.zst", [*opened(), raw(1), raw(1, stream="B"), raw(2)])

    async with open_adapter(replay(Toy(), path, speed=math.inf)) as adapter:
        async with adapter.subscribe(Ticks("A")) as feed:
            assert [each.n async for each in feed] == [1, 2]
        assert adapter.statistics().unknown_messages == 0


async def test_a_reply_of_the_recording_answers_nothing_of_ours(tmp_path: Path) -> None:
    path = write(tmp_path / "a.rec.zst", [*opened()[:2], raw(1, stream=None), raw(1), raw(2)])

    assert seen(await played(path, Ticks("A"))) == [1, 2]


async def test_what_the_recorder_dropped_is_a_gap(tmp_path: Path) -> None:
    path = write(tmp_path / "a.rec.zst", [*opened(), raw(1), Hole(5, 17), raw(2)])

    assert seen(await played(path, Ticks("A"))) == [1, "overflow", 2]


async def test_a_stream_that_was_not_recorded_is_rejected(tmp_path: Path) -> None:
    path = write(tmp_path / "a.rec.zst", [*opened(), raw(1)])

    with pytest.raises(SubscriptionRejected, match="the recording does not have C"):
        await played(path, Ticks("C"))


async def test_a_slow_consumer_misses_nothing_at_any_speed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.rec.zst", [*opened(), *(raw(n) for n in range(1, 501))])

    events = await played(path, Ticks("A"), buffer=3, overflow=Overflow.BLOCK)

    assert seen(events) == list(range(1, 501))


async def test_leaving_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.rec.zst", [*opened(), *(raw(n) for n in range(1, 501))])

    async with open_adapter(replay(Toy(), path, speed=math.inf)) as adapter:
        async with adapter.subscribe(Ticks("A"), buffer=3) as feed:
            assert (await feed.receive()).n == 1
            adapter.reconnect()
            assert (await feed.receive()).n == 2
    assert adapter.statistics().tasks == 0


async def test_asking_again_in_the_middle_of_a_session_goes_on_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.rec.zst", [*opened(), *(raw(n) for n in range(1, 101))])

    async with open_adapter(replay(Toy(), path, speed=math.inf)) as adapter:
        async with adapter.subscribe(Ticks("A"), buffer=3, gaps=True) as feed:
            first = await feed.receive()
            adapter.reconnect()
            rest = [event async for event in feed]

    events = [each for each in (first, *rest) if not isinstance(each, Gap)]
    assert [each.n for each in events] == list(range(1, 101))
    assert len(rest) == 100


async def test_a_recording_of_another_exchange_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.rec.zst", [raw(1)])

    with pytest.raises(ConfigError, match="a recording of toy, not of binance_spot"):
        async with open_adapter(replay(binance.Spot(), path)):
            pass


@pytest.mark.parametrize("speed", [0, -1, math.nan])
def test_a_speed_that_is_none_is_refused(tmp_path: Path, speed: float) -> None:
    path = write(tmp_path / "a.rec.zst", [])

    with pytest.raises(ConfigError, match="above 0"):
        replay(Toy(), path, speed=speed)


@pytest.mark.parametrize(
    ("recorded", "asked", "answers"),
    [
        ("/depth?symbol=A&limit=1000", "/depth?symbol=A&limit=1000", True),
        ("/depth?symbol=A&limit=1000", "/depth?limit=500&symbol=A", True),
        ("/depth?symbol=A&limit=100", "/depth?symbol=A&limit=500", False),
        ("/depth?symbol=B&limit=1000", "/depth?symbol=A&limit=500", False),
        ("/v1/depth?symbol=A&limit=1000", "/v3/depth?symbol=A&limit=500", False),
        ("/info", "/info", True),
        ("/info", "/depth?limit=1", False),
    ],
)
def test_an_answer_serves_who_wants_no_more_than_it_has(
    recorded: str, asked: str, answers: bool
) -> None:
    assert serves(recorded, asked) is answers


def _numbered(frame: bytes) -> int | None:
    return int(frame.rpartition(b'"seq":')[2].rstrip(b"}")) if b'"seq":' in frame else None


async def test_numbers_of_a_connection_are_counted_before_streams_are_left_out(
    tmp_path: Path,
) -> None:
    """Messages of streams that nobody plays have numbers, too; a hole between them is a loss."""

    def tick(stream: str, n: int, seq: int) -> RawFrame:
        payload = f'{{"stream":"{stream}","data":{{"n":{n},"symbol":"{stream}","seq":{seq}}}}}'
        return RawFrame(LINK, 1, 11 + seq, stream, payload.encode())

    counted = [("A", 1, 0), ("B", 1, 1), ("A", 2, 2), ("B", 2, 4), ("A", 3, 5), ("A", 3, 5)]
    path = write(tmp_path / "a.rec.zst", [*opened(1, 10), *(tick(*each) for each in counted)])
    exchange = Toy(envelope=attrs.evolve(ENVELOPE, number=_numbered))
    async with open_adapter(replay(exchange, path, speed=math.inf)) as adapter:
        async with adapter.subscribe(Ticks("A"), gaps=True) as feed:
            came: list[Any] = [event async for event in feed]

    got = [each.reason if isinstance(each, Gap) else each.n for each in came]
    assert got == [1, 2, "sequence", 3]
