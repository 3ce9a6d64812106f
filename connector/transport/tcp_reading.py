"""Read a TCP socket with less work per read than `trio.SocketStream.receive_some`.

`receive_some` tries to read before it waits, which suits a socket with data. A market data socket
mostly has none, and then the attempt, its error and its checkpoint cost as much as the next
message. Here the wait comes first, unless the last read was full. In both cases each read executes
a checkpoint.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable

import trio
from trio.lowlevel import checkpoint, wait_readable

Receive = Callable[[int], Awaitable[bytes | bytearray]]

_READS_SOCKETS = os.name == "posix"
"""Whether `os.read` reads sockets."""
_CLOSED = frozenset({errno.EBADF, errno.ENOTSOCK})
_CLOSED_ALREADY = "this socket was already closed"


class SocketReader:
    """Reads a TCP socket: `receive`, or its two halves where a coroutine less counts."""

    __slots__ = "_fileno", "_more"

    def __init__(self, stream: trio.SocketStream) -> None:
        # What trio's socket asks, where it is there, saves a call per read.
        self._fileno: Callable[[], int] = getattr(stream.socket, "_sock", stream.socket).fileno
        self._more = False

    async def receive(self, max_bytes: int) -> bytes:
        """As `trio.SocketStream.receive_some`."""
        while True:
            await self.readable()
            data = self.read(max_bytes)
            if data is not None:
                return data

    def readable(self) -> Awaitable[None]:
        """Return an awaitable to await before `read`; it is also a checkpoint.

        Raises:
            trio.ClosedResourceError: the socket is closed.
        """
        descriptor = self._fileno()
        if descriptor < 0:
            raise trio.ClosedResourceError(_CLOSED_ALREADY)
        if self._more:
            self._more = False
            return checkpoint()  # noqa: ASYNC105 - for the caller to await
        return wait_readable(descriptor)  # noqa: ASYNC105

    def read(self, max_bytes: int) -> bytes | None:
        """Return the bytes that have arrived: empty at the end of the stream, None if none have.

        Raises:
            trio.ClosedResourceError: the socket is closed.
            trio.BrokenResourceError: the connection broke.
        """
        # Checked again: the socket may have been closed, and its number reused.
        descriptor = self._fileno()
        if descriptor < 0:
            raise trio.ClosedResourceError(_CLOSED_ALREADY)
        try:
            data = os.read(descriptor, max_bytes)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            if error.errno in _CLOSED:
                raise trio.ClosedResourceError(_CLOSED_ALREADY) from None
            raise trio.BrokenResourceError(f"socket connection broken: {error}") from error
        self._more = len(data) == max_bytes
        return data


def reader_of(stream: trio.abc.Stream) -> SocketReader | None:
    """Reads `stream`, if it is a TCP stream and `os.read` reads sockets here."""
    if type(stream) is trio.SocketStream and _READS_SOCKETS:
        return SocketReader(stream)
    return None


def receive_of(stream: trio.abc.Stream) -> Receive:
    """How to read `stream`; does, raises and is cancelled as its `receive_some`."""
    reader = reader_of(stream)
    return stream.receive_some if reader is None else reader.receive
