"""What the two bare clients of the orders share: signing, requests, what they decode and do.

No more than this is needed: the reply by its id, and an event field by field.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Protocol

import msgspec

from benchmarks.order_workload import LARGE, PRICE, QUANTITY, SYMBOL, OrderMeasure

KEY, SECRET = "key", b"secret"
PRIVATE_PATH, ORDERS_PATH = "/private/ws?listenKey=key", "/ws-fapi/v1"
NO_RESULT = b'"result":{}'
"""Of the reply to `fills`, which nobody waits for."""


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


decode_reply = msgspec.json.Decoder(Reply).decode
decode_event = msgspec.json.Decoder(Event, strict=False).decode


def signed(number: int, method: str, params: dict[str, str | int]) -> bytes:
    """A request over the WebSocket API."""
    params |= {"apiKey": KEY, "recvWindow": 2000, "timestamp": time.time_ns() // 1_000_000}
    text = "&".join(f"{name}={params[name]}" for name in sorted(params))
    params["signature"] = hmac.new(SECRET, text.encode(), hashlib.sha256).hexdigest()
    return msgspec.json.encode({"id": number, "method": method, "params": params})


def place(client_id: str, quantity: str = QUANTITY) -> dict[str, str | int]:
    return {
        "symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
        "quantity": quantity, "price": PRICE, "newClientOrderId": client_id,
        "selfTradePreventionMode": "EXPIRE_TAKER",
    }  # fmt: skip


def cancel(client_id: str) -> dict[str, str | int]:
    return {"symbol": SYMBOL, "origClientOrderId": client_id}


def fills(number: int) -> bytes:
    """Ask the server to send so many fills."""
    return msgspec.json.encode({"id": 0, "method": "bench.fills", "params": {"number": number}})


class Asks(Protocol):
    """A connection for orders."""

    def ask(self, method: str, params: dict[str, str | int]) -> Awaitable[Result]:
        """Send a request, and wait for its reply."""
        ...

    def send(self, text: bytes) -> None:
        """Send a request whose reply nobody waits for."""
        ...


async def trade(
    measure: OrderMeasure,
    orders: Asks,
    sleep: Callable[[float], Awaitable[None]],
    wait_for_fills: Callable[[], Awaitable[object]],
) -> None:
    """The workload, on any event loop: chunks of orders, then fills, then the figures."""
    for chunk in measure.chunks():
        ids = []
        for number in chunk:
            if measure.rate:
                await sleep(measure.wait())
            client_id = f"{number:032x}"
            measure.sending()
            await orders.ask("order.place", place(client_id))
            measure.accepted()
            ids.append(client_id)
        measure.chunk_is_placed()
        for client_id in () if measure.keep else ids:
            await orders.ask("order.cancel", cancel(client_id))
    if measure.fills:
        await orders.ask("order.place", place("f" * 32, LARGE))
        measure.fills_begin()
        orders.send(fills(measure.fills))
        await wait_for_fills()
        measure.fills_are_told()
    measure.report()
