"""The public part of Bybit's REST interface: instruments, the time, and the past.

Source: bybit §2, §6.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from connector.testing.kits.bybit import history
from connector.testing.market.history import history_of, market_takes
from connector.testing.market.matching import Scale
from connector.testing.network.server_websocket import Request, response
from connector.testing.venues.rules import QUOTES

_PARAMETER = 10001
_MOST_ROWS, _ROWS = 1000, 500
_REQUESTS, _WINDOW_SECONDS, _BAN_SECONDS = 600, 5.0, 600.0


def answer(
    request: Request, category: str, scale: Scale, symbols: tuple[str, ...], market: Any
) -> bytes:
    """The complete HTTP response to a request."""
    url = urlsplit(request.target)
    query = dict(parse_qsl(url.query))
    headers = {"Content-Type": "application/json"}
    if request.method != "GET" or not url.path.startswith("/v5/market/"):
        return response(404, headers, b"", keep_alive=True)
    if not market_takes(market, "rest", _REQUESTS, _WINDOW_SECONDS, ban_seconds=_BAN_SECONDS):
        return response(403, headers, b"access too frequent", keep_alive=True)
    body: dict[str, Any] = {"retCode": 0, "retMsg": "OK", "result": {}, "retExtInfo": {}}
    if url.path == "/v5/market/instruments-info":
        if query.get("category") != category:
            body |= {"retCode": _PARAMETER, "retMsg": "params error: Category is invalid"}
        else:
            body["result"] = _instruments(category, symbols, query)
    elif url.path in history.ANSWERS:
        body |= _past(url.path, query, category, scale, market)
    elif url.path != "/v5/market/time":
        return response(404, headers, b"", keep_alive=True)
    return response(200, headers, msgspec.json.encode(body), keep_alive=True)


def _past(
    path: str, query: dict[str, str], category: str, scale: Scale, market: Any
) -> dict[str, Any]:
    symbol = query.get("symbol", "")
    known = history_of(market, symbol)
    if query.get("category") != category:
        return {"retCode": _PARAMETER, "retMsg": "params error: Category is invalid"}
    if known is None:
        return {"retCode": _PARAMETER, "retMsg": "Not supported symbols: symbol invalid"}
    desk, now_ms = market.desks[symbol], market.now_ms
    asked = history.Asked(query, symbol, category, known, desk, scale, now_ms)
    try:
        return {"result": history.ANSWERS[path](asked)}
    except history.Refused as refused:
        return {"retCode": _PARAMETER, "retMsg": str(refused)}


def _instruments(
    category: str, symbols: tuple[str, ...], query: dict[str, str]
) -> dict[str, object]:
    begin = int(query.get("cursor") or 0)
    rows = min(int(query.get("limit") or _ROWS), _MOST_ROWS)
    if category == "spot":  # comes all at once
        begin, rows = 0, len(symbols)
    more = begin + rows < len(symbols)
    return {
        "category": category,
        "nextPageCursor": str(begin + rows) if more else "",
        "list": [_instrument(category, symbol) for symbol in symbols[begin : begin + rows]],
    }


def _instrument(category: str, symbol: str) -> dict[str, object]:
    quote = next((each for each in QUOTES if symbol.endswith(each) and symbol != each), symbol[-3:])
    base = symbol.removesuffix(quote)
    told: dict[str, object] = {
        "symbol": symbol, "status": "Trading", "baseCoin": base, "quoteCoin": quote,
    }  # fmt: skip
    if category == "spot":
        lots = {
            "basePrecision": "0.001", "quotePrecision": "0.00001", "minOrderAmt": "5",
            "maxLimitOrderQty": "10000", "maxMarketOrderQty": "1000",
        }  # fmt: skip
        return {**told, "lotSizeFilter": lots, "priceFilter": {"tickSize": "0.01"}}
    step = "1" if category == "inverse" else "0.001"
    return {
        **told,
        "contractType": "InversePerpetual" if category == "inverse" else "LinearPerpetual",
        "settleCoin": base if category == "inverse" else quote,
        "deliveryTime": "0",
        "fundingInterval": 480,
        "priceFilter": {"minPrice": "0.01", "maxPrice": "1999999.98", "tickSize": "0.01"},
        "lotSizeFilter": {
            "minOrderQty": step,
            "maxOrderQty": "1190000",
            "maxMktOrderQty": "500",
            "qtyStep": step,
            "minNotionalValue": "5",
        },
    }
