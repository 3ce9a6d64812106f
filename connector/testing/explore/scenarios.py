"""The scenarios that this package's own adapter is explored in, by name.

Each is what a user's program does: open an adapter, subscribe, read, leave. What the plan adds is
not their business, but they go on until there was data after it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from types import MappingProxyType
from typing import Any, cast

import attrs
import trio

from connector import Adapter, Feed, Overflow, Reconnect, merge, open_adapter
from connector.channels import BestQuote, Channel, OrderBook, PartialBook, Trades
from connector.errors import SlowConsumer, SubscriptionRejected
from connector.events import BookView, Gap
from connector.exchanges import binance
from connector.exchanges.protocol import E, Exchange, Limits, Stream
from connector.merging.merge import MergedFeed
from connector.testing.explore.numbered import Reader
from connector.testing.explore.numbered_book import NumberedBook, is_right
from connector.testing.explore.scenario import Program, Scenario
from connector.testing.explore.stage import Stage
from connector.testing.faults.faults import Fault, When

RECONNECT = Reconnect(initial=0.25, cap=4.0, stable_after=5.0)
STALE_SECONDS = 3.0
BOOK = PartialBook("ETHUSDC", levels=5, interval_ms=100)
QUOTES = BestQuote("ETHUSDC")
TRADES = Trades("ETHUSDC")
BOOK_STREAM, QUOTE_STREAM = "ethusdc@depth5@100ms", "ethusdc@bookTicker"
_SETTLE_SECONDS = 60.0
_NOTICE_SECONDS = 2.5
"""The closing handshake may take 2; the limit to silence is 3."""

_Describe = Callable[[binance.Endpoints], Exchange]


def _usdm(endpoints: binance.Endpoints) -> Exchange:
    return binance.UsdMFutures(endpoints=endpoints)


def _spot(endpoints: binance.Endpoints) -> Exchange:
    return binance.Spot(endpoints=endpoints)


@attrs.frozen
class _OneStreamPerConnection:
    """USD-M futures with so low a limit that two streams of a route need two connections."""

    exchange: Exchange

    @property
    def limits(self) -> Limits:
        return attrs.evolve(self.exchange.limits, streams_per_connection=1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.exchange, name)


def _narrow(endpoints: binance.Endpoints) -> Exchange:
    return cast("Exchange", _OneStreamPerConnection(_usdm(endpoints)))


@attrs.frozen
class _ThreeRoutes:
    """USD-M futures with quotes on a route of their own: the path without a route.

    Binance still serves there what belongs to ``/public``. Source: binance_usdm §2.
    """

    exchange: Exchange

    def stream(self, channel: Channel[E]) -> Stream[E]:
        stream = self.exchange.stream(channel)
        return attrs.evolve(stream, route="") if channel == QUOTES else stream

    def url(self, route: str) -> str:
        if route:
            return self.exchange.url(route)
        path, _, rest = self.exchange.url("public").rpartition("/public")
        return path + rest

    def __getattr__(self, name: str) -> Any:
        return getattr(self.exchange, name)


def _three_routes(endpoints: binance.Endpoints) -> Exchange:
    return cast("Exchange", _ThreeRoutes(_usdm(endpoints)))


@asynccontextmanager
async def adapter_on(stage: Stage, describe: _Describe = _usdm) -> AsyncIterator[Adapter]:
    """An adapter on the stage, and within it the scope that the fault ``leave`` cancels."""
    async with _open_adapter(stage, describe) as adapter:
        with stage.body:
            yield adapter
        stage.leaving()


def _open_adapter(
    stage: Stage, describe: _Describe = _usdm
) -> AbstractAsyncContextManager[Adapter]:
    return open_adapter(
        describe(stage.exchange.endpoints),
        reconnect=RECONNECT,
        stale_after=STALE_SECONDS,
        dialer=stage.network,
    )


async def read(
    stage: Stage, feed: Feed[Any] | MergedFeed[Any], reader: Reader, events: int = 2
) -> None:
    """Read so many events, and on until there was data after the last fault."""
    target = reader.events + events
    while reader.events < target or not stage.settled:
        reader.saw(await feed.receive())
        stage.turn()


async def converge(stage: Stage, *streams: str) -> None:
    """Wait until the exchange's newest connection has exactly these subscriptions."""
    with trio.move_on_after(_SETTLE_SECONDS):
        while True:
            stage.turn()
            live = stage.exchange.connections
            if live and set(live[-1].subscriptions) == set(streams):
                return
            await trio.sleep(0.25)
    stage.find("I10", f"the exchange never had exactly {', '.join(streams)} subscribed")


