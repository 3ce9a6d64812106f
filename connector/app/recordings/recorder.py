"""Record an adapter into files, and begin a new file by age and size."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Protocol

import attrs
import trio

from connector import Adapter, Feed, Overflow
from connector.app.naming import write_channel
from connector.app.recordings.folder_lock import FolderLock
from connector.app.recordings.retention import Retention, delete_old
from connector.channels import AnyChannel, OrderBook
from connector.exchanges.protocol import Exchange
from connector.lifecycle import write_fields
from connector.link.raw_frames import FrameItem
from connector.recording import SUFFIX, RecordingFailed, Subject, Writer
from connector.recording.clock import ClockWatch
from connector.recording.folder import starts_in
from connector.recording.writer import BLOCK_SECONDS, Presence

_log = logging.getLogger("connector.recorder")

NS_PER_SECOND = 1_000_000_000
MIB = 1024 * 1024
BUFFER_FRAMES = 65_536
"""About a second of the busiest hour of the captures, for a disk that pauses."""


@attrs.frozen
class Progress:
    """The progress of a recording."""

    seconds: float
    frames: int
    bytes: int
    """Bytes on the disk."""
    raw_bytes: int
    """Bytes before compression."""
    files: int
    reconnects: int
    gaps: int
    dropped: int
    """The number of frames lost to the recorder's overflow policy."""
    path: str
    """The current file."""
    removed: int = 0
    """The number of files that another program removed; their frames are lost."""


class Screen(Protocol):
    """Shows the progress of a recording."""

    def show(self, progress: Progress) -> None: ...


