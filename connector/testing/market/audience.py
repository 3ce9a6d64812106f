"""The audience: the subscribers of each stream and the exchange's clock; sources publish to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import msgspec
import trio

from connector.testing.market.captured import CaptureReader, CombinedReader
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
        """Wait until at most this many bytes are unread."""
        ...


class Listing(Protocol):
    """A source, as a new subscriber sees it."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """The traded symbols; empty if the source does not list them."""
        ...

    def first(self, stream: str) -> Iterable[bytes]:
        """The first messages for a new listener of a stream."""
        ...


class Audience:
    """The subscribed connections of a simulated exchange, by stream.

    Args:
        venue: the venue, which defines the names of the streams.
        epoch_ms: the exchange's time at its opening, in milliseconds since 1970.
    """

    def __init__(self, venue: Venue, epoch_ms: int) -> None:
        self.venue = venue
        self.published = 0
        self.opened_ms = epoch_ms
        """The exchange's time when it was opened."""
        self.opened = trio.current_time()
        """The same as `trio.current_time()`."""
        self.skew_ms = 0
        """How far the exchange's clock has jumped; the market's own times do not jump."""
        self.listing: Listing | None = None
        """The source, if it defines how a stream begins."""
        self._silent = False
        self._by_stream: dict[str, dict[Listener, None]] = {}
        self._changed = trio.lowlevel.ParkingLot()

    def open_market(self, start_ticks: Mapping[str, int], seed: int, rate_per_second: float) -> Any:
        """Open the venue's own kind of market for an order flow; None if it has no such kind.

        Args:
            start_ticks: the symbols, and the price at which each begins.
            seed: decides everything that happens.
            rate_per_second: actions of traders per symbol.
        """
        return None

    shows_states = False
    """Whether a new listener of a stream is sent what the stream shows."""

    def capture_reader(self) -> CaptureReader:
        """What reads recorded messages of the venue, from the first one on."""
        return CombinedReader()

    def now_ms(self) -> int:
        """The exchange's time, in milliseconds since 1970."""
        return self.opened_ms + self.skew_ms + round(self.seconds * 1000)

    @property
    def seconds(self) -> float:
        """Time since the exchange was opened."""
        return trio.current_time() - self.opened

    def wants(self, stream: str) -> bool:
        """Whether a stream has listeners."""
        return stream in self._by_stream and not self._silent

    @contextmanager
    def silenced(self, silent: bool) -> Iterator[None]:
        """Within the block, `wants` is false for all streams, if `silent`."""
        before, self._silent = self._silent, silent
        try:
            yield
        finally:
            self._silent = before

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams that have listeners."""
        return tuple(self._by_stream)

    def publish(self, stream: str, data: bytes | dict[str, object] | list[object]) -> int:
        """Send a payload to every subscriber of a stream, and return the number of recipients.

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
        """Wait until a subscription begins or ends."""
        await self._changed.park()

    def wake(self) -> None:
        """Wake the tasks that wait for a change."""
        self._changed.unpark_all()

    async def wait_room(self, stream: str) -> None:
        """Wait until no listener of a stream has more than 256 KiB unread, so no data is lost."""
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
