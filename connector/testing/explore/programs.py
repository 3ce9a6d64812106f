"""The programs that this package's own adapter is explored in.

Each does what a user's program does: open an adapter, subscribe, read, leave. The programs know
nothing of the plan's faults, but they continue until data has arrived after the last fault.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, cast

import attrs
import trio

from connector import Adapter, Feed, Overflow, Reconnect, merge, open_adapter
from connector.channels import BestQuote, Channel, PartialBook, Trades
from connector.errors import SlowConsumer, SubscriptionRejected
from connector.exchanges import binance
from connector.exchanges.protocol import E, Exchange, Limits, Stream
from connector.merging.merge import MergedFeed
from connector.testing.explore.numbered import Reader
from connector.testing.explore.stage import Stage
from connector.testing.faults.faults import Fault

RECONNECT = Reconnect(initial=0.25, cap=4.0, stable_after=5.0)
STALE_SECONDS = 3.0
BOOK = PartialBook("ETHUSDC", levels=5, interval_ms=100)
QUOTES = BestQuote("ETHUSDC")
TRADES = Trades("ETHUSDC")
BOOK_STREAM, QUOTE_STREAM = "ethusdc@depth5@100ms", "ethusdc@bookTicker"
_SETTLE_SECONDS = 60.0
_NOTICE_SECONDS = 2.5
"""The closing handshake may take 2 s; the limit of silence is 3 s."""

Describe = Callable[[binance.Endpoints], Exchange]


def usdm(endpoints: binance.Endpoints) -> Exchange:
    """USD-M futures, on the simulated exchange."""
    return binance.UsdMFutures(endpoints=endpoints)


def coinm(endpoints: binance.Endpoints) -> Exchange:
    """COIN-M futures, on the simulated exchange."""
    return binance.CoinMFutures(endpoints=endpoints)


def spot(endpoints: binance.Endpoints) -> Exchange:
    """Spot, on the simulated exchange."""
    return binance.Spot(endpoints=endpoints)


@attrs.frozen
class _OneStreamPerConnection:
    """USD-M futures with a limit of one stream per connection."""

    exchange: Exchange

    @property
    def limits(self) -> Limits:
        return attrs.evolve(self.exchange.limits, streams_per_connection=1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.exchange, name)


def narrow(endpoints: binance.Endpoints) -> Exchange:
    """USD-M futures with one stream per connection, so that each stream has a link of its own."""
    return cast("Exchange", _OneStreamPerConnection(usdm(endpoints)))


@attrs.frozen
class _ThreeRoutes:
    """USD-M futures with quotes on a third route: the path without a route name.

    Binance still serves the streams of ``/public`` on that path. Source: binance_usdm §2.
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


def three_routes(endpoints: binance.Endpoints) -> Exchange:
    """USD-M futures with a third route."""
    return cast("Exchange", _ThreeRoutes(usdm(endpoints)))


@asynccontextmanager
async def adapter_on(stage: Stage, describe: Describe = usdm) -> AsyncIterator[Adapter]:
    """Open an adapter on the stage, and inside it the scope that the fault ``leave`` cancels."""
    async with _open_adapter(stage, describe) as adapter:
        with stage.body:
            yield adapter
        stage.leaving()


def _open_adapter(stage: Stage, describe: Describe = usdm) -> AbstractAsyncContextManager[Adapter]:
    return open_adapter(
        describe(stage.exchange.endpoints),
        reconnect=RECONNECT,
        stale_after=STALE_SECONDS,
        dialer=stage.network,
    )


async def read(
    stage: Stage, feed: Feed[Any] | MergedFeed[Any], reader: Reader, events: int = 2
) -> None:
    """Read this many events, then continue until data has arrived after the last fault."""
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


async def connect(stage: Stage) -> None:
    """Connect, without a subscription, and leave."""
    async with adapter_on(stage) as adapter:
        await adapter.wait_connected()
        stage.turn()


