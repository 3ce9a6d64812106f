"""Signed requests over REST: read each with its body, and wait for the desk's answer.

Source: binance_trading §9, §11.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

import attrs
import trio

from connector.testing.exchange.trading.answers import Answer, over_rest
from connector.testing.exchange.trading.credentials import payload_of_request
from connector.testing.exchange.trading.dispatch import Desk
from connector.testing.exchange.trading.gateway import Asked, Signed
from connector.testing.exchange.trading.methods import Methods
from connector.testing.exchange.trading.refusals import Refused
from connector.testing.network import server_websocket
from connector.testing.network.server_end import Wire


@attrs.define(eq=False)
class RestDoor:
    """The REST interface of accounts.

    Args:
        prefix: the prefix of every path, such as ``/api/v3``.
    """

    desk: Desk
    methods: Methods
    prefix: str

    def name_of(self, request: server_websocket.Request) -> str | None:
        """The method that a request names; None if it concerns no account."""
        path = urlsplit(request.target).path
        route = request.method, path.removeprefix(self.prefix)
        return self.methods.routes.get(route) if path.startswith(self.prefix) else None

    async def serve(self, request: server_websocket.Request, name: str, wire: Wire) -> bytes:
        """Answer one request, and return what was received after it.

        Raises:
            trio.BrokenResourceError: the connection is over, by a fault or by the client.
        """
        rest = request.rest
        waiting = _Waiting()
        asked = _asked(request, name, request.body.decode("latin-1"))
        if isinstance(asked, Answer):
            waiting.send(asked)
        else:
            self.desk.receive(asked, waiting)
        rest += await waiting.wait(wire)
        if waiting.cut_after is not None:
            if waiting.written:
                await wire.stream.send_all(waiting.written)
            wire.reset()
            raise trio.BrokenResourceError("a fault has cut the connection")
        await wire.stream.send_all(waiting.written)
        return rest


def _asked(request: server_websocket.Request, name: str, body: str) -> Asked | Answer:
    query = urlsplit(request.target).query
    params: Mapping[str, str] = dict(parse_qsl(f"{query}&{body}", keep_blank_values=True))
    signed: Signed | None = None
    if "timestamp" in params or "signature" in params:
        try:
            payload, signature = payload_of_request(query, body)
        except Refused as refused:
            return Answer(status=refused.status, refused=refused)
        signed = Signed(payload=payload, signature=signature)
    return Asked(
        name=name,
        params=params,
        via="rest",
        key=request.headers.get("x-mbx-apikey"),
        signed=signed,
        rate_limits=False,
    )


@attrs.define(eq=False)
class _Waiting:
    """The destination of an answer, while the connection is watched."""

    written: bytes = b""
    cut_after: int | None = None
    _answered: trio.Event = attrs.field(factory=trio.Event)

    def send(self, answer: Answer) -> None:
        if not self._answered.is_set():
            self.written = over_rest(answer)
            self._answered.set()

    def cut(self, answer: Answer | None, first_bytes: int) -> None:
        self.cut_after = first_bytes
        self.written = b"" if answer is None else over_rest(answer)[:first_bytes]
        self._answered.set()

    async def wait(self, wire: Wire) -> bytes:
        """Wait for the answer, and return what the client has sent meanwhile."""
        if self._answered.is_set():
            return b""
        received = bytearray()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, wire, received, nursery.cancel_scope)
            await self._answered.wait()
            nursery.cancel_scope.cancel()
        if not self._answered.is_set():
            raise trio.BrokenResourceError("the client has gone without an answer")
        return bytes(received)

    async def _watch(self, wire: Wire, received: bytearray, scope: trio.CancelScope) -> None:
        """Read until the client disconnects, because it need not wait for a lost answer."""
        try:
            while chunk := await wire.stream.receive_some():
                received.extend(chunk)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        scope.cancel()
