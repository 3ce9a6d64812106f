"""OKX's answers about books, trades, candles and funding: newest first, strictly.

``after`` asks for what is older than it; ``before``, for what is newer. A limit above the most is
refused, which is *assumed*, as are the words of refusals.

Source: okx §5, §6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import attrs

from connector.testing.kits.okx.symbol_topics import BARS
from connector.testing.market.candles import INTERVALS_MS
from connector.testing.market.history import History
from connector.testing.market.matching import Scale, decimal_text
from connector.testing.market.payloads import TradeFacts

_INTERVALS = MappingProxyType({bar: interval for interval, bar in BARS.items()})
_NOT_SIMULATED = frozenset({"1Wutc", "1W", "2D", "3D", "5D", "1M", "3M", "1Mutc", "3Mutc"})
"""Bars without candles."""
_NEWEST_BARS = 1440
_MOST_MS = 10**14
_PARAMETER = "51000"


class Refused(Exception):
    """Answered with an error: code and text."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@attrs.frozen
class Asked:
    """A request, as its answers need it."""

    query: Mapping[str, str]
    symbol: str
    history: History
    desk: Any
    scale: Scale
    now_ms: int

    def number(self, name: str, instead: int, most: int) -> int:
        """A parameter from 0 to `most`."""
        text = self.query.get(name, str(instead))
        if not text.isdecimal() or int(text) > most:
            raise Refused(_PARAMETER, f"Parameter {name} error")
        return int(text)


def _book(asked: Asked) -> str:
    levels = asked.number("sz", 1, 400)
    return asked.desk.whole_book(levels)  # type: ignore[no-any-return]


def _rows(asked: Asked, trades: list[TradeFacts]) -> str:
    return ",".join(
        f'{{"instId":"{asked.symbol}","side":"{"buy" if trade.taker_buys else "sell"}",'
        f'"sz":"{asked.scale.quantity(trade.quantity)}","px":"{asked.scale.price(trade.price)}",'
        f'"tradeId":"{trade.trade_id}","ts":"{trade.ms}"}}'
        for trade in reversed(trades)
    )


def _trades(asked: Asked) -> str:
    return _rows(asked, asked.history.newest_trades(asked.number("limit", 100, 500)))


def _old_trades(asked: Asked) -> str:
    limit = asked.number("limit", 100, 100)
    if asked.query.get("type", "1") != "1":
        raise Refused(_PARAMETER, "Parameter type error")  # pages by time are not simulated
    after = asked.number("after", 1 << 62, 1 << 62)
    found = asked.history.trades_before(after, limit)
    if "before" in asked.query:
        before = asked.number("before", 0, 1 << 62)
        found = [trade for trade in found if trade.trade_id > before]
    return _rows(asked, found)


def _newest_candles(asked: Asked) -> str:
    return _candles(asked, _NEWEST_BARS, finished=False)


def _old_candles(asked: Asked) -> str:
    return _candles(asked, None, finished=True)


def _candles(asked: Asked, kept: int | None, *, finished: bool) -> str:
    bar = asked.query.get("bar", "1m")
    if bar not in _INTERVALS and bar not in _NOT_SIMULATED:
        raise Refused(_PARAMETER, "Parameter bar error")
    if bar not in _INTERVALS:
        return ""
    limit = asked.number("limit", 100, 100 if finished else 300)
    after, before = asked.number("after", _MOST_MS, _MOST_MS), asked.number("before", 0, _MOST_MS)
    interval = _INTERVALS[bar]
    length_ms = INTERVALS_MS[interval]
    oldest_ms = 0 if kept is None else asked.now_ms - kept * length_ms
    newest_ms = min(after - 1, asked.now_ms - length_ms) if finished else after - 1
    bars = asked.history.candles(interval, max(before + 1, oldest_ms), newest_ms)
    price, scale = asked.scale.price, asked.scale
    return ",".join(
        f'["{each.start_ms}","{price(each.open)}","{price(each.high)}","{price(each.low)}",'
        f'"{price(each.close)}","{scale.quantity(each.volume)}","{scale.value(each.quote_volume)}",'
        f'"{scale.value(each.quote_volume)}","{int(each.start_ms + length_ms <= asked.now_ms)}"]'
        for each in reversed(bars[-limit:])
    )


def _funding(asked: Asked) -> str:
    if not asked.symbol.endswith("-SWAP"):
        raise Refused("51001", f"Instrument ID {asked.symbol} doesn't exist.")
    limit = asked.number("limit", 400, 400)
    after, before = asked.number("after", _MOST_MS, _MOST_MS), asked.number("before", 0, _MOST_MS)
    found = asked.history.funding(before + 1, after - 1, asked.now_ms)
    return ",".join(
        f'{{"instType":"SWAP","instId":"{asked.symbol}","formulaType":"noRate",'
        f'"fundingRate":"{decimal_text(each.rate, 8, 8)}",'
        f'"realizedRate":"{decimal_text(each.rate, 8, 8)}","fundingTime":"{each.ms}",'
        f'"method":"current_period"}}'
        for each in reversed(found[-limit:])
    )


ANSWERS: Mapping[str, tuple[Callable[[Asked], str], int]] = MappingProxyType(
    {
        "/api/v5/market/books": (_book, 40),
        "/api/v5/market/trades": (_trades, 100),
        "/api/v5/market/history-trades": (_old_trades, 20),
        "/api/v5/market/candles": (_newest_candles, 40),
        "/api/v5/market/history-candles": (_old_candles, 20),
        "/api/v5/public/funding-rate-history": (_funding, 10),
    }
)
"""By path: the rows of the answer, and how many requests are taken in 2 s."""
