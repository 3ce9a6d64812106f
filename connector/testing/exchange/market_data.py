"""Binance's REST answers about a market's history: trades, aggregates, candles, funding rates.

The checks are strict: a parameter that is missing, malformed, out of range or unknown is refused.
Codes and weights that the notes do not have are *assumed*. It is also assumed that historical
trades need no key on spot (on futures they do), and that a limit above the maximum is refused.

Source: binance_spot §5, §6; binance_usdm §5, §8; binance_coinm §5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import attrs
import msgspec

from connector.testing.market.candles import INTERVALS_MS, Bar
from connector.testing.market.coinm_payloads import CoinmPayloads, is_perpetual
from connector.testing.market.history import History
from connector.testing.market.matching import Scale, decimal_text
from connector.testing.market.payloads import Payloads, TradeFacts

BAD_PARAMETER = -1100
MISSING_PARAMETER = -1102
BAD_INTERVAL = -1120
BAD_SYMBOL = -1121
BAD_VALUE = -1130
_BEGINS_AFTER_END = -1023
_TOO_LONG = -1127
_NO_KEY = -2014
_HOUR_MS = 3_600_000
_LATEST_MS = 10**15

FUTURES_DEPTHS = frozenset({5, 10, 20, 50, 100, 500, 1000})
"""Source: binance_usdm §5."""


class Refused(Exception):
    """The request is answered with an error: HTTP status, code and text."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = msgspec.json.encode({"code": code, "msg": message})


@attrs.frozen
class Asked:
    """A request, as the functions in `ANSWERS` take it."""

    query: Mapping[str, str]
    history: History
    write: Payloads
    spot: bool
    now_ms: int
    has_key: bool

    @property
    def scale(self) -> Scale:
        """How prices and quantities are written."""
        return self.write.scale


def weigh(path: str, query: Mapping[str, str], *, spot: bool, coinm: bool) -> int:
    """The weight of a request for one of `ANSWERS`."""
    if path == "/klines":
        if spot:
            return 2
        text = query.get("limit", "500")
        limit = int(text) if text.isdecimal() else 1500
        return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10
    weights = _SPOT_WEIGHTS if spot else _COINM_WEIGHTS if coinm else _USDM_WEIGHTS
    return weights.get(path, 1)


def mandatory(query: Mapping[str, str], name: str) -> str:
    """Read a mandatory parameter."""
    value = query.get(name)
    if not value:
        raise Refused(
            400,
            MISSING_PARAMETER,
            f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.",
        )
    return value


def whole_number(query: Mapping[str, str], name: str, instead: int, most: int) -> int:
    """Read a whole number from 0 to `most`."""
    text = query.get(name, str(instead))
    if not text.isdecimal():
        raise Refused(400, BAD_PARAMETER, f"Illegal characters found in parameter '{name}'.")
    if int(text) > most or (name == "limit" and text.strip("0") == ""):
        raise Refused(400, BAD_VALUE, f"Data sent for parameter '{name}' is not valid.")
    return int(text)


def _span(asked: Asked) -> tuple[int, int]:
    begin_ms = whole_number(asked.query, "startTime", 0, _LATEST_MS)
    end_ms = whole_number(asked.query, "endTime", _LATEST_MS, _LATEST_MS)
    if begin_ms > end_ms:
        raise Refused(400, _BEGINS_AFTER_END, "Start time is greater than end time.")
    return begin_ms, end_ms


def _recent(asked: Asked) -> bytes:
    limit = whole_number(asked.query, "limit", 500, 1000)
    return _trades(asked, asked.history.newest_trades(limit))


def _historical(asked: Asked) -> bytes:
    if not asked.spot and not asked.has_key:
        raise Refused(401, _NO_KEY, "API-key format invalid.")
    limit = whole_number(asked.query, "limit", 500, 1000)
    if "fromId" not in asked.query:
        return _trades(asked, asked.history.newest_trades(limit))
    number = whole_number(asked.query, "fromId", 0, 1 << 62)
    return _trades(asked, asked.history.trades_from(number, limit))


def _trades(asked: Asked, trades: Iterable[TradeFacts]) -> bytes:
    scale = asked.scale
    turned_over = "baseQty" if isinstance(asked.write, CoinmPayloads) else "quoteQty"
    rows = []
    for trade in trades:
        row = {
            "id": trade.trade_id,
            "price": scale.price(trade.price),
            "qty": scale.quantity(trade.quantity),
            turned_over: asked.write.turnover(
                asked.query["symbol"], trade.quantity, trade.price * trade.quantity
            ),
            "time": trade.ms,
            "isBuyerMaker": not trade.taker_buys,
        }
        rows.append({**row, "isBestMatch": True} if asked.spot else row)
    return msgspec.json.encode(rows)


