"""Bybit's answers about books, trades, candles and funding: newest first, strictly.

Limits that are refused rather than cut down, and the words of refusals, are *assumed*.

Source: bybit §2, §5, §6.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import attrs

from connector.testing.kits.bybit.symbol_topics import INTERVALS, SPREAD_BITS
from connector.testing.market.history import History
from connector.testing.market.matching import Scale, decimal_text

_NAMES = MappingProxyType({name: interval for interval, name in INTERVALS.items()})
_NOT_SIMULATED = ("W", "M")
"""Intervals without candles."""
_MOST_LEVELS, _MOST_TRADES, _MOST_SPOT_TRADES, _MOST_CANDLES, _MOST_RATES = (
    1000,
    1000,
    60,
    1000,
    200,
)


class Refused(Exception):
    """A parameter is wrong: ``retMsg``."""


@attrs.frozen
class Asked:
    """A request, as its answers need it."""

    query: Mapping[str, str]
    symbol: str
    category: str
    history: History
    desk: Any
    scale: Scale
    now_ms: int

    def number(self, name: str, instead: int, most: int) -> int:
        """A parameter from 1 to `most`."""
        text = self.query.get(name, str(instead))
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise Refused(f"params error: {name} is invalid")
        return int(text)

    def moment(self, name: str, instead: int) -> int:
        """A parameter that is a time in milliseconds."""
        text = self.query.get(name, str(instead))
        if not text.isdecimal():
            raise Refused(f"params error: {name} is invalid")
        return int(text)


def _book(asked: Asked) -> dict[str, Any]:
    limit = asked.number("limit", 1 if asked.category == "spot" else 25, _MOST_LEVELS)
    return asked.desk.fetched(limit, asked.now_ms)  # type: ignore[no-any-return]


def _trades(asked: Asked) -> dict[str, Any]:
    spot = asked.category == "spot"
    most = _MOST_SPOT_TRADES if spot else _MOST_TRADES
    found = asked.history.newest_trades(asked.number("limit", 60 if spot else 500, most))
    rows = [
        {
            "execId": str(uuid.UUID(int=trade.trade_id * SPREAD_BITS & (1 << 128) - 1)),
            "symbol": asked.symbol,
            "price": asked.scale.price(trade.price),
            "size": asked.scale.quantity(trade.quantity),
            "side": "Buy" if trade.taker_buys else "Sell",
            "time": str(trade.ms),
            "isBlockTrade": False,
            "isRPITrade": False,
            "seq": str(trade.trade_id),
        }
        for trade in reversed(found)
    ]
    return {"category": asked.category, "list": rows}


def _candles(asked: Asked) -> dict[str, Any]:
    name = asked.query.get("interval", "")
    if name not in _NAMES and name not in _NOT_SIMULATED:
        raise Refused("Invalid period!")
    limit = asked.number("limit", 200, _MOST_CANDLES)
    begin_ms, end_ms = asked.moment("start", 0), asked.moment("end", asked.now_ms)
    interval = _NAMES.get(name)
    bars = [] if interval is None else asked.history.candles(interval, begin_ms, end_ms)
    price, scale = asked.scale.price, asked.scale
    rows = [
        [
            str(bar.start_ms), price(bar.open), price(bar.high), price(bar.low), price(bar.close),
            scale.quantity(bar.volume), scale.value(bar.quote_volume),
        ]
        for bar in reversed(bars[-limit:])
    ]  # fmt: skip
    return {"category": asked.category, "symbol": asked.symbol, "list": rows}


def _funding(asked: Asked) -> dict[str, Any]:
    if asked.category == "spot":
        raise Refused("params error: Category is invalid")
    if "startTime" in asked.query and "endTime" not in asked.query:
        raise Refused("params error: endTime is required")
    limit = asked.number("limit", 200, _MOST_RATES)
    begin_ms, end_ms = asked.moment("startTime", 0), asked.moment("endTime", asked.now_ms)
    found = asked.history.funding(begin_ms, end_ms, asked.now_ms)
    rows = [
        {
            "symbol": asked.symbol,
            "fundingRate": decimal_text(each.rate, 8, 8),
            "fundingRateTimestamp": str(each.ms),
        }
        for each in reversed(found[-limit:])
    ]
    return {"category": asked.category, "list": rows}


ANSWERS: Mapping[str, Callable[[Asked], dict[str, Any]]] = MappingProxyType(
    {
        "/v5/market/orderbook": _book,
        "/v5/market/recent-trade": _trades,
        "/v5/market/kline": _candles,
        "/v5/market/funding/history": _funding,
    }
)
"""By path."""
