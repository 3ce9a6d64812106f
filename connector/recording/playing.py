"""Play a recording for one adapter: open sessions, deliver frames into them, answer requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import attrs
import trio

from connector.adapter.local_book import LocalBook
from connector.channels import BookDeltas
from connector.errors import ExchangeUnavailable
from connector.exchanges.protocol import UNDECODABLE, AnyExchange, Reply, Subscribed
from connector.feeds.message_numbers import MessageNumbers
from connector.feeds.subscription import Subscription
from connector.link.source import FrameSink, stream_names
from connector.link.wire_subscriptions import Request
from connector.recording.format import Mark
from connector.recording.playhead import Playhead, give_others_a_turn
from connector.recording.steps import Frames
from connector.transport.http import Response


@attrs.frozen
class _Ending:
    reason: str
    text: str = ""


class Replaying:
    """A running replay for one adapter (`connector.link.source.Supply`)."""

    def __init__(
        self,
        exchange: AnyExchange,
        playhead: Playhead,
        streams: frozenset[str],
        number_of: Callable[[bytes], int | None] | None,
    ) -> None:
        self.exchange = exchange
        self.number_of = number_of
        """The number of a message on its connection, where the exchange counts them."""
        self.playhead = playhead
        self.streams = streams
        self.asked = trio.Event()
        self._endings: dict[str, Mark] = {}
        """The ends that were read, by link. They are taken when the link has reacted to them."""
        self.expect = playhead.expect
        self.dismiss = playhead.dismiss

    def now_ns(self) -> int:
        return self.playhead.now_ns

    def pause(self, link: str, delay: float) -> float:
        """The recorded pause; the replay continues from here."""
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
        """Wait for the mark with the recorded outcome."""
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
        """Pause the replay until the link has processed the end of its session."""
        self._endings[disconnected.link] = disconnected

    def asking(self) -> None:
        """Pause the replay until the request has been sent."""
        self.playhead.expect_question()

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

    def __init__(self, supply: Replaying, link: str, number: int, sink: FrameSink) -> None:
        self._supply = supply
        self._playhead = supply.playhead
        self._link = link
        self.number = number
        self._sink = sink
        self._acknowledged = trio.Event()
        self.deltas: dict[str | None, Subscription] = {}
        """Streams that may feed local books, by name."""
        self._known = False
        """Whether data has arrived, which acknowledges the subscriptions."""
        self._holes = supply.playhead.holes
        number_of = supply.number_of
        self._numbers = None if number_of is None else MessageNumbers(number_of)
        self._rest: Frames | None = None
        """The rest of the current step, which has been counted already."""
        self.payload_bytes = 0
        self.blocked = False

    @property
    def wire_bytes(self) -> int:
        """What was recorded is what came out of the wire, compressed or not."""
        return self.payload_bytes

    def deliver_to(self, sink: FrameSink) -> None:
        self._sink = sink

    async def ask(self, request: Request) -> Reply | None:
        """Acknowledge at the recorded time, or with the first data; not if it was not recorded."""
        self._supply.asked.set()
        names = stream_names(request)
        for each in request.subscriptions:
            if request.subscribes and isinstance(each.stream.channel, BookDeltas):
                self.deltas[each.name] = each
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
        """Do nothing: there is no peer."""
        await trio.lowlevel.checkpoint()

    async def ping(self) -> None:
        """Do nothing: there is no peer."""
        await trio.lowlevel.checkpoint()

    async def close(self, *, timeout: float) -> None:  # noqa: ASYNC109
        """Do nothing: no socket is open."""
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
                return _Ending("error", "the recording does not say how this connection ended")
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
        """Deliver all of `step`, the current one, whenever there is room."""
        while (rest := self.accept(step)) is not None:  # noqa: ASYNC913  # it waits for room
            self._playhead.take(step, rest)
            step = rest
            self.blocked = True
            try:
                await self._sink.wait_for_room()
            finally:
                self.blocked = False
        self._playhead.take(step)

    def _books(self, step: Frames | None) -> Iterator[LocalBook]:
        for name in self.deltas if step is None else step.streams:
            deltas = self.deltas.get(name)
            if deltas is not None:
                yield from (each for each in deltas.buffers() if isinstance(each, LocalBook))

    def shows(self, step: Frames | None) -> bool:
        """Whether a local book changes (`connector.recording.playhead.Ear`)."""
        return any(True for _ in self._books(step))

    def unread(self, step: Frames | None) -> int:
        """The unread events of these books (`connector.recording.playhead.Ear`)."""
        return sum(book.unread() for book in self._books(step))

    def keep_unread(self, step: Frames | None) -> None:
        """Freeze these views (`connector.recording.playhead.Ear`)."""
        for book in self._books(step):
            book.keep_unread()

    def accept(self, step: Frames) -> Frames | None:
        """Deliver `step` (`connector.recording.playhead.Ear`)."""
        if self._numbers is not None and step is not self._rest:
            step = self._count(step, self._numbers)
            if not step.payloads:
                return None
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
        rest = Frames(step.link, step.session, step.time_ns, streams[taken:], payloads[taken:])
        self._rest = rest
        return rest

    def _count(self, step: Frames, numbers: MessageNumbers) -> Frames:
        """`step` without repeated messages; a loss before it is reported first."""
        streams: list[str | None] = []
        payloads: list[bytes] = []
        for begin, end, lost, late in numbers.runs(step.payloads, 0):
            if lost:
                for name in sorted(self._supply.streams):
                    self._sink.lost(name, "sequence")
            if late:
                continue
            numbers.passed(step.payloads, begin, end)
            streams += step.streams[begin:end]
            payloads += step.payloads[begin:end]
        return Frames(step.link, step.session, step.time_ns, tuple(streams), tuple(payloads))

    def _is_reply(self, payload: bytes) -> bool:
        """Whether a frame answers a request of the recording program."""
        try:
            return isinstance(self._supply.exchange.parse(payload), Reply | Subscribed)
        except UNDECODABLE:
            return False
