"""The questions about markets, all of which are a POST to ``/info``.

What is answered about a coin that does not exist is *assumed*.

Source: hyperliquid §4, §9, §10.
"""

from __future__ import annotations

from typing import Any

import msgspec

from connector.testing.kits.hyperliquid.names import is_spot
from connector.testing.kits.hyperliquid.symbol_topics import SLOW_LEVELS
from connector.testing.market.history import market_takes
from connector.testing.network.server_websocket import Request, response

_MOST_WEIGHT, _WINDOW_SECONDS = 1200, 60.0
_SMALL_WEIGHT, _WEIGHT = 2, 20
_ROWS_PER_WEIGHT, _CANDLES_PER_WEIGHT = 20, 60
"""Source: hyperliquid §4."""
MOST_ROWS = 500
"""Of an answer about a span, from its begin on."""


def answer(request: Request, symbols: tuple[str, ...], market: Any) -> bytes:
    """The complete HTTP response to a request."""
    headers = {"Content-Type": "application/json"}
    if request.method != "POST" or request.target != "/info":
        return response(404, headers, b"", keep_alive=True)
    try:
        asked = msgspec.json.decode(request.body)
        said = _answer(asked, symbols, market)
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        words = b"Failed to deserialize the JSON body into the target type"
        return response(422, {"Content-Type": "text/plain"}, words, keep_alive=True)
    weight = _weight(asked["type"], said)
    if not market_takes(market, "info", _MOST_WEIGHT, _WINDOW_SECONDS, weight=weight):
        return response(429, headers, b"null", keep_alive=True)  # the body is assumed
    return response(200, headers, msgspec.json.encode(said), keep_alive=True)


def _weight(kind: str, said: object) -> int:
    """What a question costs: by its kind, and by the rows of its answer."""
    if kind == "l2Book":
        return _SMALL_WEIGHT
    rows = len(said) if isinstance(said, list) and kind != "allPerpMetas" else 0
    return _WEIGHT + rows // (_CANDLES_PER_WEIGHT if kind == "candleSnapshot" else _ROWS_PER_WEIGHT)


def _answer(asked: Any, symbols: tuple[str, ...], market: Any) -> object:
    """The answer to a question; a KeyError if it makes no sense."""
    kind = asked["type"]
    if kind == "spotMeta":
        return _spot(symbols)
    if kind == "allPerpMetas":
        return _perpetuals(symbols)
    what = asked.get("req", asked)
    desk, history = market.desks[what["coin"]], market.history(what["coin"])
    if kind == "l2Book":
        return desk.whole_book(SLOW_LEVELS, market.now_ms)
    if kind == "recentTrades":
        return desk.recent_trades()
    begin_ms, end_ms = what["startTime"], what["endTime"]
    if kind == "candleSnapshot":
        bars = history.candles(what["interval"], begin_ms, end_ms)
        return [desk.candle(what["interval"], bar) for bar in bars[:MOST_ROWS]]
    if kind == "fundingHistory":
        hours = history.candles("1h", begin_ms, end_ms)[:MOST_ROWS]
        row = {"coin": what["coin"], "fundingRate": "0.0000125", "premium": "0.00002"}
        return [{**row, "time": hour.start_ms} for hour in hours]
    raise KeyError(kind)


def _perpetuals(symbols: tuple[str, ...]) -> list[dict[str, Any]]:
    universe = [
        {"name": symbol, "szDecimals": 3, "maxLeverage": 40}
        for symbol in symbols
        if not is_spot(symbol)
    ]
    return [{"collateralToken": 0, "marginTables": [], "universe": universe}]


def _spot(symbols: tuple[str, ...]) -> dict[str, Any]:
    """The base of a pair that has a number only is made up."""
    pairs = [symbol for symbol in symbols if is_spot(symbol)]
    tokens = [{"name": "USDC", "index": 0, "szDecimals": 8, "weiDecimals": 8}]
    universe = []
    for index, pair in enumerate(pairs, 1):
        base = pair.partition("/")[0] if "/" in pair else f"TOKEN{pair[1:]}"
        tokens.append({"name": base, "index": index, "szDecimals": 3, "weiDecimals": 8})
        universe.append({"name": pair, "tokens": [index, 0], "index": index})
    return {"tokens": tokens, "universe": universe}
