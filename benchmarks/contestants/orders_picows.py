"""Orders over picows: signed and correlated, replies and events decoded, and nothing else."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from decimal import Decimal

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.order_workload import LARGE, PRICE, QUANTITY, SYMBOL, OrderMeasure

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
    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.fills = 0
        self.done = asyncio.Event()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        event = EVENT.decode(frame.get_payload_as_bytes())
        if event.o.x == "TRADE":
            self.fills += 1
            if self.fills == self.wanted:
                self.done.set()


def parameters(client_id: str, quantity: str = QUANTITY) -> dict[str, str | int]:
    return {
        "symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
        "quantity": quantity, "price": PRICE, "newClientOrderId": client_id,
        "selfTradePreventionMode": "EXPIRE_TAKER",
    }  # fmt: skip


async def main() -> None:
    measure = OrderMeasure()
    url = f"ws://127.0.0.1:{measure.port}"
    _, private = await ws_connect(lambda: Private(measure.fills), f"{url}/private/ws?listenKey=key")
    _, orders = await ws_connect(Orders, f"{url}/ws-fapi/v1")
    assert isinstance(orders, Orders)
    assert isinstance(private, Private)
    for chunk in measure.chunks():
        ids = []
        for number in chunk:
            if measure.rate:
                await asyncio.sleep(measure.wait())
            client_id = f"{number:032x}"
            measure.sending()
            await orders.ask("order.place", parameters(client_id))
            measure.accepted()
            ids.append(client_id)
        measure.chunk_is_placed()
        for client_id in ids:
            await orders.ask("order.cancel", {"symbol": SYMBOL, "origClientOrderId": client_id})
    if measure.fills:
        await orders.ask("order.place", parameters("f" * 32, LARGE))
        fills = {"id": 0, "method": "bench.fills", "params": {"number": measure.fills}}
        measure.fills_begin()
        orders.transport.send(WSMsgType.TEXT, msgspec.json.encode(fills))
        await private.done.wait()
        measure.fills_are_told()
    measure.report()


if __name__ == "__main__":
    asyncio.run(main())
