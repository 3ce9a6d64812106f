"""The requests that spot and futures share, and how each goes on the wire.

Source: binance_trading §5, §8, §11.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec

from connector.exchanges.binance import signing
from connector.exchanges.binance.private import reading, shapes
from connector.exchanges.binance.signing import Parameter
from connector.inputs.decimals import written
from connector.keys import ApiKey
from connector.orders import Intent, Limit, Side
from connector.trading.reports import FillReport, OrderReport
from connector.trading.venue import HttpRequest, Request

_ORDER = reading.quick_decoder(shapes.Order)
_ORDERS = reading.decoder(list[shapes.Order])
_TRADES = reading.decoder(list[shapes.Trade])
_TIME = reading.decoder(shapes.ServerTime)

TRADES_PER_REQUEST = 1000


class _Call(msgspec.Struct):
    id: int
    method: str
    params: Mapping[str, Parameter]


_encode = msgspec.json.Encoder().encode


def write(request: Request[Any], request_id: int, key: ApiKey, now_ns: int, window: float) -> str:
    """A request over the WebSocket API."""
    parameters = dict(request.parameters)
    if request.signing != "open":
        parameters["apiKey"] = key.key
    if request.signing == "signed":
        parameters["recvWindow"] = round(window * 1000)
        parameters["timestamp"] = now_ns // reading.NS_PER_MS
        signing.sign(key, parameters)
    return _encode(_Call(request_id, request.method, parameters)).decode()


def write_rest(request: Request[Any], key: ApiKey, now_ns: int, window: float) -> HttpRequest:
    """A request over REST; everything is in the query."""
    verb, _, path = request.method.partition(" ")
    if request.signing == "signed":
        query = signing.signed_query(key, {**request.parameters, **_timed(now_ns, window)})
    else:
        query = signing.query(request.parameters)
    headers = {} if request.signing == "open" else {signing.KEY_HEADER: key.key}
    return HttpRequest(verb, f"{path}?{query}" if query else path, headers)


def _timed(now_ns: int, window: float) -> dict[str, Parameter]:
    return {"recvWindow": round(window * 1000), "timestamp": now_ns // reading.NS_PER_MS}


# --- reading


def read_order(payload: bytes) -> OrderReport:
    """The reply to a place, a cancel or a question."""
    return reading.order_report(_ORDER(payload))


def read_orders(payload: bytes) -> tuple[OrderReport, ...]:
    """A list of orders."""
    return tuple(map(reading.order_report, _ORDERS(payload)))


def read_trades(payload: bytes) -> tuple[FillReport, ...]:
    """A list of trades, oldest first."""
    return tuple(sorted(map(reading.trade_report, _TRADES(payload)), key=_number))


def _number(fill: FillReport) -> int:
    return int(fill.trade_id)


def read_time(payload: bytes) -> int:
    """The exchange's time, in nanoseconds."""
    return _TIME(payload).server_time * reading.NS_PER_MS


def read_nothing(_: bytes) -> None:
    """A reply that only confirms success."""


# --- writing


SIDES: Mapping[Side, str] = MappingProxyType({"buy": "BUY", "sell": "SELL"})
"""Binance's word for a side."""


def side(intent: Intent) -> str:
    """Convert our word to Binance's."""
    return SIDES[intent.side]


def quantities(intent: Intent) -> dict[str, Parameter]:
    """Quantity and price."""
    found: dict[str, Parameter] = {}
    if intent.quantity is not None:
        found["quantity"] = written(intent.quantity)
    if isinstance(intent, Limit):
        found["price"] = written(intent.price)
    return found


def number(value: Decimal) -> str:
    """A number as it goes on the wire."""
    return written(value)


def place(parameters: Mapping[str, Parameter], weight: int) -> Request[OrderReport]:
    """``order.place``."""
    return Request(
        what="place",
        over="orders",
        method="order.place",
        parameters=parameters,
        decode=read_order,
        weight=weight,
        orders=1,
    )


def open_orders(path: str, weight: int) -> Request[tuple[OrderReport, ...]]:
    """All open orders of all symbols."""
    return Request(
        what="open orders",
        over="rest",
        method=f"GET {path}",
        parameters={},
        decode=read_orders,
        weight=weight,
    )


def cancel(symbol: str, client_id: str, weight: int) -> Request[OrderReport]:
    """Cancel by client id; only the matching engine can answer it (binance_trading §7)."""
    return Request(
        what="cancel",
        over="orders",
        method="order.cancel",
        parameters={"symbol": symbol, "origClientOrderId": client_id},
        decode=read_order,
        weight=weight,
    )


def cancel_listed(path: str, order: OrderReport) -> Request[OrderReport | None]:
    """Cancel any order on the account by the exchange's id, over REST."""
    return Request(
        what="cancel",
        over="rest",
        method=f"DELETE {path}",
        parameters={"symbol": order.symbol, "orderId": int(order.exchange_id or 0)},
        decode=read_order,
        weight=1,
    )


def order(
    path: str, weight: int, symbol: str, which: Mapping[str, Parameter]
) -> Request[OrderReport]:
    """Ask for one order."""
    return Request(
        what="order",
        over="rest",
        method=f"GET {path}",
        parameters={"symbol": symbol, **which},
        decode=read_order,
        weight=weight,
    )


def fills(
    path: str, weight: int, symbol: str, after: str | None, since_ns: int | None
) -> Request[tuple[FillReport, ...]]:
    """Trades of a symbol: after an id, since a time, or else the latest one."""
    parameters: dict[str, Parameter] = {"symbol": symbol}
    if after is not None:
        parameters |= {"fromId": int(after) + 1, "limit": TRADES_PER_REQUEST}
    elif since_ns is not None:
        parameters |= {"startTime": since_ns // reading.NS_PER_MS, "limit": TRADES_PER_REQUEST}
    else:
        parameters["limit"] = 1
    return Request(
        what="fills",
        over="rest",
        method=f"GET {path}",
        parameters=parameters,
        decode=read_trades,
        weight=weight,
    )


def clock(path: str) -> Request[int]:
    """The exchange's time."""
    return Request(
        what="clock",
        over="rest",
        method=f"GET {path}",
        parameters={},
        decode=read_time,
        signing="open",
        weight=1,
    )
