"""`Capture`: recorded traffic, played as the source of a simulated exchange."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import attrs
import msgspec
import trio

from connector.errors import ConfigError
from connector.recording import files_of, start_of
from connector.testing.market.audience import Audience
from connector.testing.market.capture_files import Frame, is_recording, read_capture
from connector.testing.market.captured import Captured, CaptureReader, ShownStates
from connector.testing.market.recorded_books import RecordedBooks
from connector.testing.market.sources import Player

_FRAMES_PER_CHECKPOINT = 64
_NOT_OF_THE_VENUE = (
    LookupError, TypeError, ValueError, AttributeError, ArithmeticError, msgspec.MsgspecError,
)  # fmt: skip
_BINANCE = {"spot": "binance_spot", "usdm": "binance_usdm"}


@attrs.frozen
class Capture:
    """Plays recorded traffic to the connections subscribed to the streams that it holds.

    It takes captures (``*.jsonl.gz``) and recordings of ``connector record``, of the exchange that
    is simulated. Each client receives the recorded messages of the streams that it subscribed to,
    in order. Requests and their replies, pings and limits are those of the simulated exchange. A
    late subscriber first receives the state of the stream: the book as of now, written as the
    exchange writes its snapshots, or the last message of a stream whose messages are whole.

    The capture's clock starts when one of its streams gets its first listener.

    Args:
        path: a ``*.jsonl.gz`` file, a recording, or a folder with one.
        speed: 1 is the capture's own pace, 10 ten times as fast, `math.inf` as fast as the clients
            read.
        loop: whether to start again at the end.
        resume: whether the clock stops while the stream of the next frame has no listener, so that
            every frame is sent exactly once. Otherwise a late subscriber misses earlier frames.
        streams: the streams to play, as the simulated exchange names them; None means all.
    """

    path: Path = attrs.field(converter=Path)
    speed: float = attrs.field(default=1.0, validator=attrs.validators.gt(0), kw_only=True)
    loop: bool = attrs.field(default=False, kw_only=True)
    resume: bool = attrs.field(default=False, kw_only=True)
    streams: tuple[str, ...] | None = attrs.field(default=None, kw_only=True)

    def begin(self, audience: Audience) -> Player:
        """Open the capture at its start, after reading it once for the streams that it contains.

        Raises:
            ConfigError: it is a recording of another exchange.
            ValueError: the capture contains no data of the exchange, or a stream that the exchange
                does not have.
        """
        venue = audience.venue.rules.name
        exchange = _BINANCE.get(venue, venue)
        if is_recording(self.path):
            self._check_exchange(exchange)
        held: dict[str, None] = {}
        symbols: dict[str, None] = {}
        for _, message in self.messages(audience, exchange):
            held |= dict.fromkeys(message.streams)
            symbols |= {message.symbol: None} if message.symbol else {}
        for name in held:
            if audience.venue.route_of(name) is None:
                raise ValueError(
                    f"{self.path} holds {name!r}, which is no stream of "
                    f"{venue}; is it of another venue?"
                )
        if not held:
            raise ValueError(f"{self.path} holds no data of {venue}; is it of another venue?")
        playback = _Playback(self, audience, held, tuple(symbols), exchange)
        if audience.shows_states:
            audience.listing = playback
        return playback

    def messages(self, audience: Audience, exchange: str) -> Iterator[tuple[Frame, Captured]]:
        """The recorded messages, as the exchange of `audience` reads them."""
        reader = audience.capture_reader()
        for frame in read_capture(self.path, exchange):
            for message in _read(reader, frame):
                yield frame, message

    def _check_exchange(self, exchange: str) -> None:
        recorded = start_of(files_of(self.path, exchange)[0]).exchange
        if recorded != exchange:
            raise ConfigError(
                f"{self.path} is a recording of {recorded}: write open_exchange({recorded!r}, …)"
            )


def _read(reader: CaptureReader, frame: Frame) -> Iterable[Captured]:
    """What a frame brings; a damaged message brings nothing."""
    if frame.kind != "recv" or frame.text is None:
        return ()
    try:
        return reader.read(frame.text)
    except _NOT_OF_THE_VENUE:
        return ()


class _Playback:
    def __init__(
        self,
        source: Capture,
        audience: Audience,
        held: Iterable[str],
        symbols: tuple[str, ...],
        exchange: str,
    ) -> None:
        self._source = source
        self._audience = audience
        self._streams = dict.fromkeys(held if source.streams is None else source.streams)
        self._symbols = symbols
        self._exchange = exchange
        self._states = ShownStates()
        self._books = RecordedBooks()
        self._zero_ns = 0
        self._zero = 0.0

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols in the capture; of Binance those whose snapshot has been played."""
        return self._symbols or self._books.symbols

    def first(self, stream: str) -> list[bytes]:
        """The state of a stream, as far as it has been played."""
        return self._states.first(stream)

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        """The last fetched snapshot with all later changes, cut to `limit` levels."""
        return self._books.snapshot(symbol, limit)

    async def play(self) -> None:
        while True:
            await self._wait_for_anybody()
            self._zero_ns = 0
            self._states, self._books = ShownStates(), RecordedBooks()
            await self._play_once()
            if not self._source.loop:
                return

    async def _wait_for_anybody(self) -> None:
        await trio.lowlevel.checkpoint()
        while not any(map(self._audience.wants, self._streams)):
            await self._audience.wait_change()

    async def _play_once(self) -> None:
        reader = self._audience.capture_reader()
        frames = read_capture(self._source.path, self._exchange)
        for number, frame in enumerate(frames):
            if number % _FRAMES_PER_CHECKPOINT == 0:
                await trio.lowlevel.checkpoint()
            await self._wait_until_due(frame)
            if frame.kind == "http":
                self._keep_snapshot(frame)
            for message in _read(reader, frame):
                if any(stream in self._streams for stream in message.streams):
                    await self._send(message)

    async def _wait_until_due(self, frame: Frame) -> None:
        if frame.ns is None:
            return
        if not self._zero_ns:
            self._zero_ns, self._zero = frame.ns, trio.current_time()
        if not math.isinf(self._source.speed):
            due = self._zero + (frame.ns - self._zero_ns) / 1e9 / self._source.speed
            if due > trio.current_time():
                await trio.sleep_until(due)

    async def _send(self, message: Captured) -> None:
        resumes = self._source.resume and message.awaited
        if self._source.resume or math.isinf(self._source.speed):
            for stream in message.streams:
                await self._audience.wait_room(stream)
        while not self._publish(message) and resumes:
            held_since = trio.current_time()
            await self._audience.wait_change()
            self._zero += trio.current_time() - held_since
        self._states.add(message)
        self._books.change(message.streams[0], message.data)

    def _publish(self, message: Captured) -> int:
        return sum(self._audience.publish(stream, message.data) for stream in message.streams)

    def _keep_snapshot(self, frame: Frame) -> None:
        url = urlsplit(frame.url or "")
        if url.path.endswith("/depth") and frame.text is not None:
            for symbol in parse_qs(url.query).get("symbol", ()):
                self._books.keep(symbol, frame.text)
