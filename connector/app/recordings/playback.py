"""A recording as the market of a simulated exchange: for any client, on loopback."""

from __future__ import annotations

import math
from io import StringIO
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import parse_qs, urlsplit

import attrs
import msgspec
import trio

from connector.app.recordings.progress import HowFar
from connector.exchanges.inbound import data_of
from connector.exchanges.protocol import UNDECODABLE, Exchange
from connector.recording import Answer, Span, span_of
from connector.recording.reader import ALWAYS
from connector.recording.steps import Elapsed, Frames, steps_of
from connector.testing import Audience

_FRAMES_PER_CHECKPOINT = 64


@attrs.frozen
class Playback:
    """Plays a recording to the connections that are subscribed (`connector.testing.Source`).

    Its clock starts when one of its streams gets its first listener. A late subscriber misses the
    earlier data, as on an exchange; connections are not broken.

    Args:
        exchange: whose recording it is.
        paths: its files, in their order.
        speed: 1 as it was, 10 ten times as fast, `math.inf` as fast as the clients read.
        out: shows the progress, if it is a terminal.
        span: what is played of it.
    """

    exchange: Exchange
    paths: tuple[Path, ...]
    speed: float = 1.0
    out: TextIO | None = None
    span: Span = ALWAYS

    def begin(self, audience: Audience) -> _Playing:
        """Begin at the first file."""
        return _Playing(self, audience)


class _Playing:
    def __init__(self, playback: Playback, audience: Audience) -> None:
        self._playback = playback
        self._audience = audience
        self._snapshots: dict[str, bytes] = {}

    @property
    def symbols(self) -> tuple[str, ...]:
        """Those with a snapshot, as far as it was played."""
        return tuple(self._snapshots)

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        """The snapshot that was recorded last, cut to `limit` levels."""
        recorded = self._snapshots.get(symbol)
        if recorded is None:
            return None
        book: dict[str, Any] = msgspec.json.decode(recorded)
        for side in ("bids", "asks"):
            book[side] = book[side][:limit]
        return msgspec.json.encode(book)

    async def play(self) -> None:
        """Publish the recorded frames when they are due, then return."""
        await trio.lowlevel.checkpoint()
        while not self._audience.streams:
            await self._audience.wait_change()
        speed = self._playback.speed
        out = self._playback.out or StringIO()
        how_far = HowFar(span_of(self._playback.paths), out, clock=trio.current_time)
        zero, elapsed, number = trio.current_time(), Elapsed(), 0
        for step in steps_of(self._playback.paths, self._playback.span):
            elapsed.see(step)
            if isinstance(step, Answer):
                self._keep(step)
            if not isinstance(step, Frames):
                continue
            if not math.isinf(speed):
                due = zero + elapsed.until(step.time_ns) / 1e9 / speed
                if due > trio.current_time():
                    await trio.sleep_until(due)
            for stream, payload in zip(step.streams, step.payloads, strict=True):
                if number % _FRAMES_PER_CHECKPOINT == 0:
                    await trio.lowlevel.checkpoint()
                number += 1
                if stream:
                    await self._publish(stream, payload)
            how_far.show(number, step.time_ns)

    async def _publish(self, stream: str, payload: bytes) -> None:
        if not self._audience.wants(stream):
            return
        try:
            message = self._playback.exchange.parse(payload)
        except UNDECODABLE:
            return
        for part in data_of(message):
            if math.isinf(self._playback.speed):
                await self._audience.wait_room(part.stream)
            self._audience.publish(part.stream, part.payload)

    def _keep(self, answer: Answer) -> None:
        url = urlsplit(answer.target)
        if url.path.endswith("/depth"):
            for symbol in parse_qs(url.query).get("symbol", ()):
                self._snapshots[symbol] = answer.body
