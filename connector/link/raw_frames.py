"""Raw frames of an adapter with receive time and session, in the order in which they arrived.

`Adapter.frames` is a feed of everything that a recording needs: the frames as the exchange sent
them, the answers to REST requests, and the connects and disconnects between them. Without such a
feed, a link delivers directly into its session. With one, a copy is taken in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from connector.errors import SlowConsumer
from connector.events import Gap
from connector.exchanges.envelope import find_name
from connector.exchanges.inbound import data_of
from connector.exchanges.protocol import UNDECODABLE, Exchange
from connector.feeds.buffer import Buffer
from connector.feeds.delivery import Delivery
from connector.lifecycle import Lifecycle
from connector.link.source import FrameSink

_MOST_MARKS = 1024
"""Beside the frames. More of them than these in an unread feed is a feed that is not read."""
_MOST_NAMES = 65_536


class RawFrame(msgspec.Struct, frozen=True, gc=False):
    """A message of an exchange, envelope included."""

    link: str
    """Exchange and route, such as ``binance_usdm/public``."""
    session: int
    """The number of the connection on which it arrived."""
    received_ns: int
    """Time of arrival by this machine's clock, nanoseconds since the epoch."""
    stream: str | None
    """The exchange's name of its stream; None for replies and unreadable messages."""
    payload: bytes
    """The message as it arrived, decompressed."""


class RestAnswer(msgspec.Struct, frozen=True, gc=False):
    """The body of an answer to a REST request that succeeded."""

    target: str
    """Path and query of the request."""
    received_ns: int
    """Time of arrival by this machine's clock, nanoseconds since the epoch."""
    body: bytes
    """The body of the answer."""


FrameItem: TypeAlias = RawFrame | RestAnswer | Lifecycle | Gap
"""An item of `Adapter.frames`. A `Gap` appears only if its own overflow policy dropped frames."""


class Recorders:
    """The buffers of the feeds that read the raw frames of one adapter."""

    def __init__(self, exchange: Exchange) -> None:
        self._buffers: dict[Buffer[Any], None] = {}
        """An ordered set."""
        self._stream_of = _stream_reader(exchange)

    def __iter__(self) -> Iterator[Buffer[Any]]:
        return iter(tuple(self._buffers))

    def __bool__(self) -> bool:
        return bool(self._buffers)

    def add(self, buffer: Buffer[Any]) -> None:
        """Let `buffer` have everything from now on."""
        self._buffers[buffer] = None

    def remove(self, buffer: Buffer[Any]) -> None:
        """Undo `add`."""
        self._buffers.pop(buffer, None)

    def sink(self, link: str, delivery: Delivery) -> FrameSink:
        """The sink for a session's frames: `delivery`, with the recording feeds before it."""
        if not self._buffers:
            return delivery
        return _Tee(link, delivery, tuple(self._buffers), self._stream_of)

    def mark(self, item: Lifecycle | RestAnswer) -> None:
        """Insert a mark between the frames."""
        for buffer in self:
            if len(buffer) < buffer.capacity + _MOST_MARKS:
                buffer.put(item)
                continue
            self.remove(buffer)
            buffer.fail(
                SlowConsumer(
                    f"{_MOST_MARKS} connection events wait in a feed of frames that is not "
                    "being read; read it, or leave its block"
                )
            )


class _Tee:
    """Between a carrier and a delivery: what the delivery takes is put into the buffers, too."""

    leisurely = False
    """Recordings need the arrival time of each frame."""

    def __init__(
        self,
        link: str,
        delivery: Delivery,
        buffers: tuple[Buffer[Any], ...],
        stream_of: Callable[[bytes], str | None],
    ) -> None:
        self._link = link
        self._delivery = delivery
        self._buffers = buffers
        self._stream_of = stream_of
        self.stamp = delivery.stamp
        self.wants = delivery.wants
        self.lost = delivery.lost
        self.wait_for_room = delivery.wait_for_room
        self.rest = delivery.rest

    def deliver(self, payloads: Sequence[bytes], first: int) -> int:
        delivery = self._delivery
        stop = first + min(buffer.room() for buffer in self._buffers)
        taken = delivery.deliver(payloads if stop >= len(payloads) else payloads[:stop], first)
        link, session = self._link, delivery.session
        received_ns, stream_of = delivery.received_ns or 0, self._stream_of
        frames = [
            RawFrame(link, session, received_ns, stream_of(payload), payload)
            for payload in payloads[first:taken]
        ]
        for buffer in self._buffers:
            buffer.put_run(frames, link)
        return taken


def _stream_reader(exchange: Exchange) -> Callable[[bytes], str | None]:
    """How to tell the stream of a frame."""
    envelope = exchange.envelope
    names: dict[bytes, str] = {}

    def parse(payload: bytes) -> str | None:
        try:
            message = exchange.parse(payload)
        except UNDECODABLE:
            return None
        return next((each.stream for each in data_of(message)), None)

    if envelope is None:
        return parse
    parts, _, _ = envelope.shape
    before = envelope.parts[0].before if envelope.anchored else b""

    def slice_(payload: bytes) -> str | None:
        name, _ = find_name(parts, payload)
        known = names.get(name)
        if known is not None and payload.startswith(before):
            return known
        stream = parse(payload)
        if stream is not None and stream.encode() == name and len(names) < _MOST_NAMES:
            names[name] = stream
        return stream

    return slice_


__all__ = ["FrameItem", "RawFrame", "Recorders", "RestAnswer"]
