"""The public part of Deribit's REST interface: instruments, books, and the time.

Source: deribit §5, §6.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from connector.testing.network.server_websocket import Request, response

_BEGIN = "/api/v2/public/"
_NEVER_MS = 32_503_708_800_000
_INVALID_PARAMS, _METHOD_NOT_FOUND, _NO_INSTRUMENT = -32602, -32601, 13020
_MOST_LEVELS = 10_000
_SIDES = {"C": "call", "P": "put"}


def answer(request: Request, symbols: tuple[str, ...], market: Any) -> bytes:
    """The whole HTTP response to a request."""
    url = urlsplit(request.target)
    query = dict(parse_qsl(url.query))
    if request.method != "GET" or not url.path.startswith(_BEGIN):
        return _error(404, _METHOD_NOT_FOUND, "Method not found")
    method = url.path.removeprefix(_BEGIN)
    if method == "get_instruments":
        return _instruments(query, symbols)
    if method == "get_order_book":
        return _order_book(query, market)
    if method == "test":
        return _result({"version": "1.2.26"})
    return _error(404, _METHOD_NOT_FOUND, "Method not found")


def _result(result: Any) -> bytes:
    body = {"jsonrpc": "2.0", "result": result, "usIn": 0, "usOut": 0, "usDiff": 0,
            "testnet": False}  # fmt: skip
    return _response(200, body)


def _error(status: int, code: int, message: str, param: str = "") -> bytes:
    error: dict[str, Any] = {"code": code, "message": message}
    if param:
        error["data"] = {"reason": "wrong value", "param": param}
    return _response(status, {"jsonrpc": "2.0", "error": error, "testnet": False})


def _response(status: int, body: Any) -> bytes:
    headers = {"Content-Type": "application/json"}
    return response(status, headers, msgspec.json.encode(body), keep_alive=True)


def _instruments(query: dict[str, str], symbols: tuple[str, ...]) -> bytes:
    currency, kind = query.get("currency"), query.get("kind", "any")
    if currency != "any" and (currency is None or not currency.isupper()):
        return _error(400, _INVALID_PARAMS, "Invalid params", "currency")
    if kind not in ("any", "spot", "future", "option", "future_combo", "option_combo"):
        return _error(400, _INVALID_PARAMS, "Invalid params", "kind")
    rows = [_instrument(each) for each in symbols]
    return _result(
        [
            row
            for row in rows
            if kind in ("any", row["kind"]) and currency in ("any", row["settlement_currency"])
        ]
    )


def _order_book(query: dict[str, str], market: Any) -> bytes:
    desk = getattr(market, "desks", {}).get(query.get("instrument_name"))
    depth = query.get("depth", "5")
    if desk is None:
        return _error(400, _NO_INSTRUMENT, "instrument_not_found", "instrument_name")
    if not depth.isdecimal() or not 1 <= int(depth) <= _MOST_LEVELS:
        return _error(400, _INVALID_PARAMS, "Invalid params", "depth")
    market.advance()
    return _result(msgspec.Raw(desk.order_book(int(depth)).encode()))


def _instrument(symbol: str) -> dict[str, Any]:
    pair, *rest = symbol.split("-")
    base, _, quote = pair.partition("_")
    linear = bool(quote)
    option = len(rest) == 3
    spot = not rest
    told: dict[str, Any] = {
        "instrument_name": symbol,
        "kind": "spot" if spot else "option" if option else "future",
        "instrument_type": "linear" if linear else "reversed",
        "base_currency": base,
        "quote_currency": quote or (base if option else "USD"),
        "counter_currency": quote or "USD",
        "settlement_currency": quote or base,
        "price_index": f"{base}_{quote or 'USD'}".lower(),
        "tick_size": 0.01,
        "tick_size_steps": [],
        "min_trade_amount": 10.0,
        "contract_size": 10.0,
        "is_active": True,
        "expiration_timestamp": _NEVER_MS,
        "settlement_period": "perpetual",
    }
    if rest and rest[0] != "PERPETUAL":
        told |= {"settlement_period": "month", "expiration_timestamp": _expiry_ms(rest[0])}
    if option:
        told |= {"strike": float(rest[1].replace("d", ".")), "option_type": _SIDES[rest[2]]}
    return told


def _expiry_ms(date: str) -> int:
    """8:00 UTC of a day such as 3DEC21."""
    day = datetime.strptime(date, "%d%b%y").replace(tzinfo=UTC) + timedelta(hours=8)
    return round(day.timestamp() * 1000)