@attrs.define
class Files:
    """The files of one recording. One of them is open."""

    folder: Path
    """The folder of the files."""
    subject: Subject
    """The exchange and channels that are recorded."""
    rotate_seconds: float
    """The age at which a new file begins, in seconds."""
    rotate_bytes: int
    """The size at which a new file begins, in bytes."""
    sync: bool = False
    """Whether to sync each block to the disk."""
    retention: Retention = attrs.field(factory=Retention, kw_only=True)
    """Which old files to delete."""
    presence: Presence = attrs.field(factory=Presence, kw_only=True)
    """The connections that are open when a file begins."""
    clock: ClockWatch = attrs.field(factory=ClockWatch, kw_only=True)
    """Watches for jumps of the machine's clock."""
    paths: list[Path] = attrs.field(factory=list, kw_only=True)
    """The files written so far, oldest first."""
    removed: int = attrs.field(default=0, kw_only=True)
    """The number of files that another program removed while they were written."""
    _past_frames: int = 0
    _past_bytes: int = 0
    _past_raw_bytes: int = 0
    _writer: Writer | None = None
    _began: float = 0.0
    _lock: FolderLock | None = None
    _run: int = 0

    @contextmanager
    def opened(self) -> Iterator[Writer]:
        """Open the first file. Leaving the block ends the open file in order.

        Raises:
            RecordingFailed: the folder cannot be made, or a file not be written.
        """
        self.begin()
        try:
            yield self.writer
        except BaseException:
            with suppress(RecordingFailed):  # which it may be that we are told of
                self.end("failed")
            raise
        self.end("stopped")

    @property
    def writer(self) -> Writer:
        """The writer of the current file."""
        assert self._writer is not None
        return self._writer

    def write_if_due(self) -> bool:
        """Write the buffered frames if it is time. Returns whether it was.

        Raises:
            RecordingFailed: as `write`.
        """
        due = self.writer.is_due()
        if due:
            self.write()
        return due

    def write(self) -> None:
        """Write the buffered frames, into a new file if the current one is removed, old or large.

        Raises:
            RecordingFailed: it cannot be written, or the next file not be begun; what has gathered
                waits for the next call.
        """
        if self.writer.closed:
            self.begin()
        elif self.writer.is_removed():
            self._begin_instead()
        self.writer.flush()
        old = trio.current_time() - self._began >= self.rotate_seconds
        if old or self.writer.bytes >= self.rotate_bytes:
            self._end_written()
            self.begin()

    def _begin_instead(self) -> None:
        """Begin a file for one that somebody has removed."""
        removed = self.writer
        fields = {"path": str(self.paths[-1]), "lost_frames": removed.frames}
        text = write_fields(fields)
        _log.error(
            "a recording file was removed while it was being written %s",
            text,
            extra={"fields": fields},
        )
        self.removed += 1
        self.begin()
        self.writer.adopt(removed)
        removed.abandon()

    def _end_written(self) -> None:
        """End a file in which all is that has gathered."""
        with suppress(RecordingFailed):  # that it was ended in order; nothing else is missing
            self.end("rotated")

    def follow(self, subject: Subject) -> None:
        """Record `subject` from now on. Another subject begins a new file.

        Raises:
            RecordingFailed: as `opened`.
        """
        if subject != self.subject:
            if not self.writer.closed:
                self.writer.flush()
                self._end_written()
            self.subject = subject
            self.begin()

    def counts(self) -> tuple[int, int, int]:
        """The frames, bytes, and bytes before compression of all files."""
        writer = self.writer
        return (
            self._past_frames + writer.frames,
            self._past_bytes + writer.bytes,
            self._past_raw_bytes + writer.raw_bytes,
        )

    def begin(self) -> None:
        """Begin a file. Without `opened`, the caller must call `end` afterwards.

        Raises:
            RecordingFailed: as `opened`.
        """
        now_ns = time.time_ns()
        moment = datetime.fromtimestamp(now_ns / NS_PER_SECOND, UTC).strftime("%Y%m%dT%H%M%SZ")
        number = self.presence.files + 1
        path = self.folder / f"{self.subject.exchange}-{moment}-{number:04}{SUFFIX}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._lock is None or not self._lock.holds():
                self._lock_folder()
            path = _free(path, number)
            file = path.open("xb", buffering=0)
        except OSError as error:
            self._release_unless_begun()
            raise RecordingFailed(
                f"cannot write {path}: {error.strerror or error}; choose another folder"
            ) from error
        try:
            writer = self._begun(file, number, now_ns)
        except RecordingFailed:
            self._release_unless_begun()
            # A full disk: an empty file would only be in the way of readers.
            with suppress(OSError):
                file.close()
                path.unlink()
            raise
        if self._writer is not None:
            self._past_frames, self._past_bytes, self._past_raw_bytes = self.counts()
        self.paths.append(path)
        self._began = trio.current_time()
        self._writer = writer
        delete_old(self.folder, self._kept(), self.subject.exchange, path)

    def _begun(self, file: FileIO, number: int, now_ns: int) -> Writer:
        return Writer(
            file,
            self.subject,
            self.presence,
            number=number,
            run=self._run,
            clock=self.clock,
            started_ns=now_ns,
            sync=self.sync,
        )

    def end(self, reason: str) -> None:
        """Write the rest and end the current file.

        Raises:
            RecordingFailed: the rest cannot be written.
        """
        try:
            self.writer.end(reason, time.time_ns())
        finally:
            if reason != "rotated":
                self._release()

    def _lock_folder(self) -> None:
        """Lock the folder, and find the number of this recording in it.

        Raises:
            RecordingFailed: somebody else records here.
            OSError: the folder may not be written.
        """
        self._release()
        lock = FolderLock(self.folder)
        lock.take()
        self._lock = lock
        runs = {each.recording: each.run for each in starts_in(self.folder)}
        self._run = runs.get(self.presence.recording, 0) or 1 + max(runs.values(), default=0)

    def _release(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def _release_unless_begun(self) -> None:
        """Release the folder if there is no file. A file that was begun is continued."""
        if self._writer is None:
            self._release()

    def _kept(self) -> Retention:
        """The bytes that earlier files may take, so that the current one fits as well."""
        most = self.retention.bytes
        if most is None:
            return self.retention
        return attrs.evolve(self.retention, bytes=most - min(self.rotate_bytes, most // 2))


def _free(path: Path, number: int) -> Path:
    """`path`, or with a higher number: two recordings may begin within one second."""
    stem = path.name.removesuffix(f"{number:04}{SUFFIX}")
    while path.exists():
        number += 1
        path = path.with_name(f"{stem}{number:04}{SUFFIX}")
    return path


def subject_of(exchange: Exchange, channels: tuple[AnyChannel, ...]) -> Subject:
    """Describe a recording of `channels`, for `Files`.

    Raises:
        ConfigError: the exchange does not offer one.
    """
    streams = [exchange.stream(channel) for channel in channels]
    carried = [each if each.book is None else each.book.deltas for each in streams]
    routes = {each.name: each.route for each in carried}
    return Subject(exchange.name, tuple(map(write_channel, channels)), tuple(routes), routes)


async def record(
    adapter: Adapter,
    channels: tuple[AnyChannel, ...],
    files: Files,
    screen: Screen,
    stop: trio.Event,
    *,
    overflow: Overflow = Overflow.BLOCK,
) -> Progress:
    """Record `channels` until `stop` is set. Returns the final progress.

    A block is written every second. The write is short and synchronous, so it holds up the program
    for as long as the disk takes for a mebibyte; frames wait meanwhile, and are lost only if
    `overflow` says so, which leaves a mark.

    Raises:
        RecordingFailed: a file cannot be written; what was written before can be read.
        SubscriptionRejected: the exchange refused a channel.

    Cancellation: the present file is ended in order.
    """
    began = trio.current_time()

    def progress() -> Progress:
        frames, bytes_, raw_bytes = files.counts()
        counted = adapter.statistics()
        return Progress(
            seconds=trio.current_time() - began,
            frames=frames,
            bytes=bytes_,
            raw_bytes=raw_bytes,
            files=len(files.paths),
            reconnects=sum(counted.reconnects.values()),
            gaps=counted.gaps,
            dropped=feed.statistics().dropped,
            path=str(files.paths[-1]),
            removed=files.removed,
        )

    with adapter.frames(buffer=BUFFER_FRAMES, overflow=overflow) as feed, files.opened():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_subscribe, adapter, channels)
            batches = feed.batches()
            while not stop.is_set():
                with trio.move_on_after(BLOCK_SECONDS / 4):
                    files.writer.add(await anext(batches))
                if files.write_if_due():
                    screen.show(progress())
            _take_rest(feed, files.writer)
            nursery.cancel_scope.cancel()
    return progress()


def _take_rest(feed: Feed[FrameItem], writer: Writer) -> None:
    """Take the buffered frames of the feed."""
    while True:
        try:
            writer.add([feed.receive_nowait()])
        except trio.WouldBlock:
            return


async def _subscribe(adapter: Adapter, channels: tuple[AnyChannel, ...]) -> None:
    """Keep `channels` subscribed. Their decoded events are not read."""
    books = tuple(each for each in channels if isinstance(each, OrderBook))
    others = tuple(each for each in channels if not isinstance(each, OrderBook))
    async with trio.open_nursery() as nursery:
        for each in (books, others):
            if each:
                nursery.start_soon(_hold, adapter, each)


async def _hold(adapter: Adapter, channels: tuple[AnyChannel, ...]) -> None:
    async with adapter.subscribe(*channels, buffer=1, overflow=Overflow.CONFLATE):
        await trio.sleep_forever()
