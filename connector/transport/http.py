"""HTTP for the length of a block: requests and responses over one stream of the dialer.

The socket is owned as that of a WebSocket is: one block, one stream, closed forcefully on every
way out. So a network in memory, a proxy or other certificates serve REST as they serve streams.
h11 speaks the protocol; it is what trio-websocket stands on, too. A client with a pool would open
sockets when it likes and close them when it can.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import attrs
import h11
import trio

from connector.errors import ConfigError, ExchangeUnavailable
from connector.transport.causes import said
from connector.transport.connection import USER_AGENT
from connector.transport.dial import Address, Dialer, closed_after
from connector.transport.tls import secure

_RECEIVE_BYTES = 65_536
_MAX_BODY_BYTES = 64 * 1024 * 1024
"""The instruments of a large exchange are 20 MB."""


@attrs.frozen
class Response:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of several with one name the last."""
    body: bytes


@asynccontextmanager
async def open_http(
    url: str,
    *,
    dialer: Dialer,
    connect_timeout: float,
    read_timeout: float,
    sockets: set[trio.abc.Stream],
) -> AsyncIterator[Http]:
    """Connect to `url` for the length of a block; requests go out one after the other.

    Args:
        url: ``http://`` or ``https://``, the base of the requests.
        dialer: opens the byte stream.
        connect_timeout: seconds until the connection is open.
        read_timeout: seconds without a byte after which an answer will not come.
        sockets: holds the dialer's stream from the moment it is open until it is closed.

    Yields:
        The connection. Whatever breaks it is an `ExchangeUnavailable`, and every later request
        then is one, too.

    Raises:
        ConfigError: `url` is not an HTTP URL.
        ExchangeUnavailable: there was no connection, or it broke.

    Cancellation: the stream is closed, in every state.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigError(
            f"an exchange's REST URL must begin with http:// or https://: {url[:8]!r}"
        )
    # The two kinds of URL differ in their first letters only.
    address = Address.of("ws" + url.removeprefix("http"))
    opened = False
    try:
        with trio.CancelScope(deadline=trio.current_time() + connect_timeout) as limit:
            async with dialer.connect(address.host, address.port) as raw:
                sockets.add(raw)
                try:
                    async with closed_after(raw):
                        stream = raw
                        if address.secure:
                            stream = await secure(raw, dialer.ssl_context, address.host)
                        limit.deadline = math.inf
                        if limit.cancel_called:
                            await trio.lowlevel.checkpoint_if_cancelled()
                        opened = True
                        yield Http(stream, address, read_timeout)
                finally:
                    sockets.discard(raw)
    except (OSError, UnicodeError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
        if opened:
            raise
        raise ExchangeUnavailable(f"{address} could not be reached: {said(error)}") from error
    if limit.cancelled_caught:
        raise ExchangeUnavailable(f"{address} could not be reached within {connect_timeout:g} s")


class Http:
    """An open connection; `open_http` makes it."""

    def __init__(self, stream: trio.abc.Stream, address: Address, read_timeout: float) -> None:
        self._stream = stream
        self._read_timeout = read_timeout
        self._address = address
        # What the base of the URL has of a path comes before every target.
        self._base = address.target.rstrip("/")
        self._http = h11.Connection(h11.CLIENT)

    async def get(self, target: str) -> Response:
        """The whole response to a GET of `target`, a path with its query.

        Raises:
            ExchangeUnavailable: the connection is broken, or the answer makes no sense.

        Cancellation: the connection is of no use afterwards.
        """
        try:
            return await self._converse(target)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ExchangeUnavailable(f"{self._address} broke off: {said(error)}") from error
        except h11.ProtocolError as error:
            raise ExchangeUnavailable(f"{self._address} does not speak HTTP: {error}") from error

    async def _receive(self) -> bytes:
        with trio.move_on_after(self._read_timeout):
            return bytes(await self._stream.receive_some(_RECEIVE_BYTES))
        raise ExchangeUnavailable(
            f"{self._address} sent nothing for {self._read_timeout:g} s in the middle of an answer"
        )

    async def _converse(self, target: str) -> Response:
        http = self._http
        if http.our_state is not h11.IDLE:
            http.start_next_cycle()
        request = h11.Request(
            method="GET",
            target=self._base + target,
            headers=[
                ("Host", self._address.host_header),
                ("User-Agent", USER_AGENT),
                ("Accept", "application/json"),
            ],
        )
        message = [http.send(request), http.send(h11.EndOfMessage())]
        await self._stream.send_all(b"".join(part for part in message if part))
        response: h11.Response | None = None
        body = bytearray()
        while True:
            event = http.next_event()
            match event:
                case h11.NEED_DATA:
                    http.receive_data(await self._receive())
                case h11.Response():
                    response = event
                case h11.Data():
                    body += event.data
                    if len(body) > _MAX_BODY_BYTES:
                        raise ExchangeUnavailable(
                            f"{self._address} answers with more than {_MAX_BODY_BYTES} bytes"
                        )
                case h11.ConnectionClosed():
                    raise ExchangeUnavailable(f"{self._address} closed the connection")
                case h11.EndOfMessage():
                    break
        assert response is not None
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers
        }
        return Response(response.status_code, headers, bytes(body))
