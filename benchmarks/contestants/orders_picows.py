"""Orders over picows: signed and correlated, replies and events decoded, and nothing else."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import sys
import time
from decimal import Decimal

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.order_workload import CHUNK, FILLS, ORDERS, report

KEY, SECRET = "key", b"secret"


class Result(msgspec.Struct, rename="camel"):
    order_id: int
    status: str
    client_order_id: str


class Reply(msgspec.Struct):
    id: int
    status: int
    result: Result


class Update(msgspec.Struct):
    s: str
    c: str
    x: str
    X: str
    i: int
    q: Decimal
    p: Decimal
    z: Decimal
    l: Decimal  # noqa: E741
    L: Decimal
    n: Decimal
    N: str
    t: int
    m: bool


class Event(msgspec.Struct):
    E: int
    T: int
    o: Update


REPLY, EVENT = msgspec.json.Decoder(Reply), msgspec.json.Decoder(Event, strict=False)


class Orders(WSListener):
    def __init__(self) -> None:
        self.waiting: dict[int, asyncio.Future[Result]] = {}
        self.transport: WSTransport
        self.number = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        if b'"result":{}' in payload:
            return
        reply = REPLY.decode(payload)
        self.waiting.pop(reply.id).set_result(reply.result)

    def ask(self, method: str, params: dict[str, str | int]) -> asyncio.Future[Result]:
        self.number += 1
        params |= {"apiKey": KEY, "recvWindow": 2000, "timestamp": time.time_ns() // 1_000_000}
        text = "&".join(f"{name}={params[name]}" for name in sorted(params))
        params["signature"] = hmac.new(SECRET, text.encode(), hashlib.sha256).hexdigest()
        call = {"id": self.number, "method": method, "params": params}
        self.transport.send(WSMsgType.TEXT, msgspec.json.encode(call))
        future = asyncio.get_running_loop().create_future()
        self.waiting[self.number] = future
        return future


class Private(WSListener):
    def __init__(self) -> None:
        self.fills = 0
        self.done = asyncio.Event()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        event = EVENT.decode(frame.get_payload_as_bytes())
        if event.o.x == "TRADE":
            self.fills += 1
            if self.fills == FILLS:
                self.done.set()


async def main(url: str) -> None:
    _, private = await ws_connect(Private, f"{url}/private/ws?listenKey=key")
    _, orders = await ws_connect(Orders, f"{url}/ws-fapi/v1")
    assert isinstance(orders, Orders)
    assert isinstance(private, Private)
    spent, times, number = 0.0, [], 0
    for _ in range(ORDERS // CHUNK):
        ids = []
        began = time.process_time()
        for _ in range(CHUNK):
            number += 1
            client_id = f"{number:032x}"
            sent = time.perf_counter()
            await orders.ask(
                "order.place",
                {
                    "symbol": "ETHUSDC", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
                    "quantity": "0.1", "price": "2500", "newClientOrderId": client_id,
                    "selfTradePreventionMode": "EXPIRE_TAKER",
                },
            )  # fmt: skip
            times.append(time.perf_counter() - sent)
            ids.append(client_id)
        spent += time.process_time() - began
        for client_id in ids:
            await orders.ask("order.cancel", {"symbol": "ETHUSDC", "origClientOrderId": client_id})
    await orders.ask(
        "order.place",
        {
            "symbol": "ETHUSDC", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
            "quantity": "100", "price": "2500", "newClientOrderId": "f" * 32,
        },
    )  # fmt: skip
    began = time.process_time()
    fills = {"id": 0, "method": "bench.fills", "params": {"number": FILLS}}
    orders.transport.send(WSMsgType.TEXT, msgspec.json.encode(fills))
    await private.done.wait()
    report(spent, times, time.process_time() - began)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