# --- the programs


async def connect(stage: Stage) -> None:
    """Connect, without a subscription, and leave."""
    async with adapter_on(stage) as adapter:
        await adapter.wait_connected()
        stage.turn()


async def stream(stage: Stage, describe: _Describe = _usdm, events: int = 2) -> None:
    """Subscribe and read."""
    async with (
        adapter_on(stage, describe) as adapter,
        adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        await read(stage, feed, stage.reader(gaps=True), events)


async def merged(stage: Stage) -> None:
    """Two adapters, one consumer: what one of them loses, the other brings."""
    async with (
        _open_adapter(stage) as twin,
        adapter_on(stage) as adapter,
        twin.subscribe(TRADES, gaps=True) as copy,
        adapter.subscribe(TRADES, gaps=True) as feed,
    ):
        await read(stage, merge(feed, copy), stage.reader(gaps=True, merged=True), events=4)


async def slow(stage: Stage, overflow: Overflow) -> None:
    """Two feeds of one connection; the consumer of one is slower than the exchange."""

    async def consume_slowly(feed: Feed[Any]) -> None:
        reader = stage.reader(gaps=True)
        try:
            while True:
                await trio.sleep(1.25)
                reader.saw(await feed.receive())
        except SlowConsumer:
            return

    async with (
        adapter_on(stage) as adapter,
        adapter.subscribe(QUOTES, buffer=1, overflow=overflow, gaps=True) as slow_feed,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(consume_slowly, slow_feed)
        async with adapter.subscribe(BOOK, buffer=4, gaps=True) as feed:
            await read(stage, feed, stage.reader(gaps=True), events=6)
        nursery.cancel_scope.cancel()


async def unread(stage: Stage) -> None:
    """Subscribe to a second feed while nobody reads the first, which is full."""
    async with (
        adapter_on(stage) as adapter,
        adapter.subscribe(QUOTES, buffer=1, gaps=True),
        adapter.subscribe(BOOK, buffer=1, gaps=True),
    ):
        stage.turn()


async def bounded(stage: Stage, overflow: Overflow) -> None:
    """A consumer that stalls; what waits for it then is no more than it asked for."""
    capacity = 4
    async with (
        adapter_on(stage) as adapter,
        adapter.subscribe(BOOK, buffer=capacity, overflow=overflow) as feed,
    ):
        reader = stage.reader(gaps=False)
        await read(stage, feed, reader, events=1)
        await trio.sleep(6.0)
        before = reader.events
        with suppress(trio.WouldBlock, SlowConsumer):
            while True:  # noqa: ASYNC913  # ends when nothing waits
                reader.saw(feed.receive_nowait())
        if reader.events - before > capacity:
            waiting = reader.events - before
            stage.find("I9", f"{waiting} events waited in a buffer of {capacity}")
        with suppress(SlowConsumer):
            await read(stage, feed, reader, events=1)


async def resubscribe(stage: Stage) -> None:
    """Add and take away channels while the link reconnects."""
    async with adapter_on(stage) as adapter, adapter.subscribe(BOOK, gaps=True) as feed:
        reader = stage.reader(gaps=True)
        await read(stage, feed, reader, events=1)
        stage.exchange.break_connections("reset")
        await feed.add(QUOTES)
        stage.turn()
        stage.exchange.break_connections("close")
        await feed.discard(BOOK)
        async with adapter.subscribe(BOOK, gaps=True) as second:
            await read(stage, second, stage.reader(gaps=True), events=1)
        await converge(stage, QUOTE_STREAM)
        await read(stage, feed, reader, events=1)


async def three_links(stage: Stage, describe: _Describe) -> None:
    """Three connections at once, each with a stream that one feed reads."""
    async with (
        adapter_on(stage, describe) as adapter,
        adapter.subscribe(BOOK, QUOTES, TRADES, gaps=True) as feed,
    ):
        await read(stage, feed, stage.reader(gaps=True), events=4)


async def reconnect(stage: Stage) -> None:
    """Ask for a new connection, twice at once."""
    async with adapter_on(stage) as adapter, adapter.subscribe(BOOK, gaps=True) as feed:
        reader = stage.reader(gaps=True)
        await read(stage, feed, reader, events=1)
        adapter.reconnect()
        adapter.reconnect()
        await read(stage, feed, reader, events=1)


async def flap(stage: Stage) -> None:
    """Six sessions, one after the other, each ended in another way."""
    async with adapter_on(stage) as adapter, adapter.subscribe(BOOK, gaps=True) as feed:
        reader = stage.reader(gaps=True)
        for kind in ("reset", "fin", "close", "bad_mask", "close_and_hold"):
            await read(stage, feed, reader, events=1)
            stage.exchange.break_connections(kind)
        await read(stage, feed, reader, events=1)


async def backoff(stage: Stage) -> None:
    """The exchange cannot be reached at first."""
    stage.exchange.inject(Fault("accept_close", times=1))
    stage.exchange.inject(Fault("http_status", times=1, status=503))
    await stream(stage)


async def storm(stage: Stage) -> None:
    """The exchange accepts every connection and closes it at the first data, for long."""
    stage.exchange.inject(Fault("close_at_first_data", code=1000))
    async with adapter_on(stage) as adapter:
        with trio.move_on_after(40.0):
            async with adapter.subscribe(BOOK) as feed:
                async for _ in feed:
                    stage.turn()


async def rejected(stage: Stage) -> None:
    """One of two channels is refused; the other lives."""
    stage.exchange.inject(Fault("reject_subscription", stream=QUOTE_STREAM, code=2))
    async with adapter_on(stage) as adapter, adapter.subscribe(BOOK, gaps=True) as feed:
        try:
            await feed.add(QUOTES)
        except SubscriptionRejected:
            stage.turn()
        else:
            stage.find("I10", "a refused subscription was taken for an accepted one")
        await read(stage, feed, stage.reader(gaps=True))


class BookReader:
    """Checks what one consumer of books sees: right, and told of every span without."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._reader = stage.reader(gaps=True)
        self._sessions: dict[int, int] = {}

    @property
    def events(self) -> int:
        """Synced books so far."""
        return self._reader.events

    def saw(self, event: Any) -> None:
        """Take what the consumer has received."""
        if isinstance(event, Gap):
            self._sessions.clear()
        elif isinstance(event, BookView):
            if not is_right(event):
                self._stage.find("I8", f"a wrong book: {event}")
            if event.synced:
                before = self._sessions.setdefault(id(event), event.session)
                if event.session != before:
                    self._stage.find("I8", f"no Gap between sessions {before} and {event.session}")
        self._reader.saw(event)
        self._stage.turn()


async def read_books(stage: Stage, feed: Feed[Any], reader: BookReader, books: int = 3) -> None:
    """Read so many synced books, and on until there was one after the last fault."""
    target = reader.events + books
    while reader.events < target or not stage.settled:
        reader.saw(await feed.receive())


async def book(
    stage: Stage,
    describe: _Describe = _usdm,
    faults: tuple[Fault, ...] = (),
    channels: tuple[OrderBook, ...] = (OrderBook("ETHUSDC"),),
) -> None:
    """Keep local books: join deltas and a REST snapshot, also after every fault."""
    for fault in faults:
        stage.exchange.inject(fault)
    async with (
        adapter_on(stage, describe) as adapter,
        adapter.subscribe(*channels, gaps=True) as feed,
    ):
        await read_books(stage, feed, BookReader(stage))


async def synced_only(stage: Stage) -> None:
    """Whoever wants to see only synced books sees no other."""
    channel = OrderBook("ETHUSDC", synced_only=True)
    async with adapter_on(stage) as adapter, adapter.subscribe(channel, gaps=True) as feed:
        reader = BookReader(stage)
        while reader.events < 3 or not stage.settled:
            event = await feed.receive()
            if isinstance(event, BookView) and not event.synced:
                stage.find("I8", "a book that is not synced, and was not wanted")
            reader.saw(event)


async def instruments(stage: Stage) -> None:
    """Ask for what is traded, while a book is kept."""
    channel = OrderBook("ETHUSDC")
    async with adapter_on(stage) as adapter, adapter.subscribe(channel, gaps=True) as feed:
        known = await adapter.instruments()
        if [each.symbol for each in known] != ["ETHUSDC"]:
            stage.find("I8", f"wrong instruments: {known}")
        await read_books(stage, feed, BookReader(stage))


# --- the table

_SLOW = tuple(
    Scenario(
        name=f"slow_{overflow.value}",
        program=partial(slow, overflow=overflow),
        most_tasks=9,
        groups=True,
    )
    for overflow in Overflow
)
_BOUNDED = tuple(
    Scenario(name=f"bounded_{overflow.value}", program=partial(bounded, overflow=overflow))
    for overflow in Overflow
)

_AFTER_THE_FIRST = When(first=2)
"""The first connection carries the deltas, the second asks for the snapshot."""


def _book(name: str, program: Program, **options: Any) -> Scenario:
    given: dict[str, Any] = {
        "links": 2,
        "links_per_route": 1,
        "most_tasks": 12,
        "source": NumberedBook(),
        **options,
    }
    return Scenario(name=name, program=program, **given)


_BOOKS = (
    _book("book", book),
    _book("book_spot", partial(book, describe=_spot), venue="spot"),
    _book("book_tls", book, tls=True),
    # Of the same deltas two books, so that two snapshots stand in line.
    _book(
        "book_two", partial(book, channels=(OrderBook("ETHUSDC"), OrderBook("ETHUSDC", depth=5)))
    ),
    _book("book_synced_only", synced_only),
    _book(
        "book_late",  # many deltas wait when the snapshot comes
        partial(book, faults=(Fault("late_answer", _AFTER_THE_FIRST, after_seconds=1.25),)),
        source=NumberedBook(every_seconds=0.25),
    ),
    _book(
        "book_failing",
        partial(
            book,
            faults=(
                Fault("accept_close", _AFTER_THE_FIRST, times=1),
                Fault("http_status", _AFTER_THE_FIRST, times=1, status=503),
                Fault("http_status", _AFTER_THE_FIRST, times=1, status=200, body="{"),
                Fault("handshake_hang", _AFTER_THE_FIRST, times=1),
            ),
        ),
    ),
    _book("book_stale", book, source=NumberedBook(stale=2)),
    _book(
        "book_stale_spot", partial(book, describe=_spot), venue="spot", source=NumberedBook(stale=2)
    ),
    _book(
        "book_429",
        partial(
            book,
            faults=(
                Fault("http_status", _AFTER_THE_FIRST, times=2, status=429, retry_after=2.0),
                Fault("http_status", _AFTER_THE_FIRST, times=1, status=418, retry_after=4.0),
            ),
        ),
    ),
    _book("instruments", instruments),
)

_UNREAD = Scenario(name="unread", program=unread)

SCENARIOS: MappingProxyType[str, Scenario] = MappingProxyType(
    {
        scenario.name: attrs.evolve(scenario, notice_seconds=_NOTICE_SECONDS)
        for scenario in (
            Scenario(name="connect", program=connect),
            Scenario(name="stream", program=stream),
            Scenario(name="spot", program=partial(stream, describe=_spot), venue="spot"),
            Scenario(name="tls", program=stream, tls=True),
            Scenario(name="backoff", program=backoff),
            Scenario(name="reconnect", program=reconnect),
            Scenario(
                name="planned_end",
                program=partial(stream, describe=_spot, events=10),
                venue="spot",
                exchange_options={"lifetime_seconds": 3.0, "shutdown_notice_seconds": 2.0},
            ),
            Scenario(name="resubscribe", program=resubscribe),
            Scenario(name="rejected", program=rejected),
            Scenario(
                name="routes",  # three of them
                program=partial(three_links, describe=_three_routes),
                links=3,
                links_per_route=1,
                most_tasks=20,
            ),
            Scenario(
                name="shards",  # two of one route, and another route
                program=partial(three_links, describe=_narrow),
                links=3,
                links_per_route=2,
                most_tasks=20,
            ),
            Scenario(name="merged", program=merged, links=2, most_tasks=16, leave_seconds=6.0),
            Scenario(name="flap", program=flap),
            Scenario(name="storm", program=storm),
            *_BOOKS,
        )
    }
    | {scenario.name: scenario for scenario in (*_SLOW, *_BOUNDED, _UNREAD)}
)
"""Name: scenario."""

CORE = ("connect", "stream")
"""Those whose single faults are all tried with every run of the tests."""
SHORT = ("connect", "stream")
"""Those in which two faults are tried together."""
