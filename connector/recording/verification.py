"""Verify a recording: count frames, find gaps and damage, check the sequences of ids.

The loop that decodes live frames also decodes these (`connector.feeds.hot_loop`), all frames of a
stream in a block at once. The check is therefore fast, and accepts exactly what a live feed
accepts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import attrs

from connector.errors import ConfigError
from connector.events import Event
from connector.exchanges.envelope import NO_SHAPE
from connector.exchanges.inbound import data_of
from connector.exchanges.protocol import UNDECODABLE, AnyStream, Exchange, PartlyUndecodable
from connector.feeds.backpressure import Full
from connector.feeds.buffer import Buffer
from connector.feeds.hot_loop import take
from connector.feeds.subscription import Subscription
from connector.recording.continuity import Continuity
from connector.recording.format import CLOCK_SET, Answer, Block, End, Hole, Mark, Start
from connector.recording.reader import ALWAYS, Span, read_blocks

_AT_ONCE = 64
"""Events that live at a time: more of them are more than a processor's cache."""


@attrs.define
class StreamReport:
    """One stream."""

    frames: int = 0
    bytes: int = 0
    first_ns: int = 0
    last_ns: int = 0
    sequence: str = "not checked"
    """``checked`` by the exchange's rule; ``not checked`` where it has none."""
    checked: int = 0
    """The number of events with checked ids."""
    gaps: int = 0
    """The number of places within a session at which ids are missing."""
    repeated: int = 0
    """The number of events that repeat an id or are out of order."""
    undecodable: int = 0


@attrs.define
class Report:
    """All files of a recording."""

    exchange: str
    files: int = 0
    blocks: int = 0
    frames: int = 0
    replies: int = 0
    """The number of frames that belong to no stream."""
    bytes: int = 0
    first_ns: int = 0
    last_ns: int = 0
    connections: int = 0
    disconnects: dict[str, int] = attrs.field(factory=dict)
    """The number of disconnects by reason."""
    answers: int = 0
    """The number of answers to REST requests, such as snapshots."""
    holes: int = 0
    """The number of frames that the recorder dropped."""
    recordings: int = 0
    """The number of recordings. Sessions and ids start again in each."""
    broken: list[str] = attrs.field(factory=list)
    """Files of a recording before which one is missing, or was not ended."""
    clock_steps: int = 0
    """How often the wall clock was set meanwhile."""
    skipped: list[str] = attrs.field(factory=list)
    """Files that are no recording, and why."""
    torn: list[str] = attrs.field(factory=list)
    """Files that were cut off in their last block: the recorder was killed, or is at work."""
    damage: list[str] = attrs.field(factory=list)
    """Where files are not what was written."""
    streams: dict[str, StreamReport] = attrs.field(factory=dict)

    @property
    def sound(self) -> bool:
        """Whether everything that was written is there. A last block cut off was never written."""
        return not self.damage


def verify(
    paths: Iterable[Path],
    exchange: Exchange | None,
    streams: Iterable[AnyStream] = (),
    span: Span = ALWAYS,
) -> Report:
    """Read `paths` completely.

    Args:
        paths: the files in their order.
        exchange: whose; None to check neither decoding nor sequences.
        streams: how to decode what was recorded, and which id must follow which.
        span: of which frames to report; marks are counted in the files that have some of these.

    Raises:
        OSError: a file cannot be read.
        ConfigError: one is no recording.
    """
    *_, report = verify_by_block(paths, exchange, streams, span)
    return report


def verify_by_block(
    paths: Iterable[Path],
    exchange: Exchange | None,
    streams: Iterable[AnyStream] = (),
    span: Span = ALWAYS,
) -> Iterator[Report]:
    """As `verify`; yields the one report after each block, as far as it is, and at its end."""
    check = _Check(exchange, {each.name: each for each in streams}, span)
    for path in span.files(paths):
        for _ in check.file(path):
            yield check.report
    yield check.report


