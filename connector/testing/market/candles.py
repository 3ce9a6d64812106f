"""Candles and 24 hour statistics, kept trade by trade in integers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import attrs

MINUTE_MS = 60_000
DAY_MS = 86_400_000
INTERVALS_MS = {
    "1s": 1000,
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "2h": 120 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "6h": 360 * MINUTE_MS,
    "8h": 480 * MINUTE_MS,
    "12h": 720 * MINUTE_MS,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
}
"""Intervals of a fixed length that begin at its multiples; weeks and months are not simulated."""
CLOSED_KEPT = 1500
"""Number of closed candles kept for each interval."""


@attrs.define
class Bar:
    """Trade statistics of a span of time: one candle, or the last day."""

    start_ms: int
    first_id: int
    open: int
    high: int
    low: int
    close: int
    last_id: int = -1
    last_quantity: int = 0
    volume: int = 0
    quote_volume: int = 0
    taker_buy_volume: int = 0
    taker_buy_quote_volume: int = 0
    trades: int = 0

    @classmethod
    def beginning(cls, start_ms: int, price: int) -> Bar:
        """Make a bar without trades, at the previous price."""
        return cls(start_ms, -1, price, price, price, price)

    def add(self, trade_id: int, price: int, quantity: int, *, taker_buys: bool) -> None:
        if self.trades == 0:
            self.first_id = trade_id
            self.open = self.high = self.low = price
        elif price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        self.close = price
        self.last_id = trade_id
        self.last_quantity = quantity
        self.trades += 1
        self.volume += quantity
        self.quote_volume += price * quantity
        if taker_buys:
            self.taker_buy_volume += quantity
            self.taker_buy_quote_volume += price * quantity


class Bars:
    """The running candle of every interval, and the day's statistics, of one symbol.

    The day begins with the simulation and only grows: no trade leaves it after 24 hours.
    """

    def __init__(self, now_ms: int, price: int) -> None:
        self.day = Bar.beginning(now_ms, price)
        self._running = {
            name: Bar.beginning(now_ms - now_ms % length, price)
            for name, length in INTERVALS_MS.items()
        }
        self._closed: dict[str, deque[Bar]] = {
            name: deque(maxlen=CLOSED_KEPT) for name in INTERVALS_MS
        }

    def add(self, trade_id: int, price: int, quantity: int, *, taker_buys: bool) -> None:
        self.day.add(trade_id, price, quantity, taker_buys=taker_buys)
        for bar in self._running.values():
            bar.add(trade_id, price, quantity, taker_buys=taker_buys)

    def keep_last(self, most: int) -> None:
        """Keep at most this many closed candles of each interval."""
        self._closed = {name: deque(bars, maxlen=most) for name, bars in self._closed.items()}

    def running(self, interval: str) -> Bar:
        """The candle that is not closed yet."""
        return self._running[interval]

    def closed(self, interval: str) -> Iterable[Bar]:
        """The newest closed candles, oldest first."""
        return self._closed[interval]

    def roll(self, now_ms: int) -> list[tuple[str, Bar]]:
        """Begin the candles that are due by `now_ms`, and return those that this closes.

        Call it at every multiple of a second.
        """
        closed: list[tuple[str, Bar]] = []
        for name, length in INTERVALS_MS.items():
            start = now_ms - now_ms % length
            bar = self._running[name]
            if start > bar.start_ms:
                closed.append((name, bar))
                self._closed[name].append(bar)
                self._running[name] = Bar.beginning(start, bar.close)
        return closed
