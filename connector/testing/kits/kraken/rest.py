"""The public part of Kraken's REST interfaces: what is traded, books, trades, candles, funding.

The words of refusals of the futures, and the form of recent trades, are *assumed*.

Source: kraken §7, kraken_futures_v1, and stored answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from connector.testing.kits.kraken.v2_desk import INTERVALS, average
from connector.testing.market.history import History, history_of, market_takes
from connector.testing.market.matching import BookSide, Scale, decimal_text
from connector.testing.network.server_websocket import Request, response

_OLD_NAMES = {"BTC": "XBT", "DOGE": "XDG"}
_HEADERS = {"Content-Type": "application/json"}
_MOST_LEVELS, _MOST_TRADES, _MOST_CANDLES = 500, 1000, 720
_MOST_CHART = 2000  # assumed
_REQUESTS, _WINDOW_SECONDS = 20, 1.0  # assumed


_TOKENS, _TOKENS_SECONDS = 500, 10.0
"""Of the futures; charts are not among them. Source: kraken_futures_v1."""
_PRODUCTS = "/derivatives/api/v3/instruments"
_BOOK = "/derivatives/api/v3/orderbook"
_PATHS = (_PRODUCTS, _BOOK, "/derivatives/api/v3/historical-funding-rates")


class _Refused(Exception):
    """Why a request is refused."""


class _Unknown(Exception):
    """There is nothing at this address."""


# --- spot


def answer_spot(request: Request, symbols: tuple[str, ...], market: Any, scale: Scale) -> bytes:
    """The complete HTTP response to a request of spot."""
    url = urlsplit(request.target)
    body: dict[str, Any] = {"error": []}
    try:
        if request.method != "GET":
            raise _Refused("EGeneral:Unknown method")
        if not market_takes(market, "rest", _REQUESTS, _WINDOW_SECONDS):
            raise _Refused("EGeneral:Too many requests")
        if url.path == "/0/public/AssetPairs":
            body["result"] = dict(map(_pair, symbols))
        else:
            query = dict(parse_qsl(url.query))
            body["result"] = _of_pair(url.path, query, symbols, market, scale)
    except _Refused as refused:
        body["error"] = [str(refused)]
    # Slashes in names are escaped.
    text = msgspec.json.encode(body).replace(b"/", b"\\/")
    return response(200, _HEADERS, text, keep_alive=True)


def _name(symbol: str) -> str:
    base, quote = (_OLD_NAMES.get(each, each) for each in symbol.split("/"))
    return f"{base}{quote}"


def _pair(symbol: str) -> tuple[str, dict[str, Any]]:
    base, quote = (_OLD_NAMES.get(each, each) for each in symbol.split("/"))
    return f"{base}{quote}", {
        "altname": f"{base}{quote}", "wsname": f"{base}/{quote}", "aclass_base": "currency",
        "base": base, "aclass_quote": "currency", "quote": quote, "lot": "unit",
        "cost_decimals": 5, "pair_decimals": 2, "lot_decimals": 8, "lot_multiplier": 1,
        "ordermin": "0.001", "costmin": "0.5", "tick_size": "0.01", "status": "online",
        "execution_venue": "international",
    }  # fmt: skip


def _of_pair(
    path: str, query: Mapping[str, str], symbols: tuple[str, ...], market: Any, scale: Scale
) -> dict[str, Any]:
    name = query.get("pair", "")
    symbol = next((each for each in symbols if _name(each) == name), None)
    history = history_of(market, symbol)
    if history is None:
        raise _Refused("EQuery:Unknown asset pair")
    if path == "/0/public/Depth":
        book, seconds = market.desks[symbol].flow.book, market.now_ms // 1000
        count = _number(query, "count", 100, _MOST_LEVELS)
        sides = {"asks": book.asks, "bids": book.bids}
        return {name: {key: _rows(side, count, scale, seconds) for key, side in sides.items()}}
    if path == "/0/public/Trades":
        trades = history.newest_trades(_number(query, "count", _MOST_TRADES, _MOST_TRADES))
        rows = [
            [
                scale.price(each.price), scale.quantity(each.quantity), each.ms / 1000,
                "b" if each.taker_buys else "s", "m", "", each.trade_id,
            ]
            for each in trades
        ]  # fmt: skip
        return {name: rows, "last": f"{trades[-1].ms * 10**6 if trades else 0}"}
    if path == "/0/public/OHLC":
        return {name: _candles(query, history, scale, market.now_ms), "last": 0}
    raise _Refused("EGeneral:Unknown method")


def _number(query: Mapping[str, str], name: str, instead: int, most: int) -> int:
    text = query.get(name, str(instead))
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise _Refused("EGeneral:Invalid arguments")
    return int(text)


def _seconds(query: Mapping[str, str], name: str, instead: int) -> int:
    text = query.get(name, str(instead))
    if not text.isdecimal():
        raise _Refused("EGeneral:Invalid arguments")
    return int(text)


def _rows(side: BookSide, count: int, scale: Scale, seconds: int) -> list[list[Any]]:
    levels = side.best_levels(count)
    return [[scale.price(price), scale.quantity(lots), seconds] for price, lots in levels]


def _candles(
    query: Mapping[str, str], history: History, scale: Scale, now_ms: int
) -> list[list[Any]]:
    minutes = query.get("interval", "1")
    interval = next((name for name, each in INTERVALS.items() if str(each) == minutes), None)
    if interval is None:
        raise _Refused("EGeneral:Invalid arguments")
    since_ms = _seconds(query, "since", 0) * 1000
    bars = history.candles(interval, 0, now_ms)[-_MOST_CANDLES:]
    price = scale.price
    return [
        [
            bar.start_ms // 1000, price(bar.open), price(bar.high), price(bar.low),
            price(bar.close), price(average(bar)), scale.quantity(bar.volume), bar.trades,
        ]
        for bar in bars
        if bar.start_ms > since_ms
    ]  # fmt: skip


# --- futures


def answer_futures(request: Request, symbols: tuple[str, ...], market: Any, scale: Scale) -> bytes:
    """The complete HTTP response to a request of the futures."""
    url = urlsplit(request.target)
    is_chart = url.path.startswith("/api/charts/v1/trade/")
    if request.method != "GET" or not (is_chart or url.path in _PATHS):
        return response(404, _HEADERS, b"", keep_alive=True)
    if not is_chart and not market_takes(market, "rest", _TOKENS, _TOKENS_SECONDS):
        return _answer_futures(429, {"error": "apiLimitExceeded"}, market)
    query = dict(parse_qsl(url.query))
    try:
        if is_chart:
            *_, symbol, interval = unquote(url.path).split("/")
            chart = _chart(history_of(market, symbol), interval, query, scale)
            return response(200, _HEADERS, msgspec.json.encode(chart), keep_alive=True)
        return _answer_futures(200, _of_futures(url.path, query, symbols, market, scale), market)
    except _Unknown:
        return response(404, _HEADERS, b"", keep_alive=True)
    except _Refused as refused:
        return _answer_futures(200, {"error": str(refused)}, market)


def _answer_futures(status: int, told: Mapping[str, Any], market: Any) -> bytes:
    body: dict[str, Any] = {"result": "error" if "error" in told else "success", **told}
    if hasattr(market, "now_ms"):
        body["serverTime"] = _iso(market.now_ms)
    return response(status, _HEADERS, msgspec.json.encode(body), keep_alive=True)


def _of_futures(
    path: str, query: Mapping[str, str], symbols: tuple[str, ...], market: Any, scale: Scale
) -> dict[str, Any]:
    if path == _PRODUCTS:
        return {"instruments": [_product(symbol, scale) for symbol in symbols]}
    symbol = query.get("symbol", "")
    history = history_of(market, symbol)
    if history is None:
        raise _Refused("invalidArgument: symbol")
    if path == _BOOK:
        return {"orderBook": _whole_book(market.desks[symbol].flow.book, scale)}
    return {"rates": _rates(history, market.now_ms)}


def _product(symbol: str, scale: Scale) -> dict[str, Any]:
    family, pair, *expiry = symbol.split("_")
    base, quote = _as_pair(pair)
    inverse = family.endswith("I")
    told: dict[str, Any] = {
        "symbol": symbol, "type": "futures_inverse" if inverse else "flexible_futures",
        "tickSize": 0.01, "contractSize": 1, "tradeable": True, "impactMidSize": 1.0,
        "maxPositionSize": 1_000_000.0, "openingDate": "2018-08-31T00:00:00Z",
        "contractValueTradePrecision": scale.lot_decimals, "postOnly": False, "mtf": True,
        "base": base, "quote": quote, "pair": f"{base}:{quote}",
    }  # fmt: skip
    if expiry:
        year, month, day = expiry[0][:2], expiry[0][2:4], expiry[0][4:]
        told["lastTradingTime"] = f"20{year}-{month}-{day}T15:00:00.000Z"
    return told


def _as_pair(pair: str) -> tuple[str, str]:
    base = pair[:-3]
    return {"XBT": "BTC"}.get(base, base), pair[-3:]


def _whole_book(book: Any, scale: Scale) -> dict[str, Any]:
    return {
        name: [
            [msgspec.Raw(scale.price(price).encode()), msgspec.Raw(scale.quantity(lots).encode())]
            for price, lots in side.best_levels(len(side))
        ]
        for name, side in (("bids", book.bids), ("asks", book.asks))
    }


def _chart(
    history: History | None, interval: str, query: Mapping[str, str], scale: Scale
) -> dict[str, Any]:
    if history is None or interval not in {*INTERVALS, "12h"}:
        raise _Unknown
    begin_ms, end_ms = (
        _seconds(query, name, instead) * 1000 for name, instead in (("from", 0), ("to", 10**10))
    )
    bars = history.candles(interval, begin_ms, end_ms)
    names = ("open", "high", "low", "close")
    rows = [
        {
            "time": bar.start_ms,
            **{name: scale.price(getattr(bar, name)) for name in names},
            "volume": scale.quantity(bar.volume),
        }
        for bar in bars[:_MOST_CHART]
    ]
    return {"candles": rows, "more_candles": len(bars) > _MOST_CHART}


def _rates(history: History, now_ms: int) -> list[dict[str, Any]]:
    return [
        {
            "timestamp": _iso(each.ms),
            "fundingRate": 0.00005,
            "relativeFundingRate": msgspec.Raw(decimal_text(each.rate, 8, 8).encode()),
        }
        for each in reversed(history.funding(0, now_ms, now_ms))
    ]


def _iso(ms: int) -> str:
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"
