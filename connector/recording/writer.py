"""Write a recording: collect frames in memory, and append them to the file as blocks.

Written blocks survive a crash of the process; collected frames do not. The owner of the writer
therefore writes a block at least every second (`Writer.is_due`), and when one mebibyte has been
collected. The second limit keeps each write short.
"""

from __future__ import annotations

import os
import platform
import time
import uuid
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Protocol

import attrs

from connector._version import __version__
from connector.errors import ConnectorError, DecodeError
from connector.events import Gap
from connector.lifecycle import LinkEvent, Rejected
from connector.link.raw_frames import FrameItem, RawFrame, RestAnswer
from connector.recording.clock import ClockWatch
from connector.recording.format import (
    Answer,
    AnyMark,
    Block,
    End,
    Head,
    Hole,
    Mark,
    Plain,
    Start,
    Table,
    fields_of,
)
from connector.recording.zstd import compress

BLOCK_BYTES = 1024 * 1024
"""Of payload, at which a block is written."""
BLOCK_SECONDS = 1.0
"""At which a block is written in any case."""
_FRAME_BYTES = 16
"""What a frame takes in the columns."""


class RecordingFailed(ConnectorError):
    """A recording cannot be written: the disk is full, or a permission is missing."""


class RawFile(Protocol):
    """An unbuffered binary file, such as ``open(path, "xb", buffering=0)`` gives."""

    def write(self, data: bytes, /) -> int | None: ...

    def truncate(self, size: int, /) -> int: ...

    def seek(self, offset: int, /) -> int: ...

    def fileno(self) -> int: ...

    def close(self) -> None: ...


@attrs.frozen
class Subject:
    """The exchange, channels and streams of a recording."""

    exchange: str
    """The name of the exchange."""
    channels: tuple[str, ...]
    """The channels, as text."""
    streams: tuple[str, ...]
    """The exchange's names of their streams."""
    routes: Mapping[str, str] = attrs.field(factory=dict)
    """The route of each stream. A replay needs it for streams without data."""


class Presence:
    """Which sessions are open, from the marks that pass: what a file that follows begins with.

    The files of one recording share it, and a reader knows them by its name.

    Args:
        recording: the name; one that nobody else has, if left out.
    """

    def __init__(self, recording: str | None = None) -> None:
        self.recording = uuid.uuid4().hex if recording is None else recording
        self.files = 0
        """How many were begun."""
        self._open: dict[str, tuple[int, bool]] = {}

    def see(self, mark: Mark) -> None:
        """Take a mark."""
        if mark.kind == "Connected":
            self._open[mark.link] = (mark.session, False)
        elif mark.kind == "Subscribed":
            self._open[mark.link] = (mark.session, True)
        elif mark.kind == "Disconnected":
            self._open.pop(mark.link, None)

    def now(self) -> list[tuple[str, int, bool]]:
        """Link, session, and whether everything is acknowledged."""
        return [(link, *state) for link, state in self._open.items()]


