"""Who listens to which stream, and the clock they all see: what a source publishes to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import msgspec
import trio

from connector.testing.network.server_websocket import text_frame
from connector.testing.venues.rules import Venue

HIGH_WATER_BYTES = 262_144


class Listener(Protocol):
    """A connection that streams can be sent to."""

    @property
    def combined(self) -> bool:
        """Whether data is wrapped in ``{"stream": …, "data": …}``."""
        ...

    def deliver(self, stream: str, data: bytes, frame: bytes | None = None) -> bool:
        """Send a payload of a stream; returns whether it was sent."""
        ...

    async def wait_room(self, most_bytes: int) -> None:
        """Wait until no more than so much is unread."""
        ...


class Listing(Protocol):
    """A source, as who subscribes sees it."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """What is traded; nothing if the source does not say."""
        ...

    def first(self, stream: str) -> Iterable[bytes]:
        """What a new listener of a stream gets before anything else."""
        ...


class Audience:
    """The subscribed connections of a simulated exchange, by stream.

    Args:
        venue: whose stream names there are.
        epoch_ms: the exchange's time, in milliseconds since 1970, at the moment it was opened.
    """

    def __init__(self, venue: Venue, epoch_ms: int) -> None:
        self.venue = venue
        self.published = 0
        self.opened_ms = epoch_ms
        """The exchange's time when it was opened."""
        self.opened = trio.current_time()
        """The same as `trio.current_time()`."""
        self.skew_ms = 0
        """By how much the exchange's clock has jumped; the market's own times do not."""
        self.listing: Listing | None = None
        """The source, where it is asked what a stream begins with."""
        self._silent = False
        self._by_stream: dict[str, dict[Listener, None]] = {}
        self._changed = trio.lowlevel.ParkingLot()

    def open_market(self, start_ticks: Mapping[str, int], seed: int, rate_per_second: float) -> Any:
        """What plays the order flow where the venue has a market of its own kind; None if not.

        Args:
            start_ticks: the symbols, and the price at which each begins.
            seed: decides everything that happens.
            rate_per_second: actions of traders per symbol.
        """
        return None

    def now_ms(self) -> int:
        """The exchange's time, in milliseconds since 1970."""
        return self.opened_ms + self.skew_ms + round(self.seconds * 1000)

    @property
    def seconds(self) -> float:
        """Time since the exchange was opened."""
        return trio.current_time() - self.opened

    def wants(self, stream: str) -> bool:
        """Whether anybody listens to a stream."""
        return stream in self._by_stream and not self._silent

    @contextmanager
    def silenced(self, silent: bool) -> Iterator[None]:
        """Nobody wants anything within the block, if `silent`."""
        before, self._silent = self._silent, silent
        try:
            yield
        finally:
            self._silent = before

    @property
    def streams(self) -> tuple[str, ...]:
        """Streams that somebody listens to."""
        return tuple(self._by_stream)

    def publish(self, stream: str, data: bytes | dict[str, object] | list[object]) -> int:
        """Sends a payload to every connection subscribed to a stream; returns how many it went to.

        Raises:
            ValueError: the venue has no stream of that name.
        """
        if self.venue.route_of(stream) is None:
            raise ValueError(
                f"{stream!r} is not a stream of {self.venue.rules.name}; "
                "connector.testing.venues.rules lists them"
            )
        listeners = self._by_stream.get(stream)
        if not listeners:
            return 0
        payload = data if isinstance(data, bytes) else msgspec.json.encode(data)
        wrapped: bytes | None = None
        sent = 0
        for connection in tuple(listeners):
            if connection.combined:
                if wrapped is None:
                    name = stream.encode()
                    wrapped = text_frame(b'{"stream":"%b","data":%b}' % (name, payload))
                sent += connection.deliver(stream, payload, wrapped)
            else:
                sent += connection.deliver(stream, payload)
        self.published += 1
        return sent

    async def wait_change(self) -> None:
        """Waits until somebody subscribes to something or stops listening."""
        await self._changed.park()

    def wake(self) -> None:
        """Lets those who wait for a change look again."""
        self._changed.unpark_all()

    async def wait_room(self, stream: str) -> None:
        """Waits until no listener of a stream has more than 256 KiB unread, to lose nothing."""
        for connection in tuple(self._by_stream.get(stream, ())):
            await connection.wait_room(HIGH_WATER_BYTES)

    def add(self, stream: str, connection: Listener) -> None:
        self._by_stream.setdefault(stream, {})[connection] = None
        self._changed.unpark_all()

    def remove(self, stream: str, connection: Listener) -> None:
        listeners = self._by_stream.get(stream, {})
        listeners.pop(connection, None)
        if not listeners:
            self._by_stream.pop(stream, None)
        self._changed.unpark_all()
