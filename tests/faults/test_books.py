"""Rows 36, 37 and 41 of the fault table, and every way in which a snapshot can fail to come."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs
import msgspec
import pytest
import trio
from trio.testing import MockClock

from connector import ConfigError, Feed, Overflow, SubscriptionRejected
from connector.channels import BookDeltas, OrderBook, PartialBook, RawStream
from connector.events import BookDelta, BookSnapshot, BookView, Gap
from connector.lifecycle import BookCrossed, Rejected, RequestsFailing, RequestsRecovered
from connector.testing import Audience, Fault, FaultPlan, MemoryNetwork, OrderFlow, When
from connector.testing.market.sources import Player
from tests.faults.world import QUICK, open_world

BOOK = OrderBook("ETHUSDC", depth=20)
STREAM = "ethusdc@depth@100ms"
VENUES = pytest.mark.parametrize("venue", ["spot", "usdm"])


@attrs.define
class Snapshots:
    """An order flow whose snapshots do what a test wants.

    Args:
        stale: so many of them are as old as the first, which nobody got.
        whenever: is called before one is given.
    """

    flow: OrderFlow = attrs.field(factory=lambda: OrderFlow(symbols=("ETHUSDC",)))
    stale: int = 0
    whenever: Callable[[], None] = lambda: None
    refuses: bool = False
    asked: list[tuple[float, str]] = attrs.field(factory=list)
    _old: bytes | None = None

    def begin(self, audience: Audience) -> Player:
        return SnapshotsPlayer(self, self.flow.begin(audience))

    def times(self) -> list[float]:
        return [moment for moment, _ in self.asked]


@attrs.define
class SnapshotsPlayer:
    source: Snapshots
    market: Player

    @property
    def symbols(self) -> tuple[str, ...]:
        return self.market.symbols

    async def play(self) -> None:
        self.source._old = self.market.snapshot("ETHUSDC", 1000)
        await self.market.play()

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        self.source.asked.append((trio.current_time(), symbol))
        self.source.whenever()
        if self.source.refuses:
            return None
        if self.source.stale > 0:
            self.source.stale -= 1
            return self.source._old
        return self.market.snapshot(symbol, limit)


def sides(event: BookView | BookSnapshot) -> tuple[list[tuple[Any, Any]], list[tuple[Any, Any]]]:
    bids = [(level.price, level.quantity) for level in event.bids]
    return bids[:20], [(level.price, level.quantity) for level in event.asks][:20]


@attrs.define
class Witness:
    """Compares what a book shows with the exchange's own partial books of the same ids."""

    shown: dict[int, Any] = attrs.field(factory=dict)
    true: dict[int, Any] = attrs.field(factory=dict)
    events: list[BookView | Gap] = attrs.field(factory=list)
    synced: list[bool] = attrs.field(factory=list)

    async def watch(self, feed: Feed[Any], seconds: float) -> None:
        with trio.move_on_after(seconds):
            async for event in feed:
                self.see(event)

    async def watch_until_synced(self, feed: Feed[Any], session: int | None = None) -> BookView:
        async for event in feed:
            self.see(event)
            if isinstance(event, BookView) and event.synced and session in (None, event.session):
                return event
        raise AssertionError("the feed ended")

    def see(self, event: Any) -> None:
        if isinstance(event, BookSnapshot):
            self.true[event.update_id] = sides(event)
            return
        self.events.append(event)
        if isinstance(event, BookView):
            self.synced.append(event.synced)
            if event.synced:
                assert event.update_id
                self.shown[event.update_id] = sides(event)
            else:
                assert not event.bids and not event.asks
                assert event.best_bid is None and event.mid is None and event.update_id == 0

    def compare(self, at_least: int) -> None:
        """Every state that was shown and is known must be right."""
        both = self.shown.keys() & self.true.keys()
        assert len(both) >= at_least, (len(self.shown), len(self.true))
        for update_id in both:
            assert self.shown[update_id] == self.true[update_id]

    def gaps(self) -> list[str]:
        return [event.reason for event in self.events if isinstance(event, Gap)]


PARTIAL = PartialBook("ETHUSDC", levels=20, interval_ms=100)