class Writer:
    """One file of a recording.

    Args:
        file: where to; closed by `end` or `abandon`.
        subject: what is recorded.
        presence: shared by the files of a recording.
        number: of the file among them; the next one if left out.
        run: of the recording among those of its folder; 0 if it is not known.
        clock: knows when the wall clock is set, which leaves a mark; None not to look.
        started_ns: when it begins.
        sync: whether every block is forced to the disk, so that it survives a power cut; without
            it only `end` does so.

    Raises:
        RecordingFailed: the file cannot be written.
    """

    def __init__(
        self,
        file: RawFile,
        subject: Subject,
        presence: Presence,
        *,
        number: int | None = None,
        run: int = 0,
        clock: ClockWatch | None = None,
        started_ns: int,
        sync: bool = False,
    ) -> None:
        self._file = file
        self._presence = presence
        self._sync = sync
        self._clock = clock
        number = presence.files + 1 if number is None else number
        self.bytes = 0
        """Written so far."""
        self.raw_bytes = 0
        """The same before compression."""
        self.frames = 0
        """In the blocks that were written."""
        self.blocks = 0
        self.closed = False
        self._torn = False
        """Whether part of a block stands behind the last whole one."""
        self._marks: list[tuple[int, AnyMark]] = []
        self._sources: dict[tuple[str, int, str | None], int] = {}
        self._times: list[int] = []
        self._indices: list[int] = []
        self._payloads: list[bytes] = []
        self._gathered = 0
        self._last_ns = 0
        self._due = time.monotonic() + BLOCK_SECONDS
        self._mark(
            Start(
                exchange=subject.exchange,
                channels=list(subject.channels),
                streams=list(subject.streams),
                routes=dict(subject.routes),
                started_ns=started_ns,
                number=number,
                recording=presence.recording,
                run=run,
                software=f"trio-connector {__version__}",
                python=platform.python_version(),
                present=presence.now(),
            )
        )
        self.flush()
        presence.files = number  # a file that could not be begun is none

    def add(self, items: Iterable[FrameItem | AnyMark]) -> None:
        """Add items of a feed of frames, or marks of this format.

        Raises:
            RecordingFailed: a block had to be written, and could not be; all of `items` are taken
                nevertheless, and written by the next `flush` that succeeds.
        """
        failure: RecordingFailed | None = None
        if self._clock is not None and (by_ns := self._clock.moved_ns()):
            items = self._clock.marked(tuple(items), by_ns, self._last_ns)
        sources = self._sources
        for item in items:
            if type(item) is not RawFrame:
                self._mark(_mark_of(item))
                continue
            self._last_ns = item.received_ns
            source = (item.link, item.session, item.stream)
            self._times.append(item.received_ns)
            self._indices.append(sources.setdefault(source, len(sources)))
            self._payloads.append(item.payload)
            self._gathered += len(item.payload) + _FRAME_BYTES
            if self._gathered >= BLOCK_BYTES and failure is None:
                try:
                    self.flush()
                except RecordingFailed as error:
                    failure = error
        if failure is not None:
            raise failure

    def adopt(self, other: Writer) -> None:
        """Take over the unwritten items of `other`, before all further items."""
        self._marks += other._marks
        self._sources = other._sources
        self._times, self._indices = other._times, other._indices
        self._payloads, self._gathered = other._payloads, other._gathered
        self._last_ns = other._last_ns

    def is_due(self) -> bool:
        """Whether a second has passed since the last block was written."""
        return time.monotonic() >= self._due

    def flush(self) -> None:
        """Write the collected items as a block.

        Raises:
            RecordingFailed: it cannot be written; the file ends with the block before it, and what
                has gathered stays.
        """
        self._due = time.monotonic() + BLOCK_SECONDS
        if not (self._times or self._marks):
            return
        table = Table(list(self._sources), self._marks)
        raw = Block(table, self._times, self._indices, self._payloads).encode()
        compressed = compress(raw)
        head = Head(
            compressed_bytes=len(compressed),
            raw_bytes=len(raw),
            crc=zlib.crc32(compressed),
            frames=len(self._times),
            first_ns=self._times[0] if self._times else 0,
            last_ns=self._times[-1] if self._times else 0,
        )
        self._write(head.encode() + compressed)
        self.frames += len(self._times)
        self.raw_bytes += len(raw)
        self.blocks += 1
        self._marks = []
        self._sources.clear()
        self._times, self._indices, self._payloads = [], [], []
        self._gathered = 0

    def end(self, reason: str, time_ns: int) -> None:
        """Write the rest and close the file.

        Raises:
            RecordingFailed: it cannot be written; the file is closed all the same.
        """
        if self.closed:
            return
        try:
            self._marks.append(
                (len(self._times), End(time_ns, self.frames + len(self._times), reason))
            )
            self.flush()
            _force(self._file)
        except OSError as error:
            raise RecordingFailed(f"cannot complete the file: {error.strerror or error}") from error
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close the file without writing the rest."""
        if not self.closed:
            self.closed = True
            with suppress(OSError):  # what a network tells at the end is no news
                self._file.close()

    def is_removed(self) -> bool:
        """Whether another program has removed the file, so that further blocks would be lost."""
        try:
            return not self.closed and os.fstat(self._file.fileno()).st_nlink == 0
        except (OSError, AttributeError):
            return False

    def _mark(self, mark: AnyMark) -> None:
        if isinstance(mark, Mark):
            self._presence.see(mark)
        elif isinstance(mark, Answer):
            self._gathered += len(mark.body)
        self._marks.append((len(self._times), mark))

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            if self._torn:
                self._cut()
            while rest:
                rest = rest[self._file.write(bytes(rest)) or 0 :]
            if self._sync:
                _force(self._file)
        except OSError as error:
            self._torn = True
            with suppress(OSError):
                self._cut()
            raise RecordingFailed(
                f"a block of {len(data)} bytes cannot be written: {error.strerror or error}; the "
                "file ends with the block before it"
            ) from error
        self.bytes += len(data)

    def _cut(self) -> None:
        """Take back part of a block, where the disk lets us; a reader stops before it anyway."""
        self._file.truncate(self.bytes)
        self._file.seek(self.bytes)
        self._torn = False


def _force(file: RawFile) -> None:
    os.fsync(file.fileno())


def _mark_of(item: object) -> AnyMark:
    """The mark of what is no frame."""
    if isinstance(item, Start | Mark | Answer | Hole | End):
        return item
    if isinstance(item, RestAnswer):
        return Answer(item.target, item.received_ns, item.body)
    if isinstance(item, Gap):
        return Hole(time.time_ns(), item.dropped or 0)
    if isinstance(item, DecodeError):
        what: dict[str, Plain] = {"stream": item.stream, "reason": item.reason}
        return Mark("DecodeError", "", 0, time.time_ns(), what)
    assert isinstance(item, LinkEvent)
    what = fields_of(item)
    if isinstance(item, Rejected):
        what = {"code": item.error.code, "message": item.error.message}
    return Mark(type(item).__name__, item.link, item.session, item.time_ns, what)
