"""The sink ``recording``: the raw frames of each adapter, into the files of ``connector record``.

Each adapter has a folder of its own below ``path``, called like the adapter, and each of its files
can be read by itself. A change of the channels ends a file and begins the next, so that every file
says what is in it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, ClassVar
from urllib.parse import quote

import attrs
import msgspec
import trio
from msgspec import Meta

from connector.app.recordings.recorder import BUFFER_FRAMES, MIB, Files, subject_of
from connector.app.recordings.retention import retention_of
from connector.app.running.sinks.frames import FrameBatch, Origin, OverflowName
from connector.link.raw_frames import FrameItem, RawFrame
from connector.recording import RecordingFailed
from connector.recording.zstd import compress


class RecordedFrames(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``kind = "recording"``."""

    takes_frames: ClassVar[bool] = True

    path: Annotated[str, Meta(min_length=1, examples=["recordings"])]
    """The folder; made if it is not there."""
    rotate_minutes: Annotated[float, Meta(gt=0, examples=[60.0])] = 60.0
    """Age at which a file is ended and the next begun."""
    rotate_mib: Annotated[float, Meta(gt=0, examples=[256.0])] = 256.0
    """Size at which it is."""
    keep_days: Annotated[float, Meta(gt=0, examples=[30.0])] | None = None
    """Age at which a file is deleted; never, if left out."""
    max_total_gib: Annotated[float, Meta(gt=0, examples=[100.0])] | None = None
    """What all files of one adapter may take; the oldest are deleted. No limit, if left out."""
    fsync: bool = False
    """Whether every block survives a power cut, not only a kill."""
    buffer: Annotated[int, Meta(ge=1, examples=[BUFFER_FRAMES])] = BUFFER_FRAMES
    """Frames that wait per adapter, for a disk that pauses."""
    overflow: Annotated[OverflowName, Meta(examples=["block"])] = "block"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[RecordingSink]:
        """Record for as long as the block lasts.

        Raises:
            ConfigError: the extra ``capture`` is not installed.
            RecordingFailed: the folder may not be written.
        """
        await trio.lowlevel.checkpoint()
        compress(b"")  # Before anything is connected: is zstandard there?
        sink = RecordingSink(_writable(self.path), self)
        reason = "failed"
        try:
            yield sink
            reason = "stopped"
        finally:
            sink.end_all(reason)


@attrs.define
class _Recorded:
    """One adapter's files, and what they are filtered for."""

    origin: Origin
    files: Files
    waits: bool = False
    """Whether what has gathered could not be written, and nothing more is taken until it is."""

    def wants(self, item: FrameItem) -> bool:
        """Whether `item` is no frame, or of no stream, or of one that is recorded."""
        if not isinstance(item, RawFrame) or item.stream is None:
            return True
        return item.stream in self.files.subject.streams


class RecordingSink:
    """Writes blocks once a second, and whenever a mebibyte has gathered (`connector.recording`).

    A write is synchronous: the program stands still while a block goes to the system's cache.
    """

    def __init__(self, folder: Path, settings: RecordedFrames) -> None:
        self._folder = folder
        self._settings = settings
        self._recorded: dict[str, _Recorded] = {}

    async def write(self, batch: FrameBatch) -> None:
        """Take `batch`, and write what has gathered if it is time.

        Raises:
            RecordingFailed: what gathered before cannot be written; `batch` is not taken, and what
                was written before can be read.

        Executes a checkpoint; cancellation: the batch is taken or not.
        """
        await trio.lowlevel.checkpoint()
        recorded = self._recorded_from(batch.origin)
        files = recorded.files
        if recorded.waits:
            files.write()
            recorded.waits = False
        try:
            files.writer.add(each for each in batch.items if recorded.wants(each))
            files.write_if_due()
        except RecordingFailed:
            recorded.waits = True  # The batch is taken: the next call tells.

    async def end(self, adapter: str) -> None:
        """End the present file of `adapter`, if it has one.

        Raises:
            RecordingFailed: the rest cannot be written.
        """
        await trio.lowlevel.checkpoint()
        recorded = self._recorded.pop(adapter, None)
        if recorded is not None:
            recorded.files.end("stopped")

    def end_all(self, reason: str) -> None:
        """End all files.

        Raises:
            RecordingFailed: the rest of one cannot be written; the others are ended.
        """
        failure: RecordingFailed | None = None
        while self._recorded:
            _, recorded = self._recorded.popitem()
            try:
                recorded.files.end(reason)
            except RecordingFailed as error:
                failure = error
        if failure is not None:
            raise failure

    def _recorded_from(self, origin: Origin) -> _Recorded:
        """The files for the frames of `origin`; they are begun if there are none."""
        recorded = self._recorded.get(origin.adapter)
        if recorded is None:
            files = Files(
                self._folder / quote(origin.adapter, safe=""),
                subject_of(origin.exchange, origin.channels),
                self._settings.rotate_minutes * 60,
                round(self._settings.rotate_mib * MIB),
                self._settings.fsync,
                presence=origin.presence,
                retention=retention_of(self._settings.keep_days, self._settings.max_total_gib),
            )
            files.begin()
            recorded = self._recorded[origin.adapter] = _Recorded(origin, files)
        elif recorded.origin is not origin:
            recorded.files.follow(subject_of(origin.exchange, origin.channels))
            recorded.origin = origin
        return recorded


def _writable(path: str) -> Path:
    folder = Path(path).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordingFailed(
            f"cannot create {folder}: {error.strerror or error}; choose another path"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise RecordingFailed(f"no permission to write to {folder}; choose another path")
    return folder