@VENUES
async def test_a_book_is_the_exchanges_book(autojump_clock: MockClock, venue: str) -> None:
    witness = Witness()
    async with (
        open_world(venue=venue, source=OrderFlow(symbols=("ETHUSDC",)), links=2) as world,
        world.adapter.subscribe(BOOK, PARTIAL, gaps=True) as feed,
    ):
        await witness.watch(feed, 30)
        (book,) = world.adapter.statistics().books.values()

    witness.compare(at_least=250)
    assert set(witness.synced) == {True}
    assert witness.gaps() == []
    assert (book.joins, book.losses, book.state) == (1, 0, "live")


@VENUES
async def test_a_disconnect_is_one_unsynced_span(autojump_clock: MockClock, venue: str) -> None:
    witness = Witness()
    async with (
        open_world(venue=venue, source=Snapshots(), links=2, reconnect=QUICK) as world,
        world.adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        view = await witness.watch_until_synced(feed)
        await witness.watch(feed, 2)
        world.exchange.break_connections("reset")
        again = await witness.watch_until_synced(feed, session=2)
        await witness.watch(feed, 2)

        assert again is view  # a window, not a copy
        assert witness.gaps() == ["disconnected"]
        (gap,) = [event for event in witness.events if isinstance(event, Gap)]
        assert gap.channels == (BOOK,)
        assert gap.symbol == "ETHUSDC"
        assert gap.since_ns is not None
        assert witness.synced.count(False) == 1
        # Synced, then one event that is not, then synced again.
        assert [key for key, _ in itertools.groupby(witness.synced)] == [True, False, True]
        assert world.adapter.statistics().sockets_open == 1


@VENUES
async def test_a_disconnect_at_every_moment_of_the_join(
    autojump_clock: MockClock, venue: str
) -> None:
    """From the subscription to the second delta after the join; every step where it joins."""
    states: Counter[str] = Counter()
    for step in (*range(0, 60, 10), *range(60, 260, 4), *range(260, 400, 20)):
        witness = Witness()
        network = MemoryNetwork(latency_seconds=0.01)
        async with (
            open_world(
                venue=venue, source=Snapshots(), network=network, links=2, reconnect=QUICK
            ) as world,
            world.adapter.subscribe(BOOK, PARTIAL, gaps=True) as feed,
        ):
            await witness.watch(feed, step / 1000)
            (book,) = world.adapter.statistics().books.values()
            states[book.state] += 1
            world.exchange.break_connections("fin")
            await witness.watch_until_synced(feed, session=2)
            await witness.watch(feed, 0.5)

            # One of the partial book, and one of the book if it was synced.
            assert witness.gaps() in (["disconnected"], ["disconnected"] * 2)
            witness.compare(at_least=2)
            assert world.adapter.statistics().sockets_open == 1

    assert {"idle", "gap", "buffering", "live"} <= set(states)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault("http_status", When(first=2, last=5), status=503), id="503"),
        pytest.param(Fault("accept_close", When(first=2, last=5)), id="closed at accept"),
        pytest.param(Fault("accept_reset", When(first=2, last=5)), id="reset at accept"),
        pytest.param(Fault("handshake_hang", When(first=2, last=3)), id="never answers"),
        pytest.param(Fault("refuse", When(first=2, last=5)), id="refused"),
        pytest.param(
            Fault("http_status", When(first=2, last=3), status=200, body="{", partial_body=True),
            id="half a body",
        ),
        pytest.param(Fault("http_status", When(first=2, last=5), status=200, body="{}"), id="{}"),
    ],
)
async def test_a_snapshot_that_does_not_come(autojump_clock: MockClock, fault: Fault) -> None:
    witness = Witness()
    source = Snapshots()
    async with (
        open_world(source=source, faults=FaultPlan((fault,)), links=2) as world,
        world.adapter.subscribe(BOOK, PARTIAL, gaps=True) as feed,
    ):
        await witness.watch_until_synced(feed)
        await witness.watch(feed, 2)

        witness.compare(at_least=10)
        assert witness.gaps() == []
        # The stream itself was never in danger.
        assert world.reasons() == {}
        assert len(source.asked) == 1


