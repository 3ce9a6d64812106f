"""The public part of Bitget's REST interface: instruments, books, and the past of a market.

Words of refusals are *assumed*, and the most of ``fills`` and of levels; of ``history-fund-rate``
all but the path.

Source: bitget §6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs
import msgspec

from connector.testing.kits.bitget.names import INST_TYPES, Market, assets_of, inst_type_of
from connector.testing.kits.bitget.symbol_topics import CLASSIC_INTERVALS
from connector.testing.market.candles import INTERVALS_MS
from connector.testing.market.history import History, history_of, market_takes
from connector.testing.market.matching import Scale, decimal_text
from connector.testing.network.server_websocket import Request, response

_BEGIN = "/api/v3/market/"
_PARAMETER, _NO_SYMBOL = "40020", "25100"
_MOST_LEVELS, _LEVELS = 200, 5
_MOST_RATES, _RATES, _MOST_PAGES = 100, 20, 100
_NOW_MS = 1_695_000_000_000
_MOST_FILLS, _MOST_CANDLES, _MOST_OLD_CANDLES, _CANDLES = 100, 1000, 100, 100
_DAY_MS = 86_400_000
_KEPT_MS, _WINDOW_MS = 31 * _DAY_MS, 90 * _DAY_MS


def answer(
    request: Request, market_name: Market, symbols: tuple[str, ...], market: Any, scale: Scale
) -> bytes:
    """The complete HTTP response to a request."""
    url = urlsplit(request.target)
    query = dict(parse_qsl(url.query))
    if request.method != "GET" or not url.path.startswith(_BEGIN):
        return response(404, {"Content-Type": "application/json"}, b"", keep_alive=True)
    category = query.get("category", "")
    if category.lower() not in INST_TYPES or not category.isupper():
        return _error(_PARAMETER, "Parameter category error")
    what = url.path.removeprefix(_BEGIN)
    if not market_takes(market, what, 20, 1.0):
        return _error("429", "Too Many Requests", status=429)
    listed = [each for each in symbols if inst_type_of(market_name, each) == category.lower()]
    if what == "instruments":
        wanted = query.get("symbol")
        return _success(
            [_instrument(market_name, each) for each in listed if wanted in (None, each)]
        )
    if what in _OF_SYMBOL:
        symbol = query.get("symbol", "")
        known = history_of(market, symbol) if symbol in listed else None
        if known is None:
            return _error(_NO_SYMBOL, f"Symbol {symbol} does not exist")
        asked = _Asked(query, known, market.desks[symbol], scale, market.now_ms)
        try:
            return _success(msgspec.Raw(_OF_SYMBOL[what](asked).encode()))
        except _Refused as refused:
            return _error(refused.code, str(refused))
    return response(404, {"Content-Type": "application/json"}, b"", keep_alive=True)


def _success(data: Any) -> bytes:
    body = {"code": "00000", "msg": "success", "requestTime": _NOW_MS, "data": data}
    return _response(200, body)


def _error(code: str, message: str, *, status: int = 400) -> bytes:
    return _response(status, {"code": code, "msg": message, "requestTime": _NOW_MS, "data": None})


def _response(status: int, body: Any) -> bytes:
    headers = {"Content-Type": "application/json"}
    return response(status, headers, msgspec.json.encode(body), keep_alive=True)


class _Refused(Exception):
    """Answered with an error: code and text."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@attrs.frozen
class _Asked:
    """A request about one symbol, as its answers need it."""

    query: dict[str, str]
    history: History
    desk: Any
    scale: Scale
    now_ms: int

    def number(self, name: str, instead: int, most: int = 10**14) -> int:
        """A parameter from 0 to `most`."""
        text = self.query.get(name, str(instead))
        if not text.isdecimal() or int(text) > most:
            raise _Refused(_PARAMETER, f"Parameter {name} error")
        return int(text)

    @property
    def interval(self) -> str:
        """As the market calls it."""
        asked = self.query.get("interval", "")
        own = next((own for own, name in CLASSIC_INTERVALS.items() if name == asked), None)
        if own is None:
            raise _Refused(_PARAMETER, "Parameter interval error")
        return own


def _order_book(asked: _Asked) -> str:
    """Numbers are JSON numbers, and there is no id."""
    return asked.desk.order_book(asked.number("limit", _LEVELS, _MOST_LEVELS))  # type: ignore[no-any-return]


def _fills(asked: _Asked) -> str:
    """The newest first."""
    trades = asked.history.newest_trades(asked.number("limit", _MOST_FILLS, _MOST_FILLS))
    return f"[{','.join(asked.desk.fill(each) for each in reversed(trades))}]"


def _candles(asked: _Asked) -> str:
    """Without the begin of the span and with its end; the last may be open."""
    begin, end = asked.number("startTime", 0), asked.number("endTime", asked.now_ms)
    begin = max(begin + 1, asked.now_ms - _KEPT_MS)
    return _rows(asked, begin, end, asked.number("limit", _CANDLES, _MOST_CANDLES))


def _old_candles(asked: _Asked) -> str:
    """With the begin of the span and without its end; closed ones alone."""
    length_ms = INTERVALS_MS[asked.interval]
    end = min(asked.number("endTime", asked.now_ms) - 1, asked.now_ms - length_ms)
    begin = asked.number("startTime", max(end - _WINDOW_MS, 0))
    if end - begin > _WINDOW_MS:
        raise _Refused("00001", "startTime and endTime interval cannot be greater than 90 days")
    return _rows(asked, begin, end, asked.number("limit", _CANDLES, _MOST_OLD_CANDLES))


def _rows(asked: _Asked, begin: int, end: int, limit: int) -> str:
    """The newest of a span, oldest first."""
    bars = asked.history.candles(asked.interval, begin, end)
    return f"[{','.join(asked.desk.candle(each) for each in bars[-limit:])}]"


def _funding_rates(asked: _Asked) -> str:
    """A page, the newest first; spot has none."""
    if asked.query["category"] == "SPOT":
        raise _Refused(_PARAMETER, "Parameter category error")
    limit, page = asked.number("limit", _RATES, _MOST_RATES), asked.number("cursor", 1, _MOST_PAGES)
    if not limit or not page:
        raise _Refused(_PARAMETER, "Parameter limit error" if page else "Parameter cursor error")
    found = asked.history.funding(0, asked.now_ms, asked.now_ms)[::-1]
    rows = [
        {
            "symbol": asked.query["symbol"],
            "fundingRate": decimal_text(each.rate, 8, 8),
            "fundingRateTimestamp": str(each.ms),
        }
        for each in found[(page - 1) * limit : page * limit]
    ]
    return msgspec.json.encode({"resultList": rows}).decode()


_OF_SYMBOL: Mapping[str, Callable[[_Asked], str]] = MappingProxyType(
    {
        "orderbook": _order_book,
        "fills": _fills,
        "candles": _candles,
        "history-candles": _old_candles,
        "history-fund-rate": _funding_rates,
    }
)


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
