"""TLS over any stream, and many records in one read of it."""

from __future__ import annotations

import ssl

import trio

_RECORD_BYTES = 16_384
"""The most that one TLS record holds (RFC 8446 §5.1)."""


async def secure(
    raw: trio.abc.Stream, context: ssl.SSLContext, host: str
) -> trio.SSLStream[trio.abc.Stream]:
    """Lay TLS over `raw`; a missing close_notify is no error, as everywhere on the web.

    Raises:
        trio.BrokenResourceError: from the `ssl.SSLError` that says what is wrong.

    Cancellation: the stream is of no use afterwards.
    """
    stream = trio.SSLStream(raw, context, server_hostname=host, https_compatible=True)
    await stream.do_handshake()
    return stream


class Drain:
    """Reads on in a TLS stream without waiting."""

    def __init__(self, tls: ssl.SSLObject, incoming: ssl.MemoryBIO) -> None:
        self.failure: ssl.SSLError | None = None
        """What broke the stream; trio does not hear of it, for OpenSSL tells it once."""
        self._read = tls.read
        self._incoming = incoming

    def __call__(self, first: bytes | bytearray) -> bytes:
        """`first`, which was read already, and all that has arrived behind it."""
        incoming, read = self._incoming, self._read
        if not incoming.pending:
            return bytes(first)
        records = [first]
        try:
            while incoming.pending:
                record = read(_RECORD_BYTES)
                if not record:
                    break
                records.append(record)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.failure = error
        return b"".join(records)


def drain_of(stream: trio.abc.Stream) -> Drain | None:
    """How to read on in a TLS stream; None where this cannot be done.

    `trio.SSLStream.receive_some` returns one TLS record, and exchanges send one message per
    record, so that a hundred messages that arrived together would cost a hundred turns of the
    scheduler. The records behind the first are therefore taken from trio's `ssl.SSLObject`
    directly. Should a version of trio keep it elsewhere, reading is slower but right.
    """
    tls = getattr(stream, "_ssl_object", None)
    incoming = getattr(stream, "_incoming", None)
    if not isinstance(tls, ssl.SSLObject) or not isinstance(incoming, ssl.MemoryBIO):
        return None
    return Drain(tls, incoming)
