"""`Connection`: a WebSocket connection that a session uses to receive, send, ping and close."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Literal, NoReturn, Protocol, TypeAlias, cast

import attrs
import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    WebSocketConnection,
    wrap_client_stream,
)
from wsproto import WSConnection
from wsproto.connection import ConnectionState
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from connector._version import __version__
from connector.errors import (
    RAW_EXCERPT_BYTES,
    ConnectorError,
    ExchangeUnavailable,
)
from connector.transport.at_rest import forget_handshake
from connector.transport.deflate import OFFER
from connector.transport.dial import Address
from connector.transport.error_groups import origins
from connector.transport.passage import pass_simply
from connector.transport.sink import Sink
from connector.transport.tap import Tap
from connector.transport.websocket_frames import Violation, masked_text

USER_AGENT = f"trio-connector/{__version__}"

Reason: TypeAlias = Literal["closed", "eof", "reset", "protocol error", "too big", "error"]

_ABNORMAL = 1006
_OUR_FAILURES: Mapping[int, Reason] = {
    1002: "protocol error",
    1007: "protocol error",
    1009: "too big",
}
"""Why trio-websocket fails a connection by itself, by its close code."""


@attrs.frozen
class Ended:
    """How a connection ended."""

    reason: Reason
    code: int | None = None
    """The close code: the server's, or ours for a protocol error (RFC 6455 §7.4.1); 1006 if the
    connection ended without a close frame."""
    text: str = ""
    cause: BaseException | None = attrs.field(default=None, eq=False, repr=False)
    """The exception behind an ``error``."""


class Text(Protocol):
    """A text to send."""

    @property
    def text(self) -> str: ...


_Reader: TypeAlias = "Callable[[], Awaitable[None]]"


class _Caught:
    """Stands for the nursery in which trio-websocket would start its reader.

    `Connection.converse` runs the reader instead, in an existing task that keeps its errors from
    others without a nursery.
    """

    def __init__(self) -> None:
        self._reader: _Reader | None = None
        self._started = trio.Event()

    def start_soon(self, reader: _Reader) -> None:
        pass_simply(getattr(reader, "__self__", None))
        self._reader = reader
        self._started.set()

    async def reader(self) -> _Reader:
        await self._started.wait()
        assert self._reader is not None
        return self._reader


class Connection:
    """A WebSocket connection whose handshake is complete; `open_connection` makes it.

    Nothing is delivered to the sink before `run` is called, and nothing after it has returned.
    """

    __slots__ = (
        "_caught", "_failure", "_over", "_running", "_scopes", "_tap", "_websocket",
    )  # fmt: skip

    watched = True
    """Whether silence and age end it (`connector.link.source.Carrier`)."""

    def __init__(self, tap: Tap) -> None:
        self._tap = tap
        self._websocket: WebSocketConnection | None = None
        self._failure: Exception | None = None
        self._caught: _Caught | None = _Caught()
        self._over = False
        self._running = False
        self._scopes: dict[trio.CancelScope, None] = {}
        """An ordered set: an empty dict is smaller than a set, and most connections are at rest."""

    @property
    def wire_bytes(self) -> int:
        """Bytes received after TLS: HTTP, frame headers, compressed payloads."""
        return self._tap.wire_bytes

    @property
    def payload_bytes(self) -> int:
        """Bytes of the delivered messages, after decompression."""
        return self._tap.payload_bytes

    @property
    def messages(self) -> int:
        """Messages delivered."""
        return self._tap.messages

    @property
    def blocked(self) -> bool:
        """Whether the connection is not read because the sink is full."""
        return self._tap.blocked

    @property
    def compressed(self) -> bool:
        """Whether permessage-deflate is in use."""
        return self._tap.compressed

    @property
    def handshake_headers(self) -> Mapping[str, str]:
        """The headers of the server's answer, names in lower case."""
        assert self._tap.head is not None
        return self._tap.head.headers

    async def run(self) -> Ended:
        """Receive until the connection ends, and return how it ended.

        Raises:
            trio.BusyResourceError: it is running already.

        Cancellation: messages that were received and not delivered are lost.
        """
        if self._running:
            raise trio.BusyResourceError("this connection is being received from already")
        self._running = True
        self._tap.go_live()
        try:
            while True:
                await self._tap.hand_over(await self._ws.get_message())
        except ConnectionClosed:
            if self._ws.closed is None and not self._over:
                with trio.CancelScope() as scope:
                    self._scopes[scope] = None
                    await trio.sleep_forever()
            return self._how_it_ended()
        except Exception as error:  # noqa: BLE001 - said in what is returned, like the tap's own
            return _error(error)
        finally:
            self._running = False
            self._tap.discard()

    async def send(self, text: str) -> None:
        """Send a text message.

        Raises:
            ExchangeUnavailable: the connection is over.

        Cancellation: part of the message may have been sent; then the connection cannot send again.
        """
        with self._while_it_lasts():
            await self._ws.send_message(text)

    @property
    def writable(self) -> bool:
        """Whether `write` may be called now. It never may on a stream that cannot send without
        waiting, or on a connection that is being closed.
        """
        websocket = self._websocket
        state = None if websocket is None else getattr(websocket, "_wsproto", None)
        return (
            isinstance(state, WSConnection)
            and state.state is ConnectionState.OPEN
            and not self._over
            and self._tap.outgoing.writable
        )

    def write(self, text: str) -> bool:
        """Send a text message now; the connection must be `writable`.

        Returns:
            Whether the stream accepted all of it; the rest waits for `flush`.

        Raises:
            ExchangeUnavailable: the connection is over; part of the message may have been sent.
        """
        try:
            return self._tap.outgoing.write(masked_text(text.encode(), os.urandom(4)))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ExchangeUnavailable("the connection is over") from error

    async def flush(self) -> None:
        """Wait until all written bytes are sent.

        Raises:
            ExchangeUnavailable: the connection is over.

        Cancellation: as for `send`.
        """
        with self._while_it_lasts():
            try:
                await self._tap.outgoing.flush()
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise ExchangeUnavailable("the connection is over") from error

    def deliver_to(self, sink: Sink) -> None:
        """Deliver into another sink from now on."""
        self._tap.deliver_to(sink)

    async def ask(self, request: Text) -> None:
        """Send a request; its reply arrives as a message.

        Raises:
            ExchangeUnavailable: the connection is over.

        Cancellation: as for `send`.
        """
        await self.send(request.text)

    async def ping(self) -> None:
        """Send a ping and wait for its pong; `run` must be running.

        Raises:
            ExchangeUnavailable: the connection is over.

        Cancellation: the ping may have been sent.
        """
        with self._while_it_lasts():
            await self._ws.ping()

    async def close(self, code: int = 1000, reason: str = "", *, timeout: float) -> None:  # noqa: ASYNC109
        """Exchange close frames with the server, and close the stream; no effect if it is gone.

        Args:
            code: the close code for the server (RFC 6455 §7.4.1).
            reason: the close reason as text.
            timeout: seconds after which the stream is closed without the server's answer.

        Cancellation: the stream is closed at once.
        """
        self._tap.begin_closing()
        with trio.move_on_after(timeout), suppress(ExchangeUnavailable), self._while_it_lasts():
            await self._ws.aclose(code, reason or None)

    # --- inside

    @property
    def _ws(self) -> WebSocketConnection:
        assert self._websocket is not None
        return self._websocket

    async def converse(self) -> None:
        """Run trio-websocket's reader until the connection ends.

        If the reader breaks, no other task is cancelled; `open` or `run` reports it.
        """
        try:
            assert self._caught is not None
            reader = await self._caught.reader()
            await reader()
        except Exception as broken:  # noqa: BLE001 - kept, and said by open() or run()
            self._failure = broken
        finally:
            self._over = True
            for scope in self._scopes:
                scope.cancel()

    async def open(self, address: Address, more: Iterable[tuple[str, str]] = ()) -> None:
        """Return when the handshake is complete; `converse` must be running.

        Args:
            address: the server's address.
            more: additional headers, as names and values.

        Raises:
            ExchangeUnavailable, HandshakeRejected: the handshake failed.
        """
        headers = [(b"User-Agent", USER_AGENT.encode())]
        headers += [(name.encode(), value.encode()) for name, value in more]
        if self._tap.offers_compression:
            headers.append((b"Sec-WebSocket-Extensions", OFFER))
        with trio.CancelScope() as scope:
            self._scopes[scope] = None
            try:
                self._websocket = await wrap_client_stream(
                    cast("trio.Nursery", self._caught),
                    cast("trio.SocketStream", self._tap),
                    address.host_header,
                    address.target,
                    extra_headers=headers,
                    max_message_size=self._tap.limit,
                    receive_buffer_size=None,
                )
            finally:
                self._scopes.pop(scope, None)
                self._caught = None
        if self._websocket is None:
            self._raise_unopened()
        forget_handshake(self._websocket)

    def _raise_unopened(self) -> NoReturn:
        """Raise why the handshake is not complete."""
        failure = self._failure
        if failure is None:
            raise ExchangeUnavailable("broke off the WebSocket handshake")
        if isinstance(failure, ConnectionRejected):
            raise self._tap.rejected(failure.body) from failure
        if isinstance(failure, ConnectorError):
            raise failure
        # trio-websocket answers a bad response with a rejection, which a client cannot send; the
        # original error is further down.
        found = next((e for e in origins(failure) if isinstance(e, RemoteProtocolError)), failure)
        raise ExchangeUnavailable(f"answered the upgrade wrongly: {found}") from found

    @contextmanager
    def _while_it_lasts(self) -> Iterator[None]:
        """Raise `ExchangeUnavailable` when the connection ends before the block does."""
        with trio.CancelScope() as scope:
            if self._over:
                scope.cancel()
            self._scopes[scope] = None
            try:
                yield
                return
            except (ConnectionClosed, LocalProtocolError) as error:
                raise ExchangeUnavailable("the connection is over") from error
            finally:
                self._scopes.pop(scope, None)
        raise ExchangeUnavailable("the connection is over")

    def _how_it_ended(self) -> Ended:
        """Derive the ending from the notes of trio-websocket and the tap."""
        if isinstance(self._failure, Violation):
            code = self._failure.code
            return Ended(_OUR_FAILURES.get(code, "error"), code, self._failure.text)
        closed = self._ws.closed
        if closed is None:
            return _error(self._failure)
        code, text = int(closed.code), closed.reason or ""
        if self._tap.close_frame == (code, text):
            return Ended("closed", code, text)
        if code == _ABNORMAL:
            return Ended("reset" if self._tap.reset else "eof", code, text)
        if self._tap.closing:
            return Ended("closed", code, text or "closed by this side")
        return Ended(_OUR_FAILURES.get(code, "error"), code, text)


def _error(error: Exception | None) -> Ended:
    return Ended("error", None, repr(error)[:RAW_EXCERPT_BYTES], error)
