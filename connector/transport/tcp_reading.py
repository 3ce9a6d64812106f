"""Reading a TCP socket with less work per read than `trio.SocketStream.receive_some` needs.

That one tries to read before it waits: right for a socket that has data. A market data socket has
mostly none, and then the attempt, its error and its checkpoint cost as much as the message that
comes next. Here waiting comes first, unless the last read was full. Either way each read executes
a checkpoint.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable

import trio

Receive = Callable[[int], Awaitable[bytes | bytearray]]

_READS_SOCKETS = os.name == "posix"
"""Whether `os.read` reads sockets."""
_CLOSED = frozenset({errno.EBADF, errno.ENOTSOCK})


class _Reader:
    def __init__(self, stream: trio.SocketStream) -> None:
        # What trio's socket asks, where it is there, saves a call per read.
        self._fileno: Callable[[], int] = getattr(stream.socket, "_sock", stream.socket).fileno
        self._more = False

    async def __call__(self, max_bytes: int) -> bytes:
        while True:
            descriptor = self._fileno()
            if descriptor < 0:
                raise trio.ClosedResourceError("this socket was already closed")
            if self._more:
                self._more = False
                await trio.lowlevel.checkpoint()
            else:
                await trio.lowlevel.wait_readable(descriptor)
            try:
                data = os.read(descriptor, max_bytes)
            except (BlockingIOError, InterruptedError):
                continue
            except OSError as error:
                if error.errno in _CLOSED:
                    raise trio.ClosedResourceError("this socket was already closed") from None
                raise trio.BrokenResourceError(f"socket connection broken: {error}") from error
            self._more = len(data) == max_bytes
            return data


def receive_of(stream: trio.abc.Stream) -> Receive:
    """How to read `stream`; does, raises and is cancelled as its `receive_some`."""
    if type(stream) is trio.SocketStream and _READS_SOCKETS:
        return _Reader(stream)
    return stream.receive_some