async def test_429_is_obeyed_by_every_book(autojump_clock: MockClock) -> None:
    fault = Fault("http_status", When(first=2, last=2), status=429, retry_after=40)
    symbols = ("ETHUSDC", "BTCUSDC", "BNBUSDC")
    source = Snapshots(flow=OrderFlow(symbols=symbols))
    async with (
        open_world(source=source, faults=FaultPlan((fault,)), links=2) as world,
        world.adapter.subscribe(*(OrderBook(symbol) for symbol in symbols)) as feed,
    ):
        synced: set[str] = set()
        while len(synced) < 3:
            view = await feed.receive()
            synced.add(view.symbol)

        assert {symbol for _, symbol in source.asked} == set(symbols)
        assert min(source.times()) >= 40
        assert max(source.times()) < 45


async def test_a_snapshot_older_than_the_buffer_is_fetched_again_and_the_buffer_kept(
    autojump_clock: MockClock,
) -> None:
    source = Snapshots(stale=4)
    witness = Witness()
    buffered = []

    async with open_world(source=source, links=2) as world:
        await trio.sleep(1)

        def look() -> None:
            (book,) = world.adapter.statistics().books.values()
            buffered.append(book.buffered)

        source.whenever = look
        async with world.adapter.subscribe(BOOK, PARTIAL, gaps=True) as feed:
            await witness.watch_until_synced(feed)
            await witness.watch(feed, 1)

        witness.compare(at_least=5)
        assert len(source.asked) == 5
        assert buffered == sorted(buffered) and buffered[-1] > 20
        pauses = [later - earlier for earlier, later in itertools.pairwise(source.times())]
        assert all(pause >= 0.5 * 2**number for number, pause in enumerate(pauses))


async def test_a_snapshot_that_is_slow(autojump_clock: MockClock) -> None:
    source = Snapshots()
    witness = Witness()
    async with (
        open_world(source=source, links=2) as world,
        world.adapter.subscribe(BOOK, PARTIAL, gaps=True) as feed,
        trio.open_nursery() as nursery,
    ):

        async def resume(connection: Any) -> None:
            await trio.sleep(3)
            connection.resume()

        def stall() -> None:
            connection = world.network.connections[-1]
            connection.stall()
            nursery.start_soon(resume, connection)

        source.whenever = stall
        await witness.watch_until_synced(feed)
        source.whenever = lambda: None
        assert trio.current_time() >= 3
        await witness.watch(feed, 2)

        witness.compare(at_least=10)
        assert len(source.asked) == 1


async def test_a_disconnect_while_the_snapshot_is_on_its_way(autojump_clock: MockClock) -> None:
    source = Snapshots()
    witness = Witness()
    async with (
        open_world(source=source, links=2, reconnect=QUICK) as world,
        world.adapter.subscribe(BOOK, PARTIAL, gaps=True) as feed,
    ):

        def cut() -> None:
            source.whenever = lambda: None
            world.exchange.break_connections("reset")

        source.whenever = cut
        view = await witness.watch_until_synced(feed)
        await witness.watch(feed, 2)

        assert view.session == 2
        witness.compare(at_least=10)
        # One for the session that is gone, one for the next.
        assert len(source.asked) == 2


