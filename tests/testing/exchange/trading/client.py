"""A client that speaks the raw protocol, written from the notes: JSON, HMAC, a WebSocket.

It shares no code with the simulated exchange, nor with the connector.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import attrs
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from connector.testing import MemoryNetwork, OrderFlow, SimulatedExchange, open_exchange
from connector.testing.exchange.trading.accounts import TradingAccount
from connector.testing.exchange.trading.readings import Readings

SYMBOL = "ETHUSDC"
RICH = {"USDC": "100000", "ETH": "50"}
STILL = OrderFlow(rate_per_second=1e-6)
"""A market whose traders never move: what accounts do is all that happens."""


def sign(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


@attrs.define(eq=False)
class Client:
    """One WebSocket connection; replies are kept apart from events."""

    exchange: SimulatedExchange
    socket: WebSocketConnection
    account: str = "mm1"
    skew_ms: int = 0
    events: list[Any] = attrs.field(factory=list)
    replies: dict[Any, Any] = attrs.field(factory=dict)
    closed: str | None = None
    _number: int = 0
    _news: trio.Condition = attrs.field(factory=trio.Condition)

    @property
    def now_ms(self) -> int:
        return self.exchange._audience.now_ms() + self.skew_ms

    async def read(self) -> None:
        """Reads until the connection is over."""
        try:
            while True:
                message = json.loads(await self.socket.get_message())
                async with self._news:
                    if "status" in message:
                        self.replies.setdefault(message["id"], []).append(message)
                    else:
                        self.events.append(message)
                    self._news.notify_all()
        except ConnectionClosed as closed:
            async with self._news:
                self.closed = str(closed.reason)
                self._news.notify_all()

    def signed(self, params: dict[str, Any]) -> dict[str, Any]:
        account = self.exchange.accounts[self.account]
        params = {"apiKey": account.key, "timestamp": self.now_ms, **params}
        text = "&".join(f"{name}={params[name]}" for name in sorted(params))
        return {**params, "signature": sign(account.secret, text)}

    async def send(self, method: str, params: dict[str, Any] | None = None) -> int:
        """Sends a request and returns its id."""
        self._number += 1
        request = {"id": self._number, "method": method, "params": params or {}}
        await self.socket.send_message(json.dumps(request))
        return self._number

    async def reply(self, number: int) -> Any:
        """Waits for the reply to a request; None: the connection was over before."""
        async with self._news:
            while number not in self.replies and self.closed is None:
                await self._news.wait()
        return self.replies[number][0] if number in self.replies else None

    async def ask(self, method: str, **params: Any) -> Any:
        """Sends a signed request and waits for its reply."""
        return await self.reply(await self.send(method, self.signed(params)))

    async def place(self, **params: Any) -> Any:
        """Places a limit order, good till cancelled, unless it is said otherwise."""
        defaults = {
            "symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
            "quantity": "0.5", "price": "2990.00",
        }  # fmt: skip
        merged = {**defaults, **params}
        return await self.ask("order.place", **{n: v for n, v in merged.items() if v is not None})

    async def event(self, name: str, count: int = 1) -> Any:
        """Waits for the event of a name that is the `count`th."""

        def found() -> list[Any]:
            inner = (event.get("event", event) for event in self.events)
            return [event for event in inner if event.get("e") == name]

        async with self._news:
            while len(found()) < count and self.closed is None:
                await self._news.wait()
        return found()[count - 1]

    @property
    def names(self) -> list[str]:
        """Names of all events, in order, with the execution type of those that have one."""
        inner = (event.get("event", event) for event in self.events)
        return [
            f"{event['e']}:{execution}"
            if (execution := event.get("x") or event.get("o", {}).get("x"))
            else event["e"]
            for event in inner
        ]


@asynccontextmanager
async def dial(
    network: MemoryNetwork,
    exchange: SimulatedExchange,
    path: str | None = None,
    account: str = "mm1",
) -> AsyncIterator[Client]:
    """A client on a path, by default that of the WebSocket API."""
    path = exchange.api_url.removeprefix(exchange.url) if path is None else path
    async with network.connect(exchange.host, exchange.port) as stream:
        async with trio.open_nursery() as nursery:
            socket = await wrap_client_stream(nursery, stream, exchange.host, path)
            client = Client(exchange, socket, account)
            nursery.start_soon(client.read)
            yield client
            await trio.aclose_forcefully(stream)
            nursery.cancel_scope.cancel()


@attrs.define(eq=False)
class World:
    """An exchange with its network."""

    network: MemoryNetwork
    exchange: SimulatedExchange

    def dial(self, path: str | None = None, account: str = "mm1") -> Any:
        return dial(self.network, self.exchange, path, account)

    async def rest(
        self,
        verb: str,
        path: str,
        account: str | None = "mm1",
        *,
        signed: bool = True,
        body: bool = False,
        **params: Any,
    ) -> tuple[int, dict[str, str], Any]:
        """One signed request over REST: status, headers, body."""
        headers = ["Host: x"]
        if signed:
            params["timestamp"] = self.exchange._audience.now_ms()
        text = urlencode(params)
        if account is not None:
            truth = self.exchange.accounts[account]
            headers.append(f"X-MBX-APIKEY: {truth.key}")
            if signed:
                text += f"&signature={sign(truth.secret, text)}"
        target, sent = (path, text) if body else (f"{path}?{text}", "")
        headers.append(f"Content-Length: {len(sent)}")
        lines = "\r\n".join((f"{verb} {target} HTTP/1.1", *headers, "", ""))
        async with self.network.connect(self.exchange.host, self.exchange.port) as stream:
            await stream.send_all(f"{lines}{sent}".encode())
            return await _response(stream)


async def _response(stream: trio.abc.Stream) -> tuple[int, dict[str, str], Any]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += await _some(stream)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in rest)
    while len(body) < int(headers["Content-Length"]):
        body += await _some(stream)
    return int(first.split(" ")[1]), headers, json.loads(body)


async def _some(stream: trio.abc.Stream) -> bytes:
    chunk = bytes(await stream.receive_some())
    if not chunk:
        raise EOFError("the exchange ended the stream")
    return chunk


@asynccontextmanager
async def world(
    venue: str,
    *accounts: TradingAccount,
    source: OrderFlow = STILL,
    readings: Readings | None = None,
    **options: Any,
) -> AsyncIterator[World]:
    """An exchange on which `mm1` trades, and whoever else is named."""
    network = MemoryNetwork()
    specs = accounts or (TradingAccount("mm1", RICH),)
    async with open_exchange(
        venue,  # type: ignore[arg-type]
        source=source,
        network=network,
        accounts=specs,
        readings=readings,
        **options,
    ) as exchange:
        yield World(network, exchange)
