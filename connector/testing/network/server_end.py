"""A server's end of one connection, in memory or on a socket, and the ways to break it."""

from __future__ import annotations

import socket
import ssl
import struct
from contextlib import suppress

import trio

from connector.testing.network.memory_connection import MemoryConnection, MemoryStream


class Wire:
    """The raw stream of an accepted connection, and the (TLS) stream on top of it.

    Args:
        raw: the accepted stream.
        ssl_context: the server's TLS settings; None: plain.
    """

    def __init__(self, raw: trio.abc.HalfCloseableStream, ssl_context: ssl.SSLContext | None):
        self._raw = raw
        self._tls: trio.SSLStream[trio.abc.HalfCloseableStream] | None = None
        if ssl_context is not None:
            self._tls = trio.SSLStream(raw, ssl_context, server_side=True, https_compatible=True)
        self.dead = False
        """Whether `half_open` was called: nothing may be read or sent any more."""

    @property
    def stream(self) -> trio.abc.Stream:
        """The stream that carries HTTP and WebSocket."""
        return self._raw if self._tls is None else self._tls

    @property
    def memory(self) -> MemoryConnection | None:
        """The connection of a network in memory that carries it, if one does."""
        return self._raw.connection if isinstance(self._raw, MemoryStream) else None

    async def open(self) -> None:
        """Does the TLS handshake, if there is TLS.

        Raises:
            trio.BrokenResourceError: the client broke it off, or does not trust the certificate.
        """
        if self._tls is not None:
            await self._tls.do_handshake()

    async def garble_handshake(self) -> None:
        """Wait for the client's first bytes, and answer with neither TLS nor HTTP."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self._raw.receive_some()
            await self._raw.send_all(b"\x15\x03\x01\x00\x02\x02\x50")

    async def fin(self) -> None:
        """Send a FIN only: no close frame, no TLS close_notify."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self._raw.send_eof()

    def reset(self) -> None:
        """Sends a TCP RST."""
        if isinstance(self._raw, MemoryStream):
            self._raw.connection.reset()
        elif isinstance(self._raw, trio.SocketStream):
            linger_zero = struct.pack("ii", 1, 0)
            with suppress(OSError):
                self._raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_zero)
            self._raw.socket.close()

    def half_open(self) -> None:
        """Discard all data; on a socket, send nothing more and ignore the client's data."""
        self.dead = True
        if isinstance(self._raw, MemoryStream):
            self._raw.connection.half_open()

    async def wait_abandoned(self) -> None:
        """In memory, wait until the client has closed its end, even if no FIN can arrive.

        On a socket it waits forever, because there reading detects the close.
        """
        if isinstance(self._raw, MemoryStream):
            await self._raw.connection.wait_client_closed()
        else:
            await trio.sleep_forever()

    async def aclose(self) -> None:
        """Close at once, without a close frame."""
        await trio.aclose_forcefully(self._raw)
