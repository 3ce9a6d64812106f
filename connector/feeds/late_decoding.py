"""Decode late: the newest frame of a stream, kept as bytes until a consumer takes it.

With `Overflow.CONFLATE` most frames of a busy stream are replaced before anybody looks. Of a
stream whose exchange offers a `glance`, only the symbol and the ids of each frame are read when it
arrives, so that duplicates and gaps are found as ever; the rest is decoded when it is taken, once,
for however many feeds.

One thing is found out later than it would be otherwise: that a frame whose ids are well-formed
does not decode. It has counted as a message, and has replaced the event before it, when it is
taken and the loss is told.
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
    """Where a frame came from: the delivery."""

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
    """Where in it the event is."""
    decode: Callable[[bytes], object]
    received_ns: int
    session: int
    origin: Origin
    event: Event | None = None
    failed: bool = False

    def read(self) -> Event:
        """The event.

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
    """The events of `items` decoded, and whatever else is among them; not what is unreadable."""
    for item in items:
        if type(item) is Unread:
            with suppress(Unreadable):
                yield item.read()
        else:
            yield item
