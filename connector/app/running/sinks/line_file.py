"""Append whole lines to a file, and open it again after it was moved.

What is there already is not made worse: a last line that was torn is cut off before anything is
appended to it. A pipe that nobody reads is no error until there is something to write.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import select
import stat
import sys
from contextlib import suppress
from pathlib import Path

import trio

from connector.app.running.sinks.rotation import Rotation
from connector.app.running.sinks.sink import SinkBroken
from connector.lifecycle import write_fields

_WRITABLE_BYTES = getattr(select, "PIPE_BUF", 512)
"""What is writable takes so many bytes without blocking (POSIX)."""
_LAST_LINE_BYTES = 1024 * 1024
"""A longer last line is not repaired."""
_FLAGS = (
    os.O_WRONLY
    | os.O_APPEND
    | os.O_CREAT
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    # To open a pipe that nobody reads would hold up the whole program.
    | getattr(os, "O_NONBLOCK", 0)
)

_log = logging.getLogger("connector.sink")


class LineFile:
    """A file at a path, or standard output.

    Args:
        path: None for standard output.
        header: stands at the beginning of every file.
        rotation: when a file is renamed and the next begun; None: never.
    """

    def __init__(
        self, path: Path | None, *, header: bytes = b"", rotation: Rotation | None = None
    ) -> None:
        self._path = path
        self._header = header
        self._rotation = rotation
        self._opened = 0.0
        self._size = 0
        self._rotation_failed = False
        self._descriptor: int | None = sys.stdout.fileno() if path is None else None
        self._waits = path is None and _may_wait(sys.stdout.fileno())

    def open(self) -> None:
        """Open the file, unless it is a pipe that nobody reads yet.

        Raises:
            OSError: it cannot be written.
        """
        try:
            self.reopen()
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            _tell("no process is reading the pipe yet", self._path)

    def reopen(self) -> None:
        """Open what is at the path now, in place of what was open.

        Raises:
            OSError: it cannot be written; what was open stays it.
        """
        if self._path is None:
            return
        try:
            descriptor = os.open(self._path, _FLAGS, 0o666)
        except OSError as error:
            if error.errno == errno.ENXIO:
                raise OSError(
                    errno.ENXIO, "no process is reading the pipe", str(self._path)
                ) from None
            raise
        try:
            self._waits = _may_wait(descriptor)
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                _mend(self._path, descriptor, cut=bool(self._header))
        except BaseException:
            os.close(descriptor)
            raise
        self.close()
        self._descriptor = descriptor
        self._opened = trio.current_time()

    def close(self) -> None:
        """Close the file; standard output stays open."""
        if self._path is not None and self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with suppress(OSError):  # a network that tells at the end what it has not written
                os.close(descriptor)

    async def append(self, lines: bytes) -> None:
        """Write `lines`, all of them or none; a pipe has them as far as its reader takes them.

        Raises:
            OSError: the disk is full, or nobody reads the pipe at the moment.
            SinkBroken: the reader of standard output has closed it.

        Cancellation: the last line in a pipe may be torn.
        """
        await trio.lowlevel.checkpoint()
        if self._descriptor is None:
            self.reopen()
        assert self._descriptor is not None
        if self._waits:
            await self._write_to_pipe(self._descriptor, lines)
        else:
            self._write_to_file(self._descriptor, lines)

    async def _write_to_pipe(self, descriptor: int, lines: bytes) -> None:
        rest = memoryview(lines)
        try:
            while rest:
                await trio.lowlevel.wait_writable(descriptor)
                rest = rest[os.write(descriptor, rest[:_WRITABLE_BYTES]) :]
        except BrokenPipeError as error:
            if self._path is None:
                raise SinkBroken("the reader of standard output has closed it") from error
            self.close()  # and look for another reader next time
            raise OSError(errno.EPIPE, "no process is reading the pipe", str(self._path)) from error

    def _write_to_file(self, descriptor: int, lines: bytes) -> None:
        found = os.fstat(descriptor)
        if found.st_nlink == 0 and self._path is not None:
            _tell("the file was removed, another one is begun", self._path)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self.reopen()
            assert self._descriptor is not None
            descriptor = self._descriptor
            found = os.fstat(descriptor)
        if self._rotate(found):
            assert self._descriptor is not None
            descriptor = self._descriptor
            found = os.fstat(descriptor)
        self._size = found.st_size
        if self._header and not found.st_size:
            lines = self._header + lines
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except OSError:
            if stat.S_ISREG(found.st_mode) and len(rest) < len(lines):
                self._take_back(descriptor, found.st_size)
            raise

    def take_back(self) -> None:
        """Cut off what the last `append` has written to a file."""
        if self._descriptor is not None and not self._waits:
            self._take_back(self._descriptor, self._size)

    def _rotate(self, found: os.stat_result) -> bool:
        """Begin a new file if it is time; whether one was begun."""
        rotation, path = self._rotation, self._path
        if rotation is None or path is None or not stat.S_ISREG(found.st_mode):
            return False
        if not rotation.is_due(found.st_size, trio.current_time() - self._opened):
            return False
        try:
            rotation.rotate(path)
            self.reopen()
        except OSError as error:
            # Better a file that is too large than a loss.
            if not self._rotation_failed:
                _tell(f"the file is not rotated: {error.strerror or error}", path)
            self._rotation_failed = True
            return False
        self._rotation_failed = False
        return True

    def _take_back(self, descriptor: int, size: int) -> None:
        """Cut off what was written of lines that could not be written whole."""
        try:
            os.ftruncate(descriptor, size)
            if self._path is None:
                os.lseek(descriptor, size, os.SEEK_SET)
        except OSError:
            self.close()  # opened again, it is mended


def _may_wait(descriptor: int) -> bool:
    """Whether a reader on the other side can make a write wait."""
    mode = os.fstat(descriptor).st_mode
    pipe = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)
    return pipe and sys.platform != "win32"


def _mend(path: Path, descriptor: int, *, cut: bool) -> None:
    """See that the file ends with a whole line: what a kill or a full disk has torn is cut off.

    Args:
        path, descriptor: of the file.
        cut: whether a last line that is not ended is torn, whatever is in it.
    """
    size = os.fstat(descriptor).st_size
    begin = max(size - _LAST_LINE_BYTES, 0)
    try:
        with path.open("rb") as file:
            file.seek(begin)
            tail = file.read()
    except OSError:
        return  # it may be written and not be read
    if not tail or tail.endswith(b"\n"):
        return
    last = tail[tail.rfind(b"\n") + 1 :]
    if cut or (last.startswith(b"{") and not _is_json(last)):
        os.ftruncate(descriptor, size - len(last))
        _tell(f"the last line was torn, its {len(last)} bytes are cut off", path)
    else:
        # Somebody else's, or whole: it is only ended.
        os.write(descriptor, b"\n")
        _tell("the last line was not ended, now it is", path)


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _tell(what: str, path: Path | None) -> None:
    fields = {"path": str(path)}
    _log.warning("%s %s", what, write_fields(fields), extra={"fields": fields})
