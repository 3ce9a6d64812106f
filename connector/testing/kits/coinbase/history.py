"""Coinbase's answers about books, trades and candles.

A span of more than 350 candles is refused. The words of refusals are *assumed*, and that an unknown
product is not found.

Source: coinbase A6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from connector.testing.kits.coinbase.times import timestamp
from connector.testing.market.candles import INTERVALS_MS
from connector.testing.market.history import history_of

MARKET = "/api/v3/brokerage/market"
_OF_PRODUCT = re.compile(rf"{MARKET}/products/([^/]+)/(ticker|candles)")
_MOST_CANDLES = 350
_INTERVALS: Mapping[str, str] = MappingProxyType(
    {
        "ONE_MINUTE": "1m", "FIVE_MINUTE": "5m", "FIFTEEN_MINUTE": "15m", "THIRTY_MINUTE": "30m",
        "ONE_HOUR": "1h", "TWO_HOUR": "2h", "SIX_HOUR": "6h", "ONE_DAY": "1d",
    }
)  # fmt: skip


def answer(path: str, query: dict[str, str], market: Any) -> tuple[int, object] | None:
    """Status and body; None if it is asked for something else."""
    found = _OF_PRODUCT.fullmatch(path)
    if found is None and path != f"{MARKET}/product_book":
        return None
    symbol = query.get("product_id", "") if found is None else found[1]
    desk = getattr(market, "desks", {}).get(symbol)
    history = history_of(market, symbol)
    if desk is None or history is None:
        return 404, _refusal("NOT_FOUND", "valid product_id is required")
    try:
        if found is None:
            limit = int(query.get("limit", "100"))
            return 200, {"pricebook": desk.pricebook(limit, timestamp(market.now_ms))}
        if found[2] == "ticker":
            trades = history.newest_trades(int(query.get("limit", "100")))
            return 200, {"trades": [desk.trade(each) for each in reversed(trades)]}
        begin, end = int(query["start"]), int(query["end"])
        interval = _INTERVALS[query["granularity"]]
    except (KeyError, ValueError):
        return 400, _refusal("INVALID_ARGUMENT", "a parameter is missing or wrong")
    if (end - begin) * 1000 // INTERVALS_MS[interval] >= _MOST_CANDLES:
        words = f"number of candles requested should be less than {_MOST_CANDLES}"
        return 400, _refusal("INVALID_ARGUMENT", words)
    bars = history.candles(interval, begin * 1000, end * 1000 + 999)
    return 200, {"candles": [desk.candle(bar) for bar in reversed(bars)]}


def _refusal(code: str, words: str) -> dict[str, str]:
    return {"error": code, "error_details": words, "message": words}
