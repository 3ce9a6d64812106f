"""HTTP for the duration of a block: requests and responses over one stream of the dialer.

The socket has the same owner as a WebSocket's: one block, one stream, closed forcefully on every
exit. A network in memory, a proxy or custom certificates therefore work for REST as for streams.
httpx2 speaks HTTP over that stream. Its pool is not used, because the pool decides itself when to
open and close sockets:

.. code-block:: text

    open_http:  dial ─▶ TLS ─▶ ( the block ) ─▶ close
                                     │ the stream
    httpx2.AsyncClient ─▶ _OneStream ─▶ httpcore2.AsyncHTTP11Connection ─▶ _Lent
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager

import attrs
import httpcore2
import httpx2
import trio

from connector.errors import ConfigError, ExchangeUnavailable
from connector.transport.connection import USER_AGENT
from connector.transport.dial import Address, Dialer, closed_after
from connector.transport.error_groups import said
from connector.transport.tls import secure

_MAX_BODY_BYTES = 64 * 1024 * 1024
"""Limit of a decompressed answer: the instruments of a large exchange are 20 MB."""
_ANSWER_SECONDS = 10.0
"""Time limit of a short answer; longer ones have more time."""
_LEAST_BYTES_PER_SECOND = 16 * 1024
"""Lowest rate of an answer, decompressed: a snapshot of 200 kB may take 22 s."""


@attrs.frozen
class Response:
    """The response of a server."""

    status: int
    headers: Mapping[str, str]
    """Names in any case."""
    body: bytes
    """Decompressed."""


@asynccontextmanager
async def open_http(
    url: str,
    *,
    dialer: Dialer,
    connect_timeout: float,
    read_timeout: float,
    headers: Iterable[tuple[str, str]] = (),
    sockets: set[trio.abc.Stream],
) -> AsyncIterator[Http]:
    """Connect to `url` for the length of a block, for one request at a time.

    Args:
        url: ``http://`` or ``https://``, the base of the requests.
        dialer: opens the byte stream.
        connect_timeout: seconds until the connection is open.
        read_timeout: seconds without a byte after which an answer has failed.
        headers: additional headers of every request.
        sockets: holds the dialer's stream from the moment it is open until it is closed.

    Yields:
        The connection. Once it breaks, the current and all later requests raise
        `ExchangeUnavailable`.

    Raises:
        ConfigError: `url` is not an HTTP URL.
        ExchangeUnavailable: connecting failed.

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
                        base = httpx2.URL(url)
                        transport = _OneStream(stream, base)
                        async with httpx2.AsyncClient(
                            base_url=base,
                            headers={
                                "User-Agent": USER_AGENT,
                                "Accept": "application/json",
                                **dict(headers),
                            },
                            timeout=read_timeout,
                            transport=transport,
                            trust_env=False,
                        ) as client:
                            yield Http(client, transport, address)
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

    def __init__(self, client: httpx2.AsyncClient, transport: _OneStream, address: Address) -> None:
        self._client = client
        self._transport = transport
        self._address = address

    async def get(self, target: str) -> Response:
        """The whole response to a GET of `target`; errors and cancellation as for `request`."""
        return await self.request("GET", target)

    async def post(self, target: str, body: bytes) -> Response:
        """The whole response to a POST of JSON; errors and cancellation as for `request`."""
        headers = {"Content-Type": "application/json"}
        return await self.request("POST", target, headers, body)

    async def request(
        self,
        verb: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Response:
        """Get the whole response to a request for `target`, a path with its query.

        Raises:
            ExchangeUnavailable: the connection is broken, or the answer is invalid.

        Cancellation: the connection is unusable afterwards.
        """
        request = self._client.build_request(verb, target, headers=headers, content=body)
        answer = bytearray()
        began = trio.current_time()
        try:
            # Bytes that come are not enough: they may come one by one, or be "100 Continue".
            with trio.CancelScope(deadline=began + _ANSWER_SECONDS) as limit:
                # Not by the client itself, which logs the URL, and with it a signature.
                response = await self._transport.handle_async_request(request)
                async with aclosing(response), aclosing(response.aiter_bytes()) as parts:
                    async for part in parts:
                        answer += part
                        if len(answer) > _MAX_BODY_BYTES:
                            raise ExchangeUnavailable(
                                f"{self._address} answers with more than {_MAX_BODY_BYTES} bytes"
                            )
                        pace = len(answer) / _LEAST_BYTES_PER_SECOND
                        limit.deadline = began + _ANSWER_SECONDS + pace
                    return Response(response.status_code, response.headers, bytes(answer))
        except _FAILURES as error:
            raise ExchangeUnavailable(f"{self._address} gave no answer: {said(error)}") from error
        seconds = trio.current_time() - began
        raise ExchangeUnavailable(
            f"{self._address} answers too slowly: {len(answer)} bytes in {seconds:.3g} s"
        )


_FAILURES = (
    httpcore2.ConnectionNotAvailable,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,
    httpx2.RequestError,
)
"""The errors of a broken connection or an invalid answer."""


class _OneStream(httpx2.AsyncBaseTransport):
    """Sends every request over one stream, or fails."""

    def __init__(self, stream: trio.abc.Stream, base: httpx2.URL) -> None:
        origin = _in_core(base).origin
        self._connection = httpcore2.AsyncHTTP11Connection(origin, _Lent(stream))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._connection.handle_async_request(
            httpcore2.Request(
                request.method,
                _in_core(request.url),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx2.Response(response.status, headers=response.headers, stream=_Content(response))


class _Content(httpx2.AsyncByteStream):
    """The body of a response, as it arrives."""

    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._response.aiter_stream()

    async def aclose(self) -> None:
        await self._response.aclose()


class _Lent(httpcore2.AsyncNetworkStream):
    """A borrowed stream, which this does not close, with the methods that httpcore2 expects."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        with _translated(httpcore2.ReadError, httpcore2.ReadTimeout, timeout):
            return bytes(await self._stream.receive_some(max_bytes))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        with _translated(httpcore2.WriteError, httpcore2.WriteTimeout, timeout):
            await self._stream.send_all(buffer)

    async def aclose(self) -> None:
        """Do nothing, so that a call under a shield is harmless."""


@contextmanager
def _translated(
    broken: type[httpcore2.NetworkError],
    late: type[httpcore2.TimeoutException],
    seconds: float | None,
) -> Iterator[None]:
    """Convert the stream's errors to those that httpcore2 expects, with a time limit."""
    try:
        with trio.move_on_after(math.inf if seconds is None else seconds) as limit:
            yield
    except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
        raise broken(said(error)) from error
    if limit.cancelled_caught:
        raise late(f"nothing moved for {seconds:g} s")


def _in_core(url: httpx2.URL) -> httpcore2.URL:
    """Convert the URL to httpcore2's type."""
    return httpcore2.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )
