"""Decode late: the newest frame of a stream, kept as bytes until a consumer takes it.

With `Overflow.CONFLATE` most frames of a busy stream are replaced before a consumer reads them. If
the exchange offers a `glance` for the stream, only the symbol and the ids of each frame are read on
arrival, so that duplicates and gaps are detected as usual. The rest is decoded when it is taken,
once for all feeds.

A frame with well-formed ids that does not decode is therefore detected late. By the time it is
taken and its loss is reported, it has counted as a message and has replaced the event before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Protocol

import attrs

from connector.events import Event
from connector.exchanges.protocol import UNDECODABLE


class Unreadable(Exception):
    """The frame does not decode; the statistics and the lifecycle have the error already."""


class Origin(Protocol):
    """The delivery that received a frame."""

    def lose_unread(self, stream: str, payload: bytes, error: Exception) -> None:
        """Tell of a frame of `stream` that does not decode."""
        ...


@attrs.define(eq=False)
class Unread:
    """An event that is not decoded yet."""

    stream: str
    symbol: str
    payload: bytes
    """The whole frame."""
    data: slice
    """Position of the event in the frame."""
    decode: Callable[[bytes], object]
    received_ns: int
    session: int
    origin: Origin
    event: Event | None = None
    failed: bool = False

    def read(self) -> Event:
        """Decode and return the event.

        Raises:
            Unreadable: it does not decode.
        """
        event = self.event
        if event is not None:
            return event
        if self.failed:
            raise Unreadable
        try:
            read = self.decode(self.payload[self.data])
        except UNDECODABLE as error:
            self.failed = True
            self.origin.lose_unread(self.stream, self.payload, error)
            raise Unreadable from None
        assert isinstance(read, Event)
        read.received_ns = self.received_ns
        read.session = self.session
        self.event = read
        return read


def read_all(items: Iterable[Any]) -> Iterator[Any]:
    """Decode the events of `items`, keep all other items, and drop unreadable events."""
    for item in items:
        if type(item) is Unread:
            with suppress(Unreadable):
                yield item.read()
        else:
            yield item