async def stream(stage: Stage, describe: Describe = usdm, events: int = 2) -> None:
    """Subscribe and read."""
    async with (
        adapter_on(stage, describe) as adapter,
        adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        await read(stage, feed, stage.reader(gaps=True), events)


async def merged(stage: Stage) -> None:
    """Merge two adapters for one consumer: each delivers what the other loses."""
    async with (
        _open_adapter(stage) as twin,
        adapter_on(stage) as adapter,
        twin.subscribe(TRADES, gaps=True) as copy,
        adapter.subscribe(TRADES, gaps=True) as feed,
    ):
        await read(stage, merge(feed, copy), stage.reader(gaps=True, merged=True), events=4)


async def slow(stage: Stage, overflow: Overflow) -> None:
    """Read two feeds of one connection; one consumer is slower than the exchange."""

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
        adapter.subscribe(QUOTES, buffer=1, overflow=overflow, gaps="all") as slow_feed,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(consume_slowly, slow_feed)
        async with adapter.subscribe(BOOK, buffer=4, gaps=True) as feed:
            await read(stage, feed, stage.reader(gaps=True), events=6)
        nursery.cancel_scope.cancel()


async def unread(stage: Stage) -> None:
    """Subscribe to a second feed while the first one is full and has no reader."""
    async with (
        adapter_on(stage) as adapter,
        adapter.subscribe(QUOTES, buffer=1, gaps=True),
        adapter.subscribe(BOOK, buffer=1, gaps=True),
    ):
        stage.turn()


async def bounded(stage: Stage, overflow: Overflow) -> None:
    """Stall the consumer, and check that its buffer holds no more events than its capacity."""
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
    """Add and remove channels while the link reconnects."""
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


async def three_links(stage: Stage, describe: Describe) -> None:
    """Read one feed over three connections at once, one stream on each."""
    async with (
        adapter_on(stage, describe) as adapter,
        adapter.subscribe(BOOK, QUOTES, TRADES, gaps=True) as feed,
    ):
        await read(stage, feed, stage.reader(gaps=True), events=4)


async def reconnect(stage: Stage) -> None:
    """Request a new connection twice at the same time."""
    async with adapter_on(stage) as adapter, adapter.subscribe(BOOK, gaps=True) as feed:
        reader = stage.reader(gaps=True)
        await read(stage, feed, reader, events=1)
        adapter.reconnect()
        adapter.reconnect()
        await read(stage, feed, reader, events=1)


async def flap(stage: Stage) -> None:
    """Run six sessions in sequence, each ended in a different way."""
    async with adapter_on(stage) as adapter, adapter.subscribe(BOOK, gaps=True) as feed:
        reader = stage.reader(gaps=True)
        for kind in ("reset", "fin", "close", "bad_mask", "close_and_hold"):
            await read(stage, feed, reader, events=1)
            stage.exchange.break_connections(kind)
        await read(stage, feed, reader, events=1)


async def backoff(stage: Stage) -> None:
    """Connect to an exchange that is unreachable at first."""
    stage.exchange.inject(Fault("accept_close", times=1))
    stage.exchange.inject(Fault("http_status", times=1, status=503))
    await stream(stage)


async def storm(stage: Stage) -> None:
    """Connect to an exchange that closes each connection at the first data, for a long time."""
    stage.exchange.inject(Fault("close_at_first_data", code=1000))
    async with adapter_on(stage) as adapter:
        with trio.move_on_after(40.0):
            async with adapter.subscribe(BOOK) as feed:
                async for _ in feed:
                    stage.turn()


async def rejected(stage: Stage) -> None:
    """Subscribe to two channels; the exchange refuses one, and the other must still work."""
    stage.exchange.inject(Fault("reject_subscription", stream=QUOTE_STREAM, code=2))
    async with adapter_on(stage) as adapter, adapter.subscribe(BOOK, gaps=True) as feed:
        try:
            await feed.add(QUOTES)
        except SubscriptionRejected:
            stage.turn()
        else:
            stage.find("I10", "a refused subscription was treated as accepted")
        await read(stage, feed, stage.reader(gaps=True))