@pytest.mark.parametrize(
    ("kind", "reasons"),
    [
        pytest.param("duplicate_frames", set(), id="37 duplicates"),
        pytest.param("reorder", {"sequence"}, id="37 out of order"),
        pytest.param("truncated_json", {"decode error"}, id="36 a delta is lost"),
        pytest.param("fragmented", set(), id="fragmented"),
    ],
)
@VENUES
async def test_damaged_streams(
    autojump_clock: MockClock, venue: str, kind: str, reasons: set[str]
) -> None:
    witness = Witness()
    async with (
        open_world(venue=venue, source=OrderFlow(symbols=("ETHUSDC",)), links=2) as world,
        world.adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        await witness.watch_until_synced(feed)
        for _ in range(4):
            world.exchange.break_connections(Fault(kind, count=3, stream=STREAM))  # type: ignore[arg-type]
            await witness.watch(feed, 1)
        async with world.adapter.subscribe(PARTIAL) as truth:
            await witness.watch(feed, 3)
            async for batch in truth.batches():
                for event in batch:
                    witness.see(event)
                break

        assert set(witness.gaps()) == reasons
        for gap in witness.events:
            if isinstance(gap, Gap):
                assert gap.since_ns is not None
                assert gap.since_ns <= gap.received_ns
                assert gap.session == 1
        witness.compare(at_least=20)
        (book,) = world.adapter.statistics().books.values()
        assert book.losses == witness.synced.count(False) == len(witness.gaps())
        assert book.joins == book.losses + 1
        assert world.reasons() == {}


async def test_hundreds_of_books_after_a_reconnect_stay_below_the_weight(
    autojump_clock: MockClock,
) -> None:
    """Weight 10 each, and 80 % of 2,400 a minute: 192 at once, as many again a minute later."""
    count, per_minute = 200, 192
    symbols = tuple(f"C{number}USDT" for number in range(count))
    source = Snapshots(flow=OrderFlow(symbols=symbols, rate_per_second=0.5))
    spans = []
    async with (
        open_world(venue="usdm", source=source, links=2, reconnect=QUICK) as world,
        world.adapter.subscribe(
            *(OrderBook(symbol, depth=5, interval_ms=500) for symbol in symbols),
            overflow=Overflow.CONFLATE,
            gaps=True,
        ) as feed,
    ):
        for session in (1, 2):
            synced: set[str] = set()
            while len(synced) < count:
                event = await feed.receive()
                if isinstance(event, BookView) and event.session == session and event.synced:
                    synced.add(event.symbol)
            spans.append(source.asked[(session - 1) * count :])
            world.exchange.break_connections("reset")

    # In line: nobody twice before everybody once, and no request was in vain (429 would be).
    for span in spans:
        assert sorted(symbol for _, symbol in span[:count]) == sorted(symbols)
    times = source.times()
    assert len(times) == 2 * count
    for earlier, later in zip(times, times[per_minute:], strict=False):
        assert later - earlier >= 60
    # No hammering, and no dawdling either: at once as long as there is weight, and when there is
    # again, within the second over which everybody at the address is spread.
    for number in range(per_minute, count):
        assert times[number] - times[number - per_minute] < 63
    assert 120 <= times[-1] - times[0] < 130


async def test_leaving_while_a_snapshot_is_on_its_way(autojump_clock: MockClock) -> None:
    for moment in range(100, 135):
        source = Snapshots()
        with trio.move_on_after(moment / 1000):
            async with (
                open_world(source=source, links=2) as world,
                world.adapter.subscribe(BOOK) as feed,
            ):
                async for _ in feed:
                    pass


async def test_the_snapshot_of_an_unsubscribed_book_is_not_requested(
    autojump_clock: MockClock,
) -> None:
    source = Snapshots()
    async with open_world(source=source, links=2) as world:
        with trio.move_on_after(0.08):
            async with world.adapter.subscribe(BOOK) as feed:
                await feed.receive()
        await trio.sleep(5)

        assert len(source.asked) <= 1
        statistics = world.adapter.statistics()
        assert statistics.books == {} and statistics.streams == {}
        async with world.adapter.subscribe(BOOK) as feed:
            assert (await feed.receive()).synced


async def test_a_feed_gets_the_error_of_a_symbol_without_a_snapshot(
    autojump_clock: MockClock,
) -> None:
    source = Snapshots(refuses=True)
    async with (
        open_world(source=source, links=2) as world,
        world.adapter.subscribe(BOOK) as feed,
    ):
        with pytest.raises(SubscriptionRejected, match="Invalid symbol") as caught:
            await feed.receive()

        assert caught.value.channel == BOOK
        assert caught.value.code == -1121
        assert len(source.asked) == 5
        with trio.move_on_after(60):
            await feed.receive()
        assert len(source.asked) == 5

        # Told where others look, and it may be asked for again.
        (rejected,) = [each for each in world.happened() if isinstance(each, Rejected)]
        assert rejected.error.channel == BOOK
        assert rejected.link == "binance_usdm/public"
        assert world.adapter.statistics().books == {}
        assert feed.channels == ()
        source.refuses = False
        await feed.add(BOOK)
        assert (await feed.receive()).synced


async def test_a_book_whose_snapshots_are_refused_by_a_firewall_for_a_while_comes(
    autojump_clock: MockClock,
) -> None:
    fault = Fault("http_status", When(first=2, last=20), status=403, body="<html>no</html>")
    async with (
        open_world(source=Snapshots(), faults=FaultPlan((fault,)), links=2) as world,
        world.adapter.subscribe(BOOK) as feed,
    ):
        await trio.sleep(1)
        now = world.adapter.statistics()
        assert now.books_unsynced == (f"book of {STREAM}, 20 levels",)
        (book,) = now.books.values()
        assert 0.5 < book.unsynced_seconds <= 1.1
        assert "HTTP status 403" in book.cause
        assert now.rest is not None
        assert now.rest.failing == book.cause

        assert (await feed.receive()).synced
        now = world.adapter.statistics()
        assert now.books_unsynced == ()
        told = [e for e in world.happened() if isinstance(e, RequestsFailing | RequestsRecovered)]
        assert [type(event) for event in told] == [RequestsFailing, RequestsRecovered]
        assert world.reasons() == {}


async def test_a_symbol_that_the_stream_refuses(autojump_clock: MockClock) -> None:
    plan = FaultPlan((Fault("reject_subscription", stream=STREAM, code=2, message="no"),))
    async with open_world(source=Snapshots(), faults=plan, links=2) as world:
        with pytest.raises(SubscriptionRejected):
            async with world.adapter.subscribe(BOOK):
                raise AssertionError("unreachable")
        assert world.adapter.statistics().books == {}


@attrs.frozen
class Phantom:
    """Books of spot whose first snapshots hold a bid above the asks, which no delta removes."""

    wrong: int
    asked: list[float] = attrs.field(factory=list)

    def begin(self, audience: Audience) -> PhantomPlayer:
        return PhantomPlayer(self, audience)


@attrs.define
class PhantomPlayer:
    source: Phantom
    audience: Audience
    last: int = 1000
    symbols: tuple[str, ...] = ("ETHUSDC",)

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        self.source.asked.append(trio.current_time())
        bids = [["3001", "1"]] if len(self.source.asked) <= self.source.wrong else []
        return msgspec.json.encode(
            {"lastUpdateId": self.last, "bids": [*bids, ["2999", "1"]], "asks": [["3000", "1"]]}
        )

    async def play(self) -> None:
        while True:
            await trio.sleep(0.1)
            self.last += 1
            payload = {
                "e": "depthUpdate", "E": self.audience.now_ms(), "s": "ETHUSDC",
                "U": self.last, "u": self.last, "b": [["2998", "1"]], "a": [],
            }  # fmt: skip
            self.audience.publish(STREAM, payload)


@pytest.mark.parametrize("wrong", [1, 3])
async def test_a_book_that_stays_crossed_is_fetched_again_and_reported(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, wrong: int
) -> None:
    # Receipt is stamped by the wall clock; here it is that of the test.
    monkeypatch.setattr(time, "time_ns", lambda: round((1e9 + trio.current_time()) * 1e9))
    witness = Witness()
    source = Phantom(wrong)
    async with (
        open_world(venue="spot", source=source, links=2) as world,
        world.adapter.subscribe(OrderBook("ETHUSDC", depth=20), gaps=True) as feed,
    ):
        await witness.watch(feed, 60)
        (book,) = world.adapter.statistics().books.values()

        assert witness.gaps() == ["crossed"] * wrong
        assert (book.losses, book.synced) == (wrong, True)
        told = [each for each in world.happened() if isinstance(each, BookCrossed)]
        assert [event.channel for event in told] == [OrderBook("ETHUSDC", depth=20)] * wrong
        assert all(event.crossed_seconds >= 5 for event in told)
        # Ever more rarely, and no more when it is right.
        assert len(source.asked) == wrong + 1
        waits = [later - earlier for earlier, later in itertools.pairwise(source.asked)]
        assert all(wait >= least for wait, least in zip(waits, [5, 10, 20], strict=False))
        view = [event for event in witness.events if isinstance(event, BookView)][-1]
        assert view.best_bid is not None
        assert view.best_bid.price == 2999


async def test_books_share_the_wire_with_deltas_and_each_other(autojump_clock: MockClock) -> None:
    source = Snapshots()
    deltas = BookDeltas("ETHUSDC", interval_ms=100)
    async with (
        open_world(source=source, links=2) as world,
        world.adapter.subscribe(deltas) as raw,
        world.adapter.subscribe(BOOK) as one,
    ):
        view = await one.receive()
        async with world.adapter.subscribe(OrderBook("ethusdc", depth=20)) as two:
            # It is synced already: no waiting, no second snapshot.
            assert await two.receive() is view
        async with world.adapter.subscribe(OrderBook("ETHUSDC")) as whole:
            everything = await whole.receive()
            assert len(everything.bids) > 20 == len(view.bids)
            assert everything.best_bid == view.best_bid
        assert isinstance(await raw.receive(), BookDelta)
        assert len(source.asked) == 2
        (connection,) = world.exchange.connections
        assert connection.subscriptions == (STREAM,)
        with pytest.raises(ConfigError, match="are the same stream, which is decoded once"):
            async with world.adapter.subscribe(RawStream(STREAM)):
                raise AssertionError("unreachable")

        await one.discard(BOOK)
        assert list(world.adapter.statistics().books) == []
        assert list(world.adapter.statistics().streams) == [STREAM]


async def test_a_consumer_who_wants_only_synced_states(autojump_clock: MockClock) -> None:
    source = Snapshots()
    book = OrderBook("ETHUSDC", synced_only=True)
    async with (
        open_world(source=source, links=2, reconnect=QUICK) as world,
        world.adapter.subscribe(book) as feed,
    ):
        await feed.receive()
        await trio.sleep(1)
        for _ in range(5):
            world.exchange.break_connections("reset")
            await trio.sleep(0.01)
            with trio.move_on_after(1.5):
                async for view in feed:
                    assert view.synced


@pytest.mark.parametrize("overflow", Overflow)
async def test_a_slow_consumer_sees_the_newest_book(
    autojump_clock: MockClock, overflow: Overflow
) -> None:
    witness = Witness()
    async with (
        open_world(source=Snapshots(), links=2) as world,
        world.adapter.subscribe(BOOK, overflow=overflow, gaps=True) as feed,
        world.adapter.subscribe(PARTIAL) as truth,
    ):
        with trio.move_on_after(20):
            async for event in feed:
                assert isinstance(event, BookView)
                witness.see(event)
                await trio.sleep(1)
        async for batch in truth.batches():
            for each in batch:
                witness.see(each)
            break
        waiting = feed.statistics().buffered

    witness.compare(at_least=15)
    assert len(witness.shown) >= 18
    # Twenty books a second too many: they wait, or one waits for all of them.
    assert waiting <= (1 if overflow is Overflow.CONFLATE else 200)
    assert witness.gaps() == []


async def test_lockstep_shows_every_delta(autojump_clock: MockClock) -> None:
    seen: list[int] = []
    ids: list[int] = []
    async with open_world(source=Snapshots(), links=2) as world:
        async with (
            world.adapter.subscribe(BOOK, buffer=1) as feed,
            world.adapter.subscribe(BookDeltas("ETHUSDC", interval_ms=100)) as deltas,
        ):
            await feed.receive()
            connection = world.network.connections[0]
            for _ in range(5):
                # What was held back arrives at once.
                connection.stall()
                await trio.sleep(0.95)
                connection.resume()
                with trio.move_on_after(0.5):
                    while True:
                        seen.append((await feed.receive()).update_id)
            async for batch in deltas.batches():
                ids = [delta.last_update_id for delta in batch]
                break

    position = ids.index(seen[0])
    assert seen == ids[position : position + len(seen)]
    assert len(seen) > 60


async def test_instruments(autojump_clock: MockClock) -> None:
    symbols = ("ETHUSDC", "BTCUSDT")
    async with open_world(source=OrderFlow(symbols=symbols), links=2) as world:
        known = await world.adapter.instruments()

        assert [each.symbol for each in known] == list(symbols)
        assert {each.kind for each in known} == {"perpetual"}
        assert world.adapter.statistics().sockets_open == 0
        adapter = world.adapter
    with pytest.raises(trio.ClosedResourceError):
        await adapter.instruments()
