"""Send messages of a connection; write them immediately where possible, without a task switch.

`send_all` of a TCP stream executes a checkpoint, and trio-websocket's lock around it another. A
message for a sending task waits until that task runs. For an order, each of these costs as much as
its signature. Here the bytes go to the socket directly; bytes that the socket does not accept wait
for `Outgoing.flush`.

This works for a TCP socket, TLS over one, and a stream with a method `send_nowait`. For all others
`Outgoing.writable` is False, and a task has to send.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import trio

_CLOSED = frozenset({errno.EBADF, errno.ENOTSOCK})

Send = Callable[[bytes], int]
"""Sends what fits now, and returns its size; raises as `trio.abc.SendStream.send_all`."""


@runtime_checkable
class SendsAtOnce(Protocol):
    """A stream that can send without waiting."""

    def send_nowait(self, data: bytes) -> int:
        """Send as many bytes as fit, and return their number."""
        ...


class DirectWriter:
    """Writes into a stream without waiting."""

    def __init__(self, stream: trio.abc.Stream, send: Send) -> None:
        self._stream = stream
        self._send = send
        self._rest = b""
        self._lock = trio.Lock()
        self._senders = 0
        """Tasks that send or wait for the lock: to count them costs less than to ask the lock."""

    @property
    def ready(self) -> bool:
        """Whether no bytes are being sent or wait."""
        return not (self._rest or self._senders)

    def write(self, data: bytes) -> bool:
        """Send as much as fits now, and return whether that was all. It must be `ready`.

        Raises:
            trio.BrokenResourceError, trio.ClosedResourceError: as `send_all`.
        """
        sent = self._send(data)
        if sent < len(data):
            self._rest = data[sent:]
            return False
        return True

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data` after the waiting bytes.

        Cancellation: part of it may be sent.
        """
        self._senders += 1
        try:
            async with self._lock:
                await self._send_rest()
                if data:
                    await self._stream.send_all(data)
        finally:
            self._senders -= 1

    async def _send_rest(self) -> None:
        if self._rest:
            await self._stream.send_all(self._rest)
            self._rest = b""


class _TlsWriter(DirectWriter):
    """Encrypts into trio's own buffer, and empties it, as trio does.

    Bytes that the socket does not accept go back into the then empty buffer, so that trio sends
    them first.
    """

    def __init__(
        self,
        stream: trio.SSLStream[trio.abc.Stream],
        send: Send,
        tls: ssl.SSLObject,
        outgoing: ssl.MemoryBIO,
        inner: trio.StrictFIFOLock,
    ) -> None:
        super().__init__(stream, send)
        self._raw = stream.transport_stream
        self._tls = tls
        self._outgoing = outgoing
        self._inner = inner

    @property
    def ready(self) -> bool:
        """Whether no bytes are being sent, here or by trio, or wait."""
        return not (self._senders or self._inner.locked() or self._outgoing.pending)

    def write(self, data: bytes) -> bool:
        """Write as on a stream without TLS."""
        try:
            written = 0
            while written < len(data):
                written += self._tls.write(data[written:])
        except ssl.SSLError as error:
            raise trio.BrokenResourceError from error
        encrypted = self._outgoing.read()
        sent = self._send(encrypted)
        if sent < len(encrypted):
            self._outgoing.write(encrypted[sent:])
            return False
        return True

    async def _send_rest(self) -> None:
        if self._outgoing.pending:
            async with self._inner:
                await self._raw.send_all(self._outgoing.read())


class Outgoing:
    """The sending half of a connection."""

    __slots__ = ("_sending", "_stream", "_writer", "torn")

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.torn = False
        """Whether a write was cut short; then no further message can be sent."""
        self._stream = stream
        self._writer: DirectWriter | None = None
        """Created at the first read of `writable`."""
        self._sending = False

    @property
    def writable(self) -> bool:
        """Whether `write` may be called; never on a stream that cannot send without waiting."""
        if self.torn:
            return False
        writer = self._writer
        if writer is None:
            if self._sending:
                return False
            self._writer = writer_of(self._stream)
            return self._writer is not None
        return writer.ready

    def write(self, data: bytes) -> bool:
        """Send `data` now, and return whether that was all; otherwise call `flush`.

        Raises:
            trio.BrokenResourceError, trio.ClosedResourceError: as of `send_all`.
        """
        assert self._writer is not None
        try:
            return self._writer.write(data)
        except BaseException:
            self.torn = True
            raise

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data`; as `trio.abc.SendStream.send_all`.

        Raises:
            trio.BrokenResourceError: the connection is broken, or an earlier write was cut short.

        Cancellation: part of it may be sent; `torn` says so.
        """
        if self.torn:
            # Nobody knows how much of the waiting bytes the stream has accepted.
            raise trio.BrokenResourceError("an earlier write was cut short")
        try:
            if self._writer is not None:
                await self._writer.send_all(data)
                return
            self._sending = True
            await self._stream.send_all(data)
        except BaseException:
            self.torn = True
            raise
        finally:
            self._sending = False

    async def flush(self) -> None:
        """Send the waiting bytes; raises and is cancelled as `send_all`."""
        if self._writer is None and not self.torn:
            # Nothing waits here, and another task may be sending.
            await trio.lowlevel.checkpoint()
        else:
            await self.send_all(b"")


def writer_of(stream: trio.abc.Stream) -> DirectWriter | None:
    """Make a direct writer for `stream`; None if it has no direct way."""
    if isinstance(stream, trio.SSLStream):
        # Should a version of trio keep these elsewhere, sending is slower but right.
        tls, outgoing = getattr(stream, "_ssl_object", None), getattr(stream, "_outgoing", None)
        inner = getattr(stream, "_inner_send_lock", None)
        send = _send_of(stream.transport_stream)
        if (
            send is None
            or not isinstance(tls, ssl.SSLObject)
            or not isinstance(outgoing, ssl.MemoryBIO)
            or not isinstance(inner, trio.StrictFIFOLock)
        ):
            return None
        return _TlsWriter(stream, send, tls, outgoing, inner)
    send = _send_of(stream)
    return None if send is None else DirectWriter(stream, send)


def _send_of(stream: trio.abc.Stream) -> Send | None:
    if isinstance(stream, SendsAtOnce):
        return stream.send_nowait
    if type(stream) is trio.SocketStream:
        raw = getattr(stream.socket, "_sock", None)
        if isinstance(raw, socket.socket):
            return _sends(raw)
    return None


def _sends(raw: socket.socket) -> Send:
    send_to_kernel = raw.send

    def send(data: bytes) -> int:
        try:
            return send_to_kernel(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            if error.errno in _CLOSED:
                raise trio.ClosedResourceError("this socket was already closed") from None
            raise trio.BrokenResourceError(f"socket connection broken: {error}") from error

    return send
