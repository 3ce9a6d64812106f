"""Recorded traffic: reading ``*.jsonl.gz`` captures, and playing them as a source.

A capture is gzip of one JSON object per line, in the order of receipt:
``{"t": receive time in ns or null, "k": "open" | "recv" | "send" | "http", "u": URL or null,
"m": exact text or null}``.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import attrs
import msgspec
import trio

from connector.testing.market.audience import Audience
from connector.testing.market.sources import Player

_HEAD, _MIDDLE, _TAIL = '{"stream":"', '","data":', "}"
_FRAMES_PER_CHECKPOINT = 64
NO_CAPTURE = (msgspec.DecodeError, EOFError, zlib.error)
"""The errors of reading a file that is not a capture, or is damaged."""


class Frame(msgspec.Struct, frozen=True, rename={"ns": "t", "kind": "k", "url": "u", "text": "m"}):
    """One line of a capture."""

    ns: int | None
    """Time of receipt, in nanoseconds since 1970; None if unknown."""
    kind: Literal["open", "recv", "send", "http"]
    url: str | None
    """The URL that was opened or fetched."""
    text: str | None
    """The exact text that was received, sent or fetched."""

    @property
    def stream(self) -> str | None:
        """The stream of a combined data frame; None for everything else."""
        if self.kind != "recv" or self.text is None or not self.text.startswith(_HEAD):
            return None
        name, middle, _ = self.text[len(_HEAD) :].partition(_MIDDLE)
        return name if middle else None

    @property
    def payload(self) -> bytes:
        """The data of a combined data frame, byte for byte."""
        assert self.text is not None
        return self.text.partition(_MIDDLE)[2].removesuffix(_TAIL).encode()


def read_capture(path: str | Path) -> Iterator[Frame]:
    """Yields the frames of a capture, in the order in which they were received.

    Raises:
        OSError: the file cannot be read, or is not gzip.
        msgspec.DecodeError: a line is not such an object.
        EOFError, zlib.error: the gzip was cut off, or is damaged.
    """
    decoder = msgspec.json.Decoder(Frame)
    with gzip.open(path, "rb") as lines:
        for line in lines:
            yield decoder.decode(line)


def streams_of(path: str | Path) -> tuple[str, ...]:
    """The streams that a capture holds, in the order of their first frames."""
    names = dict.fromkeys(frame.stream for frame in read_capture(path))
    return tuple(name for name in names if name is not None)


@attrs.frozen
class Capture:
    """Plays a capture to the connections subscribed to the streams that it holds.

    The capture's clock starts when one of its streams gets its first listener.

    Args:
        path: a ``*.jsonl.gz`` file.
        speed: 1 is the capture's own pace, 10 ten times as fast, `math.inf` as fast as the clients
            read.
        loop: whether to start again at the end.
        resume: whether the clock stops while the stream of the next frame has no listener, so that
            every frame is sent exactly once. Otherwise a late subscriber misses earlier frames.
        streams: the streams to play; None means all.
    """

    path: Path = attrs.field(converter=Path)
    speed: float = attrs.field(default=1.0, validator=attrs.validators.gt(0), kw_only=True)
    loop: bool = attrs.field(default=False, kw_only=True)
    resume: bool = attrs.field(default=False, kw_only=True)
    streams: tuple[str, ...] | None = attrs.field(default=None, kw_only=True)

    def begin(self, audience: Audience) -> Player:
        """Open the capture at its start.

        Raises:
            ValueError: the capture contains a stream that the venue does not have.
        """
        held = streams_of(self.path)
        for name in held:
            if audience.venue.route_of(name) is None:
                raise ValueError(
                    f"{self.path} holds {name!r}, which is no stream of "
                    f"{audience.venue.rules.name}; is it of another venue?"
                )
        return _Playback(self, audience, held if self.streams is None else self.streams)


class _Playback:
    def __init__(self, source: Capture, audience: Audience, streams: tuple[str, ...]) -> None:
        self._source = source
        self._audience = audience
        self._streams = dict.fromkeys(streams)
        self._snapshots: dict[str, bytes] = {}
        self._zero_ns = 0
        self._zero = 0.0

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols with a snapshot in the part of the capture that has been played."""
        return tuple(self._snapshots)

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        """The last fetched snapshot, cut to `limit` levels."""
        recorded = self._snapshots.get(symbol)
        if recorded is None:
            return None
        book: dict[str, Any] = msgspec.json.decode(recorded)
        for side in ("bids", "asks"):
            book[side] = book[side][:limit]
        return msgspec.json.encode(book)

    async def play(self) -> None:
        while True:
            await self._wait_for_anybody()
            self._zero_ns = 0
            await self._play_once()
            if not self._source.loop:
                return

    async def _wait_for_anybody(self) -> None:
        await trio.lowlevel.checkpoint()
        while not any(map(self._audience.wants, self._streams)):
            await self._audience.wait_change()

    async def _play_once(self) -> None:
        for number, frame in enumerate(read_capture(self._source.path)):
            if number % _FRAMES_PER_CHECKPOINT == 0:
                await trio.lowlevel.checkpoint()
            await self._wait_until_due(frame)
            stream = frame.stream
            if frame.kind == "http":
                self._keep_snapshot(frame)
            elif stream in self._streams:
                await self._send(frame, stream)

    async def _wait_until_due(self, frame: Frame) -> None:
        if frame.ns is None:
            return
        if not self._zero_ns:
            self._zero_ns, self._zero = frame.ns, trio.current_time()
        if not math.isinf(self._source.speed):
            due = self._zero + (frame.ns - self._zero_ns) / 1e9 / self._source.speed
            if due > trio.current_time():
                await trio.sleep_until(due)

    async def _send(self, frame: Frame, stream: str) -> None:
        lossless = self._source.resume or math.isinf(self._source.speed)
        if lossless:
            await self._audience.wait_room(stream)
        payload = frame.payload
        while not self._audience.publish(stream, payload) and self._source.resume:
            held_since = trio.current_time()
            await self._audience.wait_change()
            self._zero += trio.current_time() - held_since

    def _keep_snapshot(self, frame: Frame) -> None:
        url = urlsplit(frame.url or "")
        if url.path.endswith("/depth") and frame.text is not None:
            for symbol in parse_qs(url.query).get("symbol", ()):
                self._snapshots[symbol] = frame.text.encode()
