"""The sink ``jsonl``: one JSON object per event, in a file or on standard output."""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

import attrs
import msgspec
import trio
from msgspec import Meta

from connector.app.naming import write_channel
from connector.app.running.sinks.sink import Batch
from connector.errors import DecodeError
from connector.events import Event, Gap, RawMessage, asdict
from connector.lifecycle import Lifecycle, Rejected, Stale

STANDARD_OUTPUT = "-"
_WRITABLE_BYTES = getattr(select, "PIPE_BUF", 512)
"""What is writable takes so many bytes without blocking (POSIX)."""


class JsonLines(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``kind = "jsonl"``."""

    path: Annotated[str, Meta(min_length=1, examples=["events.jsonl"])] = STANDARD_OUTPUT
    """A file, which is appended to; ``-`` is standard output."""
    marks: bool = False
    """Whether to write what happens to the connections, too."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[JsonLinesSink]:
        """Open the file.

        Raises:
            OSError: it cannot be written.
        """
        await trio.lowlevel.checkpoint()
        if self.path == STANDARD_OUTPUT:
            yield JsonLinesSink(sys.stdout.fileno(), marks=self.marks)
            return
        with _open_to_append(self.path) as file:
            yield JsonLinesSink(file.fileno(), marks=self.marks)


class JsonLinesSink:
    """Writes lines to a descriptor, each batch at once and whole.

    A pipe whose reader is slow holds back the feed, not the program. A file is written directly:
    the operating system takes a batch into its cache, and a full disk is an error at once.
    """

    def __init__(self, descriptor: int, *, marks: bool) -> None:
        self._descriptor = descriptor
        self._marks = marks
        self._may_block = _may_block(descriptor)

    async def write(self, batch: Batch) -> None:
        """Write one line per event.

        Raises:
            OSError: the disk is full, or nobody reads the pipe any more.

        Cancellation: the last line may be torn.
        """
        about = {"adapter": batch.adapter, "group": batch.group}
        await self._write(b"".join(_line(about | describe(event)) for event in batch.events))

    async def mark(self, adapter: str, event: Lifecycle) -> None:
        """Write a line, if marks are wanted.

        Raises, Cancellation: as `write`.
        """
        if not self._marks:
            await trio.lowlevel.checkpoint()
            return
        about = {"adapter": adapter, "type": type(event).__name__}
        await self._write(_line(about | _fields_of(event)))

    async def _write(self, lines: bytes) -> None:
        await trio.lowlevel.checkpoint()
        rest = memoryview(lines)
        while rest:
            if self._may_block:
                await trio.lowlevel.wait_writable(self._descriptor)
                rest = rest[os.write(self._descriptor, rest[:_WRITABLE_BYTES]) :]
            else:
                rest = rest[os.write(self._descriptor, rest) :]


def _open_to_append(path: str) -> BinaryIO:
    # Unbuffered: what was written is in the operating system's hands, whatever happens to us.
    return cast("BinaryIO", Path(path).expanduser().open("ab", buffering=0))


def _may_block(descriptor: int) -> bool:
    """Whether a reader on the other side can make a write wait."""
    mode = os.fstat(descriptor).st_mode
    pipe = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)
    return pipe and sys.platform != "win32"


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


def describe(event: Event) -> dict[str, Any]:
    """The type and the public fields of `event`, as JSON can say them."""
    kind = next(base for base in type(event).__mro__ if base.__module__ == Event.__module__)
    fields = {"type": kind.__name__, **asdict(event)}
    if isinstance(event, Gap):
        fields["channels"] = [write_channel(channel) for channel in event.channels]
    elif isinstance(event, RawMessage):
        fields["data"] = msgspec.Raw(event.data)
    return fields


def _line(fields: dict[str, Any]) -> bytes:
    return msgspec.json.encode(fields, enc_hook=plain) + b"\n"


def plain(value: Any) -> Any:
    """What JSON has for a `value` that msgspec does not know."""
    if isinstance(value, Sequence):  # a side of a local book
        return list(value)
    raise NotImplementedError(type(value))