class _Check:
    def __init__(
        self, exchange: Exchange | None, streams: dict[str, AnyStream], span: Span
    ) -> None:
        self.report = Report("" if exchange is None else exchange.name)
        self._exchange = exchange
        self._streams = streams
        self._span = span
        envelope = None if exchange is None else exchange.envelope
        self._shape = NO_SHAPE if envelope is None else envelope.shape
        self._continuity = Continuity()
        self._room: Buffer[Any] = Buffer(_AT_ONCE, gaps=False)
        self._followed: dict[tuple[str, str], tuple[int, Subscription]] = {}
        """By link and stream: the session, and how far it is."""
        self._last_ns = 0
        self._name = ""

    def file(self, path: Path) -> Iterator[None]:
        """Read one file; yields after each block."""
        report = self.report
        report.files += 1
        report.bytes += path.stat().st_size
        self._name = path.name
        ended = False
        for block in read_blocks(path):
            if isinstance(block, Block):
                ended = self._block(block)
                yield
            else:
                where = f"{path.name}: {block.what}, at byte {block.offset}"
                (report.torn if block.torn else report.damage).append(where)
        if not ended and not any(each.startswith(f"{path.name}:") for each in report.torn):
            report.torn.append(f"{path.name}: the file was not ended")

    def _block(self, block: Block) -> bool:
        """Read a block; whether it ends the file."""
        self.report.blocks += 1
        ended, begin = False, 0
        for position, mark in block.table.marks:
            if isinstance(mark, Start):
                # Nothing of what follows is measured by what was before.
                self._frames(block, begin, position)
                begin = position
                self._start(mark)
            else:
                ended = isinstance(mark, End)
                self._mark(mark)
        self._frames(block, begin, len(block.times))
        return ended

    def _start(self, start: Start) -> None:
        report = self.report
        report.exchange = report.exchange or start.exchange
        if start.exchange != report.exchange:
            raise ConfigError(
                f"these are recordings of two exchanges, {report.exchange} and {start.exchange}"
            )
        broken = self._continuity.broken
        self._continuity.begin(start, self._last_ns)
        if self._continuity.recordings != report.recordings:
            report.recordings = self._continuity.recordings
            self._followed.clear()
        elif self._continuity.broken != broken:
            report.broken.append(self._name)

    def _mark(self, mark: object) -> None:
        report = self.report
        self._continuity.see(mark)
        if isinstance(mark, Answer):
            report.answers += 1
        elif isinstance(mark, Hole):
            report.holes += mark.dropped
        elif not isinstance(mark, Mark):
            return
        elif mark.kind == "Connected":
            report.connections += 1
        elif mark.kind == "Disconnected":
            reason = str(mark.what.get("reason"))
            report.disconnects[reason] = report.disconnects.get(reason, 0) + 1
        elif mark.kind == CLOCK_SET:
            report.clock_steps += 1

    def _frames(self, block: Block, begin: int, end: int) -> None:
        """Take the frames of a part of a block, one stream after another."""
        times: Sequence[int] = block.times[begin:end]
        sources: Sequence[int] = block.sources[begin:end]
        payloads: Sequence[bytes] = block.payloads[begin:end]
        if times:
            self._last_ns = times[-1]
        if self._span:
            wanted = [each in self._span for each in times]
            times = list(compress(times, wanted))
            sources = list(compress(sources, wanted))
            payloads = list(compress(payloads, wanted))
        if not times:
            return
        report = self.report
        report.frames += len(times)
        ends = times[0], times[-1]
        report.first_ns = min(report.first_ns or ends[0], *ends)
        report.last_ns = max(report.last_ns, *ends)
        last = _last_of_each(sources, times, len(block.table.sources))
        by_source: list[list[bytes]] = [[] for _ in block.table.sources]
        appends = [each.append for each in by_source]
        for append, payload in zip(map(appends.__getitem__, sources), payloads, strict=True):
            append(payload)
        for index in sorted(last):
            some = by_source[index]
            link, session, name = block.table.sources[index]
            if name is None:
                report.replies += len(some)
                continue
            found = report.streams.get(name)
            if found is None:
                first_ns = times[sources.index(index)]
                found = report.streams[name] = StreamReport(first_ns=first_ns)
            found.frames += len(some)
            found.bytes += sum(map(len, some))
            found.last_ns = max(found.last_ns, last[index])
            stream = self._streams.get(name)
            if stream is not None and self._exchange is not None:
                self._decode(found, self._follow(link, session, stream), some)

    def _follow(self, link: str, session: int, stream: AnyStream) -> Subscription:
        """How far a stream is; another session begins anew."""
        known = self._followed.get((link, stream.name))
        if known is not None and known[0] == session:
            return known[1]
        made = Subscription(stream, Full())
        made.attach(self._room)
        self._followed[link, stream.name] = (session, made)
        return made

    def _decode(
        self, found: StreamReport, subscription: Subscription, payloads: list[bytes]
    ) -> None:
        """Decode frames of one stream, and look at their ids."""
        streams = {subscription.name.encode(): subscription}
        checks = subscription.stream.sequence is not None
        if checks:
            found.sequence = "checked"
        first = 0
        while first < len(payloads):
            events: list[Event] = []
            taken, run, event, odd, verdict = take(
                payloads, first, 0, 0, events, streams, self._shape
            )
            if run is None:
                self._decode_one(found, subscription, payloads[first])
                first += 1
                continue
            if checks:
                found.checked += len(events) + (verdict is not None)
            if verdict is not None:
                self._out_of_sequence(found, subscription, event, verdict)
            if odd:
                self._decode_one(found, subscription, payloads[taken])
                taken += 1
            first = taken

    def _decode_one(self, found: StreamReport, subscription: Subscription, payload: bytes) -> None:
        """Decode a frame of another shape, or one that holds a list."""
        assert self._exchange is not None
        stream = subscription.stream
        try:
            parts = data_of(self._exchange.parse(payload))
            own = next((each.payload for each in parts if each.stream == stream.name), None)
            decoded = [] if own is None else stream.decode(own)
        except PartlyUndecodable as error:
            found.undecodable += 1
            decoded = error.events
        except UNDECODABLE:
            found.undecodable += 1
            return
        if stream.sequence is None:
            return
        events = decoded if isinstance(decoded, list) else [decoded]
        for event in subscription.folded(events):
            found.checked += 1
            verdict = stream.sequence(subscription.last_id, event)
            if verdict > 0:
                subscription.last_id = verdict
            else:
                self._out_of_sequence(found, subscription, event, verdict)

    @staticmethod
    def _out_of_sequence(
        found: StreamReport, subscription: Subscription, event: Event, verdict: int
    ) -> None:
        blank_id = subscription.stream.blank_id
        if verdict == 0 and blank_id is not None and blank_id(event) > subscription.last_id:
            verdict = blank_id(event)
        if verdict == 0:
            found.repeated += 1
            return
        found.gaps += verdict < 0
        subscription.last_id = abs(verdict)


def _last_of_each(sources: Sequence[int], times: Sequence[int], most: int) -> dict[int, int]:
    """The last time of each source, of which there are at most so many."""
    last: dict[int, int] = {}
    for index, time_ns in zip(reversed(sources), reversed(times), strict=True):
        if index not in last:
            last[index] = time_ns
            if len(last) == most:
                break
    return last
