"""The sink ``jsonl``: one JSON object per event, in a file or on standard output."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import attrs
import msgspec
import trio
from msgspec import Meta

from connector.app.event_json import describe, line
from connector.app.naming import write_channel
from connector.app.running.sinks.line_file import LineFile
from connector.app.running.sinks.rotation import rotation_of
from connector.app.running.sinks.sink import Batch
from connector.errors import DecodeError
from connector.lifecycle import Lifecycle, Rejected, Stale

STANDARD_OUTPUT = "-"


class JsonLines(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``kind = "jsonl"``."""

    path: Annotated[str, Meta(min_length=1, examples=["events.jsonl"])] = STANDARD_OUTPUT
    """A file, which is appended to; ``-`` is standard output."""
    marks: bool = False
    """Whether to write what happens to the connections, too."""
    rotate_minutes: Annotated[float, Meta(gt=0, examples=[60.0])] | None = None
    """Age at which a file is renamed and the next begun; never, if left out."""
    rotate_mib: Annotated[float, Meta(gt=0, examples=[256.0])] | None = None
    """Size at which it is; no limit, if left out."""
    keep_files: Annotated[int, Meta(ge=1, examples=[24])] | None = None
    """Rotated files that stay; all, if left out."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[JsonLinesSink]:
        """Open the file.

        Raises:
            OSError: it cannot be written.
        """
        await trio.lowlevel.checkpoint()
        rotation = rotation_of(self.rotate_minutes, self.rotate_mib, self.keep_files)
        file = LineFile(_place(self.path), rotation=rotation)
        file.open()
        try:
            yield JsonLinesSink(file, marks=self.marks)
        finally:
            file.close()


class JsonLinesSink:
    """Writes lines to a file, each batch at once and whole.

    A pipe whose reader is slow holds back the feed, not the program. A file is written directly:
    the operating system takes a batch into its cache, and a full disk is an error at once, after
    which nothing of the batch is there.
    """

    def __init__(self, file: LineFile, *, marks: bool) -> None:
        self._file = file
        self._marks = marks

    def reopen(self) -> None:
        """Write to what is at the path now.

        Raises:
            OSError: it cannot be written; then everything is as before.
        """
        self._file.reopen()

    async def write(self, batch: Batch) -> None:
        """Write one line per event.

        Raises:
            OSError: the disk is full, or nobody reads the pipe at the moment.
            SinkBroken: the reader of standard output has closed it.

        Cancellation: the last line may be torn.
        """
        about = {"adapter": batch.adapter, "group": batch.group}
        await self._write(b"".join(line(about | describe(event)) for event in batch.events))

    async def mark(self, adapter: str, event: Lifecycle) -> None:
        """Write a line, if marks are wanted.

        Raises, Cancellation: as `write`.
        """
        if not self._marks:
            await trio.lowlevel.checkpoint()
            return
        about = {"adapter": adapter, "type": type(event).__name__}
        await self._write(line(about | _fields_of(event)))

    async def _write(self, lines: bytes) -> None:
        await self._file.append(lines)


def _place(path: str) -> Path | None:
    return None if path == STANDARD_OUTPUT else Path(path).expanduser()


def _fields_of(event: Lifecycle) -> dict[str, Any]:
    match event:
        case DecodeError():
            return {"stream": event.stream, "reason": event.reason}
        case Rejected():
            about = event.error
            fields = {"channel": write_channel(about.channel), "error": str(about)}
        case Stale():
            fields = {"channel": write_channel(event.channel)}
        case _:
            fields = {}
    return attrs.asdict(event, recurse=False) | fields
