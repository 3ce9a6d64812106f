"""TLS over any stream, with many TLS records in one read."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial

import trio

from connector.transport.tcp_reading import Receive, receive_of

_RECORD_BYTES = 16_384
"""The most that one TLS record holds (RFC 8446 §5.1)."""


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
        read = getattr(tls, "_sslobj", tls).read
        self._read_record: Callable[[], bytes] = partial(read, _RECORD_BYTES)
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
                return self._read_on([first]) if first else b""
            data = await self._receive_raw(max_bytes)
            if not data:
                incoming.write_eof()
                self._over = True
                continue
            incoming.write(data)
            records: list[bytes | bytearray] = []
            received = self._read_on(records)
            if received:
                return received

    def _read_on(self, records: list[bytes | bytearray]) -> bytes:
        """`records`, and behind them all that has arrived."""
        try:
            # The loop is in C (0.97 µs per record of 345 bytes, against 1.11 with one in Python);
            # `extend` keeps what it has taken before an error.
            records.extend(iter(self._read_record, b""))
            self._over = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._failure = error
        return b"".join(records)


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
