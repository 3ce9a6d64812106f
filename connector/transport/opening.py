"""`open_connection`: open a connection for the duration of a block, and always close it.

The socket belongs to `open_connection`. It is closed forcefully on every exit, before the tasks
that read from it are cancelled, and never by the garbage collector.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import NoReturn

import attrs
import trio

from connector.errors import ConfigError, ExchangeUnavailable
from connector.transport.connection import Connection
from connector.transport.dial import Address, Dialer, closed_after, is_open
from connector.transport.error_groups import origins, raise_unwrapped, said
from connector.transport.sink import Sink
from connector.transport.tap import Tap
from connector.transport.tls import secure

DEFAULT_CONNECT_SECONDS = 10.0
DEFAULT_MESSAGE_LIMIT_BYTES = 16 * 1024 * 1024


@asynccontextmanager
async def open_connection(
    url: str,
    sink: Sink,
    *,
    dialer: Dialer,
    connect_timeout: float = DEFAULT_CONNECT_SECONDS,
    max_message_bytes: int = DEFAULT_MESSAGE_LIMIT_BYTES,
    compression: bool = False,
    headers: Iterable[tuple[str, str]] = (),
    sockets: set[trio.abc.Stream],
) -> AsyncIterator[Connection]:
    """Connect to `url` for the length of a block.

    Args:
        url: ``ws://`` or ``wss://``; its query never reaches a log or an error.
        sink: receives the messages.
        dialer: opens the byte stream.
        connect_timeout: seconds for everything up to the completed handshake.
        max_message_bytes: a longer message ends the connection.
        compression: whether to offer permessage-deflate.
        headers: additional headers of the handshake, as names and values.
        sockets: holds the dialer's stream from the moment it is open until it is closed.

    Yields:
        The open connection; call its `Connection.run` to receive.

    Raises:
        ConfigError: `url` is not a WebSocket URL.
        ExchangeUnavailable: there was no answer, or an invalid one.
        HandshakeRejected: the server answered with an HTTP status other than 101.

    Cancellation: the stream is closed, in every state.
    """
    address = Address.of(url)
    progress = _Progress(address, connect_timeout)
    failure: BaseException | None = None
    try:
        # One nursery bounds the reader of trio-websocket, and its scope is the time limit too: a
        # scope of its own would be held as long as the connection.
        async with trio.open_nursery() as nursery:
            limit = nursery.cancel_scope
            limit.deadline = trio.current_time() + connect_timeout
            try:
                async with dialer.connect(address.host, address.port) as raw:
                    sockets.add(raw)
                    try:
                        # First the stream, then the tasks: the other way round the cancellation
                        # could replace the exception on its way out.
                        async with closed_after(raw):
                            stream = raw
                            if address.secure:
                                progress.stage = "the TLS handshake"
                                stream = await secure(raw, dialer.ssl_context, address.host)
                            progress.stage = "the WebSocket handshake"
                            tap = Tap(
                                stream, sink, limit=max_message_bytes, compression=compression
                            )
                            progress.tap = tap
                            connection = Connection(tap)
                            nursery.start_soon(connection.converse)
                            await connection.open(address, headers)
                            # From here on the caller's time limits apply, unless ours has passed.
                            limit.deadline = math.inf
                            if limit.cancel_called:
                                await trio.lowlevel.checkpoint_if_cancelled()
                            progress.open = True
                            yield connection
                    finally:
                        if not is_open(raw):  # or the link's tripwire would never see it
                            sockets.discard(raw)
            except BaseException as error:  # noqa: BLE001  # raised below, explained
                failure = error if progress.open else progress.explain(error)
                raise failure  # noqa: ASYNC104, B904  # `explain` has set the cause
            finally:
                late = limit.cancel_called
                limit.cancel()
    except BaseExceptionGroup as group:
        raise_unwrapped(group, failure)
    if late and not progress.open:
        progress.time_out()


_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@attrs.define
class _Progress:
    """The stage of the opening, and the errors for a failure in that stage."""

    address: Address
    seconds: float
    stage: str = "the TCP handshake"
    tap: Tap | None = None
    open: bool = False

    def explain(self, error: BaseException) -> BaseException:
        """The error to raise in place of one that ended the opening: often the same."""
        cause = error.__cause__ or error
        told: Exception
        if isinstance(error, ExchangeUnavailable):
            told = type(error)(f"{self.address} {error}")
        elif isinstance(error, UnicodeError):
            told = ConfigError(f"{self.address.host!r} is not a host name: {error}")
        elif not isinstance(error, (OSError, trio.BrokenResourceError, trio.ClosedResourceError)):
            return error
        elif isinstance(cause, ssl.SSLCertVerificationError):
            told = ExchangeUnavailable(
                f"the certificate of {self.address} is not trusted: {cause.verify_message}; check "
                "the host name and the clock, or trust its issuer (SSL_CERT_FILE, or a dialer "
                "with another ssl_context)"
            )
        elif self.tap or isinstance(error, trio.BrokenResourceError):
            told = ExchangeUnavailable(f"{self.address} broke off {self.stage}: {said(error)}")
            cause = error
        else:
            advice = self._advice(error)
            told = ExchangeUnavailable(
                f"{self.address} could not be reached: {said(error)}{advice}"
            )
            cause = error
        told.__cause__ = cause
        return told

    def _advice(self, error: Exception) -> str:
        """Advice for a refused connection to this machine: a test may lack its network."""
        refused = any(isinstance(each, ConnectionRefusedError) for each in origins(error))
        if self.address.host not in _LOOPBACK or not refused:
            return ""
        return (
            "; no server listens there. If the exchange is simulated with network=…, pass the same "
            "network to open_adapter(…, dialer=network)"
        )

    def time_out(self) -> NoReturn:
        """Raise the error for an expired time limit."""
        if self.tap is not None and self.tap.is_rejected:
            raise self.tap.rejected()
        raise ExchangeUnavailable(
            f"{self.address} did not complete {self.stage} within {self.seconds:g} s"
        )
