"""TLS over any stream, with many TLS records in one read."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import trio

from connector.transport.compiled import EXTENSION
from connector.transport.tcp_reading import Receive, receive_of

_RECORD_BYTES = 16_384
"""The most that one TLS record holds (RFC 8446 §5.1)."""


ReadRecord: TypeAlias = Callable[..., Any]
"""`ssl.SSLObject.read`, which returns one record, or writes it into a buffer."""


async def secure(
    raw: trio.abc.Stream, context: ssl.SSLContext, host: str
) -> trio.SSLStream[trio.abc.Stream]:
    """Open TLS over `raw`; a missing close_notify is not an error, as is usual on the web.

    Raises:
        trio.BrokenResourceError: the handshake failed; its cause is the `ssl.SSLError`.

    Cancellation: the stream is unusable afterwards.
    """
    stream = trio.SSLStream(raw, context, server_hostname=host, https_compatible=True)
    await stream.do_handshake()
    return stream


class _Records:
    """Reads the TCP stream directly, and returns all TLS records that have arrived at once."""

    def __init__(
        self,
        stream: trio.SSLStream[trio.abc.Stream],
        tls: ssl.SSLObject,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
    ) -> None:
        self._receive = stream.receive_some
        self._receive_raw = receive_of(stream.transport_stream)
        # What SSLObject.read calls, where it is there, saves a call per record.
        self._read_record: ReadRecord = getattr(tls, "_sslobj", tls).read
        self._incoming = incoming
        self._outgoing = outgoing
        self._failure: ssl.SSLError | None = None
        """What broke the stream; OpenSSL tells it once."""
        self._over = False

    async def receive(self, max_bytes: int) -> bytes:
        incoming = self._incoming
        while True:
            if self._failure is not None:
                raise trio.BrokenResourceError from self._failure
            if incoming.pending or self._over or self._outgoing.pending:
                # What is left of the handshake, the end, or an answer to a request of TLS's own,
                # which must be sent: trio knows how.
                first = await self._receive(max_bytes)
                return bytes(first) + self._read_on(_RECORD_BYTES) if first else b""
            data = await self._receive_raw(max_bytes)
            if not data:
                incoming.write_eof()
                self._over = True
                continue
            incoming.write(data)
            received = self._read_on(len(data) + _RECORD_BYTES)
            if received:
                return received

    def _read_on(self, expected: int) -> bytes:
        """All records that have arrived; most likely they are not longer than `expected`."""
        received, error = read_records(self._read_record, _RECORD_BYTES, expected, ssl.SSLError)
        if error is None:
            self._over = True
        elif not isinstance(error, ssl.SSLWantReadError):
            self._failure = error
        return received


def read_records_in_python(
    read: ReadRecord, largest: int, expected: int, caught: type[Exception]
) -> tuple[bytes, Any]:
    """Read all TLS records that have arrived.

    Args:
        read: reads one record, or what is left of one. At the end it returns nothing.
        largest: the most that it is asked for, in bytes.
        expected: the most that probably has arrived, in bytes.
        caught: errors that do not lose what was read before them.

    Returns:
        What was read, and the error, or None at the end.
    """
    records: list[bytes] = []
    try:
        # The loop is in C; `extend` keeps what it has taken before an error.
        records.extend(iter(partial(read, largest), b""))
    except caught as error:
        return b"".join(records), error
    return b"".join(records), None


read_records = read_records_in_python if EXTENSION is None else EXTENSION.read_records
"""The same in C, into one buffer: 0.90 µs per record of 378 bytes, of which OpenSSL needs most,
against 0.98."""


def records_of(stream: trio.abc.Stream) -> Receive | None:
    """Make a reader of a TLS stream that returns several records at once; None if impossible.

    `trio.SSLStream.receive_some` returns one TLS record, and exchanges send one message per
    record, so a hundred messages that arrived together would cost a hundred steps of the scheduler.
    The records are therefore read from trio's `ssl.SSLObject`, which is fed from the socket. trio
    still sends, and does the rest of TLS. If a version of trio keeps the object elsewhere, reading
    is slower but correct.
    """
    tls = getattr(stream, "_ssl_object", None)
    incoming, outgoing = getattr(stream, "_incoming", None), getattr(stream, "_outgoing", None)
    if (
        not isinstance(stream, trio.SSLStream)
        or not isinstance(tls, ssl.SSLObject)
        or not isinstance(incoming, ssl.MemoryBIO)
        or not isinstance(outgoing, ssl.MemoryBIO)
    ):
        return None
    return _Records(stream, tls, incoming, outgoing).receive
