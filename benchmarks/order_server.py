"""A server that takes every order of Binance USD-M at once, and does nothing else.

It stands in for the exchange where only the client is measured: order entry and private events
over WebSocket, and what an account reads over REST. It checks no signature and matches nothing.
It prints its port.

    python -m benchmarks.order_server
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from typing import Any

SYMBOL = "ETHUSDC"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
INSTRUMENT = {
    "symbol": SYMBOL, "status": "TRADING", "contractType": "PERPETUAL", "baseAsset": "ETH",
    "quoteAsset": "USDC", "marginAsset": "USDC", "deliveryDate": 4_133_404_800_000,
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "99999", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "99999", "stepSize": "0.001"},
        {"filterType": "MIN_NOTIONAL", "notional": "5"},
    ],
}  # fmt: skip
LIMITS = [{"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 10**9}]
ACCOUNT = {
    "totalMarginBalance": "1000000", "availableBalance": "1000000", "totalUnrealizedProfit": "0",
    "totalInitialMargin": "0", "totalMaintMargin": "0",
    "assets": [{"asset": "USDC", "walletBalance": "1000000", "availableBalance": "1000000",
                "updateTime": 1}],
}  # fmt: skip
ANSWERS: dict[str, Any] = {
    "/fapi/v1/exchangeInfo": {"rateLimits": LIMITS, "symbols": [INSTRUMENT]},
    "/fapi/v1/listenKey": {"listenKey": "key"},
    "/fapi/v3/account": ACCOUNT,
    "/fapi/v3/positionRisk": [],
    "/fapi/v1/positionSide/dual": {"dualSidePosition": False},
}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def frame(text: bytes) -> bytes:
    """A text frame from a server."""
    size = len(text)
    head = bytes([0x81, size]) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")
    return head + text


class Exchange:
    """Orders, and who listens."""

    def __init__(self) -> None:
        self.listeners: set[asyncio.StreamWriter] = set()
        self.orders: dict[str, dict[str, Any]] = {}
        self.numbers = 0
        self.trades = 0

    def act(self, request: dict[str, Any]) -> bytes:
        """Carry out a request of the WebSocket API; the reply."""
        params, method = request["params"], request["method"]
        result: dict[str, Any] = {}
        if method == "order.place":
            self.numbers += 1
            result = {
                "orderId": self.numbers, "symbol": SYMBOL, "status": "NEW",
                "clientOrderId": params["newClientOrderId"], "price": params["price"],
                "origQty": params["quantity"], "executedQty": "0", "cumQty": "0",
                "timeInForce": params["timeInForce"], "type": "LIMIT", "reduceOnly": False,
                "side": params["side"], "positionSide": "BOTH", "origType": "LIMIT",
                "updateTime": now_ms(),
            }  # fmt: skip
            self.orders[params["newClientOrderId"]] = result
            self.tell(result, "NEW")
        elif method == "order.cancel":
            result = self.orders.pop(params["origClientOrderId"])
            result["status"] = "CANCELED"
            self.tell(result, "CANCELED")
        elif method == "bench.fills":
            order = next(iter(self.orders.values()))
            for number in range(1, params["number"] + 1):
                self.tell(order, "TRADE", filled=number)
        reply = {"id": request["id"], "status": 200, "result": result, "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1,
             "limit": 2400, "count": 1},
            {**LIMITS[0], "count": self.numbers},
        ]}  # fmt: skip
        return frame(json.dumps(reply, separators=(",", ":")).encode())

    def tell(self, order: dict[str, Any], what: str, filled: int = 0) -> None:
        """ORDER_TRADE_UPDATE, with the fields of a real one (binance_trading §4)."""
        trade = what == "TRADE"
        self.trades += trade
        moment = now_ms()
        event = {
            "e": "ORDER_TRADE_UPDATE", "T": moment, "E": moment,
            "o": {
                "s": SYMBOL, "c": order["clientOrderId"], "S": order["side"], "o": "LIMIT",
                "f": order["timeInForce"], "q": order["origQty"], "p": order["price"],
                "ap": order["price"] if trade else "0", "sp": "0", "x": what,
                "X": "PARTIALLY_FILLED" if trade else order["status"], "i": order["orderId"],
                "l": "0.001" if trade else "0", "z": f"{filled / 1000:.3f}",
                "L": order["price"] if trade else "0", "n": "0.0001", "N": "USDC", "T": moment,
                "t": self.trades if trade else 0, "b": "0", "a": "0", "m": True, "R": False,
                "ot": "LIMIT", "ps": "BOTH", "cp": False, "rp": "0", "pP": False, "si": 0, "ss": 0,
                "V": "EXPIRE_MAKER", "pm": "NONE", "gtd": 0, "er": "0",
            },
        }  # fmt: skip
        sent = frame(json.dumps(event, separators=(",", ":")).encode())
        for listener in self.listeners:
            listener.write(sent)


async def serve(
    exchange: Exchange, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One connection: HTTP, until it becomes a WebSocket."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            target = head.split(" ", 2)[1]
            key = next(
                (
                    line.partition(":")[2].strip()
                    for line in head.split("\r\n")
                    if line.lower().startswith("sec-websocket-key")
                ),
                None,
            )
            if key is not None:
                accept = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()
                writer.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept.encode() + b"\r\n\r\n"
                )
                await converse(exchange, target, reader, writer)
                return
            path = target.partition("?")[0]
            answer = ANSWERS.get(path, [])
            if path == "/fapi/v1/time":
                answer = {"serverTime": now_ms()}
            elif path == "/fapi/v1/openOrders":
                # An account that audits itself must find what it has placed.
                answer = list(exchange.orders.values())
            body = json.dumps(answer).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (len(body), body)
            )
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        exchange.listeners.discard(writer)
        writer.close()


async def converse(
    exchange: Exchange, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Frames: replies to requests, pongs to pings."""
    if target.startswith("/private"):
        exchange.listeners.add(writer)
    while True:
        first, second = await reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        mask = await reader.readexactly(4)
        masked = await reader.readexactly(size)
        key = int.from_bytes(mask * (size // 4 + 1), "big") >> 8 * (4 - size % 4)
        text = (int.from_bytes(masked, "big") ^ key).to_bytes(size, "big")
        match first & 0x0F:
            case 0x8:
                return
            case 0x9:
                writer.write(bytes([0x8A, size]) + text)
            case 0x1:
                writer.write(exchange.act(json.loads(text)))


async def main() -> None:
    exchange = Exchange()

    async def each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(exchange, reader, writer)

    server = await asyncio.start_server(each, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
