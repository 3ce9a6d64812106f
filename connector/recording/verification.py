"""What a recording holds, and whether it is what was written: counts, spans, gaps, sequences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from connector.errors import ConfigError
from connector.events import Event
from connector.exchanges.protocol import UNDECODABLE, AnyStream, Data, Exchange
from connector.recording.format import Answer, Block, End, Hole, Mark, Start
from connector.recording.reader import read_blocks


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
    """Events whose ids were looked at."""
    gaps: int = 0
    """Places within a session at which ids are missing."""
    repeated: int = 0
    """Events that repeat an id, or come out of order."""
    undecodable: int = 0


@attrs.define
class Report:
    """All files of a recording."""

    exchange: str
    files: int = 0
    blocks: int = 0
    frames: int = 0
    replies: int = 0
    """Frames that are data of no stream."""
    bytes: int = 0
    first_ns: int = 0
    last_ns: int = 0
    connections: int = 0
    disconnects: dict[str, int] = attrs.field(factory=dict)
    """By reason."""
    answers: int = 0
    """Of REST requests, such as snapshots."""
    holes: int = 0
    """Frames that the recorder itself dropped."""
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
    paths: Iterable[Path], exchange: Exchange | None, streams: Iterable[AnyStream] = ()
) -> Report:
    """Read `paths` completely.

    Args:
        paths: the files in their order.
        exchange: whose; None to check neither decoding nor sequences.
        streams: how to decode what was recorded, and which id must follow which.

    Raises:
        OSError: a file cannot be read.
        ConfigError: one is no recording.
    """
    *_, report = verify_by_block(paths, exchange, streams)
    return report


def verify_by_block(
    paths: Iterable[Path], exchange: Exchange | None, streams: Iterable[AnyStream] = ()
) -> Iterator[Report]:
    """As `verify`; yields the one report after each block, as far as it is, and at its end."""
    check = _Check(exchange, {each.name: each for each in streams})
    for path in paths:
        for _ in check.file(path):
            yield check.report
    yield check.report


class _Check:
    def __init__(self, exchange: Exchange | None, streams: dict[str, AnyStream]) -> None:
        self.report = Report("" if exchange is None else exchange.name)
        self._exchange = exchange
        self._streams = streams
        self._last: dict[tuple[str, int, str], int] = {}

    def file(self, path: Path) -> Iterator[None]:
        """Read one file; yields after each block."""
        report = self.report
        report.files += 1
        report.bytes += path.stat().st_size
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
        report = self.report
        report.blocks += 1
        report.frames += len(block.times)
        if block.times:
            report.first_ns = report.first_ns or block.times[0]
            report.last_ns = block.times[-1]
        for time_ns, index, payload in zip(block.times, block.sources, block.payloads, strict=True):
            link, session, stream = block.table.sources[index]
            if stream is None:
                report.replies += 1
            else:
                self._frame((link, session, stream), time_ns, payload)
        ended = False
        for _, mark in block.table.marks:
            if isinstance(mark, Answer):
                report.answers += 1
            elif isinstance(mark, Hole):
                report.holes += mark.dropped
            elif isinstance(mark, Mark):
                self._mark(mark)
            elif isinstance(mark, Start):
                report.exchange = report.exchange or mark.exchange
                if mark.exchange != report.exchange:
                    raise ConfigError(f"recordings of {report.exchange} and of {mark.exchange}")
            else:
                ended = isinstance(mark, End)
        return ended

    def _mark(self, mark: Mark) -> None:
        report = self.report
        if mark.kind == "Connected":
            report.connections += 1
        elif mark.kind == "Disconnected":
            reason = str(mark.what.get("reason"))
            report.disconnects[reason] = report.disconnects.get(reason, 0) + 1

    def _frame(self, key: tuple[str, int, str], time_ns: int, payload: bytes) -> None:
        name = key[2]
        found = self.report.streams.setdefault(name, StreamReport(first_ns=time_ns))
        found.frames += 1
        found.bytes += len(payload)
        found.last_ns = time_ns
        stream = self._streams.get(name)
        if stream is None or self._exchange is None:
            return
        try:
            message = self._exchange.parse(payload)
            decoded = stream.decode(message.payload) if isinstance(message, Data) else []
        except UNDECODABLE:
            found.undecodable += 1
            return
        if stream.sequence is None:
            return
        found.sequence = "checked"
        for event in decoded if isinstance(decoded, list) else [decoded]:
            self._id(key, found, stream, event)

    def _id(
        self,
        key: tuple[str, int, str],
        found: StreamReport,
        stream: AnyStream,
        event: Event,
    ) -> None:
        assert stream.sequence is not None
        found.checked += 1
        last_id = self._last.get(key, 0)
        verdict = stream.sequence(last_id, event)
        if verdict == 0 and stream.blank_id is not None and stream.blank_id(event) > last_id:
            verdict = stream.blank_id(event)
        if verdict == 0:
            found.repeated += 1
            return
        found.gaps += verdict < 0
        self._last[key] = abs(verdict)
