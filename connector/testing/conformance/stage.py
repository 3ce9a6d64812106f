"""One run of a check: a server on a watched network, an adapter, and time limits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import attrs
import trio
from trio.testing import MockClock

from connector.adapter import Adapter, open_adapter
from connector.channels import AnyChannel
from connector.errors import ConnectorError
from connector.events import Event, Gap
from connector.exchanges.protocol import AnyExchange, AnyStream
from connector.link.pacing import Reconnect
from connector.testing.conformance import offered
from connector.testing.conformance.venue import NotConforming, Pace, Served, Truth, Venue
from connector.testing.conformance.watched_network import WatchedConnection, WatchedNetwork
from connector.testing.leaks import no_leaks
from connector.testing.network.network import MemoryNetwork

PATIENCE_SECONDS = 200.0
"""Longer than any limit of silence plus the reconnect after it."""
WHOLE_RUN_SECONDS = 100_000.0


class Altered:
    """An exchange value that notes its requests, with some members replaced."""

    def __init__(self, exchange: AnyExchange, **instead: Any) -> None:
        self._exchange = exchange
        self._instead = instead
        self.noted: dict[bytes, tuple[str, ...]] = {}
        """Names of the streams in each request to subscribe."""

    def __getattr__(self, name: str) -> Any:
        instead = self.__dict__["_instead"]
        return instead[name] if name in instead else getattr(self.__dict__["_exchange"], name)

    def subscribe(self, request_id: int, streams: Sequence[AnyStream]) -> str:
        """The request of the exchange, noted."""
        text = self._exchange.subscribe(request_id, streams)
        self.noted[text.encode()] = tuple(stream.name for stream in streams)
        return text


@attrs.frozen
class Stage:
    """A running server, and the observations of it."""

    venue: Venue
    served: Served
    network: WatchedNetwork
    exchange: Any
    """An `Altered`."""

    @property
    def channels(self) -> tuple[AnyChannel, ...]:
        """The channels to check."""
        return channels_of(self.venue, self.exchange)

    def truth(self, symbol: str) -> Truth | None:
        """The server's record of a symbol from now on."""
        return None if self.served.truth is None else self.served.truth(symbol)

    @asynccontextmanager
    async def open_adapter(self, **options: Any) -> AsyncIterator[Adapter[Any]]:
        """An adapter that dials over the watched network."""
        reconnect = Reconnect(initial=0.1, jitter="none")
        async with open_adapter(
            self.exchange, dialer=self.network, reconnect=reconnect, **options
        ) as adapter:
            yield adapter

    def asked_on(self, connection: WatchedConnection) -> list[str]:
        """Names of the streams subscribed on a connection, repeated for repeated requests."""
        asked = self.exchange.noted
        return [name for text in connection.texts for name in asked.get(text, ())]


def channels_of(venue: Venue, exchange: AnyExchange) -> tuple[AnyChannel, ...]:
    """The channels of a venue to check."""
    if venue.channels is not None:
        return venue.channels
    found = offered.channels_of(exchange, venue.symbols[0])
    return tuple(channel for channel in found if channel not in venue.without)


@attrs.frozen
class Offer:
    """The exchange and its channels, to choose the checks from."""

    exchange: Any
    """An `Altered` whose server has been closed."""
    channels: tuple[AnyChannel, ...]


async def offer_of(venue: Venue) -> Offer:
    """Find what the exchange of a venue offers."""
    async with venue.serve(MemoryNetwork(), pace="quiet") as served:
        return Offer(Altered(served.exchange), channels_of(venue, served.exchange))


@asynccontextmanager
async def open_stage(
    venue: Venue, *, pace: Pace = "lively", **instead: Any
) -> AsyncIterator[Stage]:
    """Open the server; after the block, nothing may be left open, and no complaint be recorded.

    Args:
        venue: the venue to check.
        pace: the activity of the market.
        instead: replaced members of the exchange.
    """
    network = MemoryNetwork()
    async with no_leaks(network), venue.serve(network, pace=pace) as served:
        watched = WatchedNetwork(network)
        yield Stage(venue, served, watched, Altered(served.exchange, **instead))
        if not any(each.muted for each in watched.connections):
            wrong = list(served.complaints())
            require(not wrong, "the server complains: " + "; ".join(wrong[:5]))


def run(venue: Venue, check: Callable[[Venue], Awaitable[None]]) -> None:
    """Run a check in virtual time.

    Raises:
        NotConforming: the check fails.
    """

    async def main() -> None:
        with expected("the check to end", WHOLE_RUN_SECONDS):
            await check(venue)

    failure: NotConforming | None = None
    try:
        trio.run(main, clock=MockClock(autojump_threshold=0))
    except* NotConforming as group:
        failure = NotConforming(str(_first(group)))
    except* ConnectorError as group:
        error = _first(group)
        failure = failure or NotConforming(f"{type(error).__name__}: {error}")
        failure.__cause__ = error
    if failure is not None:
        raise failure


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


@contextmanager
def expected(what: str, seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Require the block to end within this virtual time.

    Raises:
        NotConforming: it took longer.
    """
    try:
        with trio.fail_after(seconds):
            yield
    except trio.TooSlowError:
        raise NotConforming(f"waited {seconds:g} s in vain for {what}") from None


def require(holds: object, message: str) -> None:
    """Raise with this message unless the condition holds.

    Raises:
        NotConforming: the check fails.
    """
    if not holds:
        raise NotConforming(message)


async def next_event(feed: Any, channel: AnyChannel) -> Event:
    """Receive the next event of a feed that is not a gap."""
    with expected(f"an event of {channel}"):
        while True:
            event: Event = await anext(feed)
            if not isinstance(event, Gap):
                return event


async def wait_gap(feed: Any, channel: AnyChannel) -> Gap:
    """Receive the next gap of a feed."""
    with expected(f"a Gap in {channel}"):
        while not isinstance(event := await anext(feed), Gap):
            pass
        return event
