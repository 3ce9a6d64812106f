"""The public part of Bitget's REST interface: instruments and books.

Source: bitget §6.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from connector.testing.kits.bitget.names import INST_TYPES, Market, assets_of, inst_type_of
from connector.testing.network.server_websocket import Request, response

_BEGIN = "/api/v3/market/"
_PARAMETER, _NO_SYMBOL = "40020", "25100"
_MOST_LEVELS, _LEVELS = 200, 5
_NOW_MS = 1_695_000_000_000


def answer(request: Request, market_name: Market, symbols: tuple[str, ...], market: Any) -> bytes:
    """The whole HTTP response to a request."""
    url = urlsplit(request.target)
    query = dict(parse_qsl(url.query))
    if request.method != "GET" or not url.path.startswith(_BEGIN):
        return response(404, {"Content-Type": "application/json"}, b"", keep_alive=True)
    category = query.get("category", "")
    if category.lower() not in INST_TYPES or not category.isupper():
        return _error(_PARAMETER, "Parameter category error")
    what = url.path.removeprefix(_BEGIN)
    listed = [each for each in symbols if inst_type_of(market_name, each) == category.lower()]
    if what == "instruments":
        wanted = query.get("symbol")
        return _success(
            [_instrument(market_name, each) for each in listed if wanted in (None, each)]
        )
    if what == "orderbook":
        return _order_book(query, listed, market)
    return response(404, {"Content-Type": "application/json"}, b"", keep_alive=True)


def _success(data: Any) -> bytes:
    body = {"code": "00000", "msg": "success", "requestTime": _NOW_MS, "data": data}
    return _response(200, body)


def _error(code: str, message: str) -> bytes:
    return _response(400, {"code": code, "msg": message, "requestTime": _NOW_MS, "data": None})


def _response(status: int, body: Any) -> bytes:
    headers = {"Content-Type": "application/json"}
    return response(status, headers, msgspec.json.encode(body), keep_alive=True)


def _order_book(query: dict[str, str], listed: list[str], market: Any) -> bytes:
    """Numbers are JSON numbers, and there is no id."""
    symbol, limit = query.get("symbol"), query.get("limit", str(_LEVELS))
    if symbol not in listed:
        return _error(_NO_SYMBOL, f"Symbol {symbol} does not exist")
    if not limit.isdecimal() or not 1 <= int(limit) <= _MOST_LEVELS:
        return _error(_PARAMETER, "Parameter limit error")
    market.advance()
    return _success(msgspec.Raw(market.desks[symbol].order_book(int(limit)).encode()))


def _instrument(market: Market, symbol: str) -> dict[str, str]:
    base, quote = assets_of(market, symbol)
    told = {
        "symbol": symbol, "category": inst_type_of(market, symbol).upper(), "baseCoin": base,
        "quoteCoin": quote, "minOrderQty": "0.001", "maxOrderQty": "0", "pricePrecision": "2",
        "quantityPrecision": "3", "priceMultiplier": "0.01", "quantityMultiplier": "0.001",
        "minOrderAmount": "5", "status": "online", "symbolType": "crypto", "launchTime": "",
    }  # fmt: skip
    if market == "spot":
        return told
    return {
        **told, "type": "perpetual", "fundInterval": "8", "deliveryTime": "",
        "maxMarketOrderQty": "500",
    }  # fmt: skip
