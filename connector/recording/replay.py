"""An exchange that plays a recording: the same adapter, feeds and gaps, and nothing is dialled.

    async with open_adapter(replay(binance.UsdMFutures(), "recordings")) as adapter:
        ...

Sessions open and end where they did, with their numbers, and events carry the times at which they
were received. Two replays of one recording give the same events, at whatever speed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Generic

import attrs
import trio

from connector.channels import Channel
from connector.errors import ConfigError, ExchangeUnavailable
from connector.events import N_co
from connector.exchanges.protocol import (
    UNDECODABLE,
    AnyExchange,
    AnyStream,
    E,
    Envelope,
    Exchange,
    Inbound,
    Limits,
    Liveness,
    Page,
    Reply,
    RestRequest,
    RestService,
    Stream,
)
from connector.instruments import Instrument
from connector.link.source import FrameSink, stream_names
from connector.link.wire_subscriptions import Request
from connector.recording.folder import files_of
from connector.recording.format import Mark
from connector.recording.playhead import Playhead, give_others_a_turn
from connector.recording.reader import ALWAYS, Span, links_of, start_of
from connector.recording.steps import Frames
from connector.transport.http import Response


@attrs.frozen
class Recording:
    """A recording as a source of frames (`connector.link.source.FrameSource`).

    Args:
        paths: its files, in their order.
        speed: how fast.
        span: what is played of it.
        zero_ns: where its clock begins; with its first step, if None.
    """

    paths: tuple[Path, ...]
    speed: float = 1.0
    span: Span = ALWAYS
    zero_ns: int | None = None

    @contextmanager
    def begin(self, exchange: AnyExchange) -> Iterator[_Replaying]:
        """Begin at the first file."""
        starts = [start_of(path) for path in self.paths]
        for start, path in zip(starts, self.paths, strict=True):
            if start.exchange != exchange.name:
                said = f"{path} is a recording of {start.exchange}, not of {exchange.name}"
                raise ConfigError(said)
        streams = frozenset(name for start in starts for name in start.streams)
        playhead = Playhead(self.paths, self.speed, self.span, self.zero_ns)
        playhead.now_ns = starts[0].started_ns
        try:
            yield _Replaying(exchange, playhead, streams)
        finally:
            playhead.close()


@attrs.frozen
class Replay(Generic[N_co]):
    """An exchange with a recording as its source; made by `replay`."""

    exchange: Exchange[N_co]
    source: Recording
    routes: Mapping[str, str] = attrs.field(eq=False)
    """Of streams by name, as they were recorded; an exchange may carry them elsewhere now."""

    @property
    def name(self) -> str:
        """As of the exchange."""
        return self.exchange.name

    @property
    def numbers(self) -> type[N_co]:
        """As of the exchange."""
        return self.exchange.numbers

    @property
    def limits(self) -> Limits:
        """As of the exchange."""
        return self.exchange.limits

    @property
    def envelope(self) -> Envelope | None:
        """As of the exchange."""
        return self.exchange.envelope

    @property
    def liveness(self) -> Liveness:
        """As of the exchange; nobody is there to be told."""
        return self.exchange.liveness

    @property
    def compression(self) -> bool:
        """As of the exchange."""
        return self.exchange.compression

    @property
    def default_route(self) -> str:
        """As of the exchange."""
        return self.exchange.default_route

    @property
    def rest(self) -> RestService:
        """As of the exchange; it is not asked."""
        return self.exchange.rest

    def url(self, route: str) -> str:
        """As of the exchange; nobody connects there."""
        return self.exchange.url(route)

    def stream(self, channel: Channel[E]) -> Stream[E]:
        """As of the exchange, on the route that brought it."""
        stream = self.exchange.stream(channel)
        return attrs.evolve(stream, route=self.routes.get(stream.name, stream.route))

    def subscribe(self, request_id: int, streams: Sequence[AnyStream]) -> str:
        """As of the exchange; it is not sent."""
        return self.exchange.subscribe(request_id, streams)

    def unsubscribe(self, request_id: int, streams: Sequence[AnyStream]) -> str:
        """As of the exchange; it is not sent."""
        return self.exchange.unsubscribe(request_id, streams)

    def instruments(
        self,
    ) -> RestRequest[tuple[Instrument, ...]] | RestRequest[Page[Instrument]]:
        """As of the exchange; answered if they were recorded."""
        return self.exchange.instruments()

    def parse(self, frame: bytes) -> Inbound:
        """As of the exchange."""
        return self.exchange.parse(frame)


def replay(
    exchange: Exchange[N_co],
    paths: str | Path | Sequence[str | Path],
    *,
    speed: float = 1.0,
    since_ns: int | None = None,
    until_ns: int | None = None,
) -> Replay[N_co]:
    """`exchange` as it was recorded; give it to `open_adapter`.

    Args:
        exchange: what was recorded, such as ``binance.UsdMFutures()``.
        paths: a file, a folder of files, or files. They are played in the order in which they
            were recorded; a file that is no recording is left out, with a warning in the log.
        speed: 1 as it was, 10 ten times as fast, `math.inf` as fast as it is read. The time is
            trio's: under `trio.testing.MockClock` no speed takes any. With `math.inf` read through
            `Overflow.BLOCK`, the other policies would drop most of it.
        since_ns: begin with what was received then, nanoseconds since the epoch.
        until_ns: end before what was received then.

    Raises:
        ConfigError: there is no such recording, or more than one of that exchange, or no such
            speed.
    """
    if isinstance(speed, bool) or not speed > 0:
        raise ConfigError(f"speed={speed!r}: write a number above 0, or math.inf")
    files = files_of(paths, exchange.name)
    return _replay(exchange, Recording(files, float(speed), Span(since_ns, until_ns)))


def _replay(exchange: Exchange[N_co], recording: Recording) -> Replay[N_co]:
    routes: dict[str, str] = {}
    with suppress(OSError, ConfigError):  # raised when it begins
        for path in recording.paths:
            routes.update(start_of(path).routes)
        for stream, link in links_of(recording.paths).items():
            routes[stream] = link.removeprefix(f"{exchange.name}/").partition("#")[0]
    return Replay(exchange, recording, routes)


@attrs.frozen
class _Ending:
    reason: str
    text: str = ""


class _Replaying:
    """A recording at work for one adapter (`connector.link.source.Supply`)."""

    def __init__(self, exchange: AnyExchange, playhead: Playhead, streams: frozenset[str]) -> None:
        self.exchange = exchange
        self.playhead = playhead
        self.streams = streams
        self.asked = trio.Event()
        self._endings: dict[str, Mark] = {}
        """Ends that were read, by link; taken when the link has drawn its consequences."""
        self.expect = playhead.expect
        self.dismiss = playhead.dismiss

    def now_ns(self) -> int:
        return self.playhead.now_ns

    def pause(self, link: str, delay: float) -> float:
        """As it was recorded; the recording goes on from here."""
        ending = self._endings.pop(link, None)
        if ending is None:
            return 0.0
        self.playhead.take(ending)
        return float(ending.what.get("retry_seconds") or 0.0)

    async def next_session(self, link: str, session: int, delay: float) -> int:
        """Wait for a mark or a frame that says that a session begins, or is there."""
        while True:
            step = await self.playhead.turn(link)
            if isinstance(step, Frames) or step.kind in ("Connected", "Connecting"):
                if isinstance(step, Mark) and step.kind == "Connecting":
                    self.playhead.take(step)
                return step.session
            self.playhead.take(step)

    @asynccontextmanager
    async def open(self, link: str, session: int, sink: FrameSink) -> AsyncIterator[_Session]:
        """Wait for the mark that says how it went."""
        try:
            step = await self.playhead.turn(link)
        except trio.EndOfChannel:
            raise ExchangeUnavailable("the recording ends here") from None
        if isinstance(step, Mark) and step.kind == "Disconnected":
            self.remember(step)
            raise ExchangeUnavailable(str(step.what.get("detail", "")))
        if isinstance(step, Mark) and step.kind == "Connected":
            self.playhead.take(step)
        yield _Session(self, link, session, sink)

    def remember(self, disconnected: Mark) -> None:
        """Let the recording stand still until the link has dealt with the end of its session."""
        self._endings[disconnected.link] = disconnected

    @asynccontextmanager
    async def open_rest(self) -> AsyncIterator[_Answers]:
        await trio.lowlevel.checkpoint()
        yield _Answers(self.playhead)


@attrs.frozen
class _Answers:
    playhead: Playhead

    async def get(self, target: str) -> Response:
        return await self.playhead.answer(target)


class _Session:
    """One session of the recording (`connector.link.source.Carrier`)."""

    watched = False

    def __init__(self, supply: _Replaying, link: str, number: int, sink: FrameSink) -> None:
        self._supply = supply
        self._playhead = supply.playhead
        self._link = link
        self.number = number
        self._sink = sink
        self._acknowledged = trio.Event()
        self._known = False
        """Whether data came, which acknowledges what was asked for."""
        self._holes = supply.playhead.holes
        self.payload_bytes = 0
        self.blocked = False

    @property
    def wire_bytes(self) -> int:
        """What was recorded is what came out of the wire, compressed or not."""
        return self.payload_bytes

    def deliver_to(self, sink: FrameSink) -> None:
        self._sink = sink

    async def ask(self, request: Request) -> Reply | None:
        """Acknowledged when it was, or when the first data came; unless it was not recorded."""
        self._supply.asked.set()
        names = stream_names(request)
        if not request.subscribes:
            await trio.lowlevel.checkpoint()
            return Reply(request.request_id)
        missing = [name for name in names if name not in self._supply.streams]
        if missing:
            await trio.lowlevel.checkpoint()
            return Reply(request.request_id, None, f"the recording does not have {missing[0]}")
        await self._acknowledged.wait()
        return Reply(request.request_id)

    async def send(self, text: str) -> None:
        """Nobody is there."""
        await trio.lowlevel.checkpoint()

    async def ping(self) -> None:
        """Nobody is there."""
        await trio.lowlevel.checkpoint()

    async def close(self, *, timeout: float) -> None:  # noqa: ASYNC109
        """Nothing is open."""
        await trio.lowlevel.checkpoint()

    async def run(self) -> _Ending:
        """Play the session."""
        await trio.lowlevel.checkpoint()
        try:
            return await self._play()
        finally:
            self._playhead.leave(self._link)

    async def _play(self) -> _Ending:
        while True:  # noqa: ASYNC913  # the playhead executes a checkpoint now and then
            try:
                step = await self._playhead.turn(self._link)
            except trio.EndOfChannel:
                await give_others_a_turn()  # what they ask for is answered before the end
                return _Ending("ended")
            if step.session != self.number:
                return _Ending("error", "the recording does not say how this session ended")
            if isinstance(step, Frames):
                # Nobody would see what is played before the first subscription.
                await self._supply.asked.wait()
                await self._deliver(step)
                self._playhead.attend(self._link, self)
                continue
            if step.kind == "Disconnected":
                self._supply.remember(step)
                return _Ending(str(step.what.get("reason")), str(step.what.get("detail", "")))
            self._playhead.take(step)
            if step.kind == "Subscribed":
                self._acknowledged.set()
            elif step.kind == "Stale" and step.what.get("resubscribing"):
                self._sink.lost(str(step.what.get("stream")), "resubscribed")

    async def _deliver(self, step: Frames) -> None:
        """Deliver all of `step`, which is the present one, as there is room."""
        while (rest := self.accept(step)) is not None:  # noqa: ASYNC913  # it waits for room
            self._playhead.take(step, rest)
            step = rest
            self.blocked = True
            try:
                await self._sink.wait_for_room()
            finally:
                self.blocked = False
        self._playhead.take(step)

    def accept(self, step: Frames) -> Frames | None:
        """Deliver `step` (`connector.recording.playhead.Ear`)."""
        sink, payloads, streams = self._sink, step.payloads, step.streams
        if len(streams) > 1 or streams[0] is None or not sink.wants(streams[0]):
            pairs = [
                pair
                for pair in zip(streams, payloads, strict=True)
                if (not self._is_reply(pair[1]) if pair[0] is None else sink.wants(pair[0]))
            ]
            if not pairs:
                return None
            streams, payloads = zip(*pairs, strict=True)
        if not self._known and any(streams):
            self._known = True
            self._acknowledged.set()
        if self._holes != self._playhead.holes:
            self._holes = self._playhead.holes
            for name in sorted(self._supply.streams):
                sink.lost(name, "overflow")
        sink.stamp(step.time_ns, step.session)
        taken = sink.deliver(payloads, 0)
        for payload in payloads if taken == len(payloads) else payloads[:taken]:
            self.payload_bytes += len(payload)
        if taken == len(payloads):
            return None
        return Frames(step.link, step.session, step.time_ns, streams[taken:], payloads[taken:])

    def _is_reply(self, payload: bytes) -> bool:
        """Whether a frame answers a request of whoever recorded it."""
        try:
            return isinstance(self._supply.exchange.parse(payload), Reply)
        except UNDECODABLE:
            return False