def _aggregates(asked: Asked) -> bytes:
    query, history = asked.query, asked.history
    limit = whole_number(query, "limit", 500, 1000)
    if "fromId" in query:
        if not asked.spot and ("startTime" in query or "endTime" in query):
            # Assumed: the documentation says not to send both.
            raise Refused(400, BAD_VALUE, "Data sent for parameter 'fromId' is not valid.")
        found = history.aggregates_from(whole_number(query, "fromId", 0, 1 << 62), limit)
    elif "startTime" in query or "endTime" in query:
        begin_ms, end_ms = _span(asked)
        if {"startTime", "endTime"} <= query.keys() and end_ms - begin_ms > _HOUR_MS:
            raise Refused(400, _TOO_LONG, "Lookup interval is too big.")
        found = history.aggregates_between(begin_ms, end_ms, limit)
    else:
        found = history.newest_aggregates(limit)
    rows = []
    for trade in found:
        row = {
            "a": trade.trade_id,
            "p": asked.scale.price(trade.price),
            "q": asked.scale.quantity(trade.quantity),
            "f": trade.first_id,
            "l": trade.last_id,
            "T": trade.ms,
            "m": not trade.taker_buys,
        }
        rows.append({**row, "M": True} if asked.spot else row)
    return msgspec.json.encode(rows)


def _candles(asked: Asked) -> bytes:
    interval = mandatory(asked.query, "interval")
    if interval not in INTERVALS_MS or (interval == "1s" and not asked.spot):
        raise Refused(400, BAD_INTERVAL, "Invalid interval.")
    limit = whole_number(asked.query, "limit", 500, 1000 if asked.spot else 1500)
    begin_ms, end_ms = _span(asked)
    bars = asked.history.candles(interval, begin_ms, end_ms)
    # With a start time the oldest are returned, without one the newest.
    bars = bars[:limit] if "startTime" in asked.query else bars[-limit:]
    length_ms = INTERVALS_MS[interval]
    return msgspec.json.encode([_row(asked, bar, length_ms) for bar in bars])


def _row(asked: Asked, bar: Bar, length_ms: int) -> list[Any]:
    price, quantity = asked.scale.price, asked.scale.quantity
    turnover, symbol = asked.write.turnover, asked.query["symbol"]
    return [
        bar.start_ms, price(bar.open), price(bar.high), price(bar.low), price(bar.close),
        quantity(bar.volume), bar.start_ms + length_ms - 1,
        turnover(symbol, bar.volume, bar.quote_volume), bar.trades,
        quantity(bar.taker_buy_volume),
        turnover(symbol, bar.taker_buy_volume, bar.taker_buy_quote_volume), "0",
    ]  # fmt: skip


def _funding(asked: Asked) -> bytes:
    limit = whole_number(asked.query, "limit", 100, 1000)
    begin_ms, end_ms = _span(asked)
    symbol, of_coins = asked.query["symbol"], isinstance(asked.write, CoinmPayloads)
    if of_coins and not is_perpetual(symbol):
        return b"[]"
    found = asked.history.funding(begin_ms, end_ms, asked.now_ms)
    found = found[:limit] if "startTime" in asked.query else found[-limit:]
    return msgspec.json.encode(
        [
            {
                "symbol": asked.query["symbol"],
                "fundingTime": each.ms,
                "fundingRate": decimal_text(each.rate, 8, 8),
                "markPrice": decimal_text(each.price, asked.scale.tick_decimals, 8),
            }
            for each in found
        ]
    )


ANSWERS: Mapping[str, Callable[[Asked], bytes]] = MappingProxyType(
    {
        "/trades": _recent,
        "/historicalTrades": _historical,
        "/aggTrades": _aggregates,
        "/klines": _candles,
        "/fundingRate": _funding,
    }
)
"""Answers by path; the last one exists on futures only."""

_SPOT_WEIGHTS = MappingProxyType({"/trades": 25, "/historicalTrades": 25, "/aggTrades": 4})
_COINM_WEIGHTS = MappingProxyType({"/trades": 5, "/historicalTrades": 200, "/aggTrades": 20})
_USDM_WEIGHTS = MappingProxyType({"/trades": 5, "/historicalTrades": 20, "/aggTrades": 20})
