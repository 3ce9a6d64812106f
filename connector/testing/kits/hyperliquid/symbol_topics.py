"""One coin's subscriptions: what its order flow does, as Hyperliquid writes it.

What happens within a block of 100 ms has one time.

Source: hyperliquid §5.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterable
from typing import Any

from connector.testing.kits.hyperliquid.names import (
    CONTEXT,
    FAST_BOOK,
    SLOW_BOOK,
    SPOT_CONTEXT,
    is_spot,
)
from connector.testing.market.audience import Audience
from connector.testing.market.candles import INTERVALS_MS, Bar
from connector.testing.market.matching import Scale
from connector.testing.market.payloads import TradeFacts
from connector.testing.market.traders import Action, SymbolFlow

BLOCK_MS, FAST_MS, SLOW_MS, CONTEXT_MS, CANDLE_MS = 100, 500, 5000, 1000, 1000
FAST_LEVELS, SLOW_LEVELS = 5, 20
KEPT_TRADES = 30
NOBODY = "0x" + 64 * "0"


class Desk:
    """Sends one coin's events to an audience."""

    def __init__(self, flow: SymbolFlow, audience: Audience, scale: Scale) -> None:
        self._flow = flow
        self._audience = audience
        self._scale = scale
        self._kept: deque[dict[str, Any]] = deque(maxlen=KEPT_TRADES)
        self._block: list[TradeFacts] = []
        self._best: tuple[int, int, int, int] | None = None
        self._traded = False
        self._block_ms = flow.changed_ms
        self._context = SPOT_CONTEXT if is_spot(flow.symbol) else CONTEXT

    @property
    def flow(self) -> SymbolFlow:
        """The order flow of the coin."""
        return self._flow

    def show(self, action: Action) -> None:
        """Everything waits for the end of its block."""
        self._block += action.trades
        self._traded |= bool(action.trades)

    def pass_boundary(self, now_ms: int) -> None:
        """Trades and quotes come per block, everything else more slowly."""
        if now_ms % BLOCK_MS:
            return
        self._block_ms = now_ms
        if self._block:
            block, self._block = self._block, []
            rows = [self._trade(trade, now_ms) for trade in block]
            self._kept.extend(rows)
            self._publish("trades", rows)
        if self._flow.best != self._best:
            self._best = self._flow.best
            self._publish("bbo", self._quote(now_ms))
        if now_ms % FAST_MS == 0 and self._wants(FAST_BOOK):
            self._publish(FAST_BOOK, self.whole_book(FAST_LEVELS, now_ms))
        if now_ms % SLOW_MS == 0 and self._wants(SLOW_BOOK):
            self._publish(SLOW_BOOK, self.whole_book(SLOW_LEVELS, now_ms))
        if now_ms % CONTEXT_MS == 0 and self._wants(self._context):
            self._publish(self._context, self._coin_context())
        if now_ms % CANDLE_MS == 0:
            self._send_candles(now_ms)

    def first(self, stream: str) -> Iterable[bytes]:
        """A new subscription has a snapshot of everything."""
        channel, _, rest = stream.partition(":")
        coin, _, interval = rest.rpartition(":") if channel == "candle" else (rest, "", "")
        if coin != self._flow.symbol:
            return
        now_ms = self._block_ms
        if channel == "trades" and self._kept:
            yield self._message("trades", list(self._kept))
        elif channel == "bbo":
            yield self._message("bbo", self._quote(now_ms))
        elif channel in (FAST_BOOK, SLOW_BOOK):
            levels = FAST_LEVELS if channel == FAST_BOOK else SLOW_LEVELS
            yield self._message(channel, self.whole_book(levels, self._audience.now_ms()))
        elif channel == self._context:
            yield self._message(channel, self._coin_context())
        elif channel == "candle" and interval in INTERVALS_MS:
            yield self._message("candle", self.candle(interval, self._flow.bars.running(interval)))

    def recent_trades(self) -> list[dict[str, Any]]:
        """The newest, newest first."""
        return list(self._kept)[::-1]

    # -- inside ---------------------------------------------------------------------------------

    def _wants(self, channel: str, more: str = "") -> bool:
        return self._audience.wants(f"{channel}:{self._flow.symbol}{more}")

    def _publish(self, channel: str, data: Any, more: str = "") -> None:
        if self._wants(channel, more):
            message = self._message(channel, data)
            self._audience.publish(f"{channel}:{self._flow.symbol}{more}", message)

    @staticmethod
    def _message(channel: str, data: Any) -> bytes:
        name = FAST_BOOK if channel == SLOW_BOOK else channel
        return json.dumps({"channel": name, "data": data}, separators=(",", ":")).encode()

    def _level(self, price: int, lots: int) -> dict[str, Any]:
        return {"px": self._scale.price(price), "sz": self._scale.quantity(lots), "n": 1}

    def whole_book(self, levels: int, now_ms: int) -> dict[str, Any]:
        """The data of a book."""
        book = self._flow.book
        sides = [
            [self._level(price, lots) for price, lots in side.best_levels(levels)]
            for side in (book.bids, book.asks)
        ]
        said = {"coin": self._flow.symbol, "time": now_ms, "levels": sides}
        return {**said, "fast": True} if levels == FAST_LEVELS else said

    def _quote(self, now_ms: int) -> dict[str, Any]:
        bid, bid_lots, ask, ask_lots = self._flow.best
        sides = [
            self._level(price, lots) if lots else None
            for price, lots in ((bid, bid_lots), (ask, ask_lots))
        ]
        return {"coin": self._flow.symbol, "time": now_ms, "bbo": sides}

    def _trade(self, trade: TradeFacts, now_ms: int) -> dict[str, Any]:
        digest = hashlib.sha256(f"{self._flow.symbol}/{trade.trade_id}".encode()).hexdigest()
        return {
            "coin": self._flow.symbol,
            "side": "B" if trade.taker_buys else "A",
            "px": self._scale.price(trade.price),
            "sz": self._scale.quantity(trade.quantity),
            "time": now_ms,
            "hash": NOBODY if trade.trade_id % 3 == 0 else f"0x{digest}",
            "tid": int(digest, 16) % 2**50,
            "users": [f"0x{digest[:40]}", f"0x{digest[24:]}"],
        }

    def _coin_context(self) -> dict[str, Any]:
        day, price = self._flow.bars.day, self._scale.price
        bid, _, ask, _ = self._flow.best
        mark = price((bid + ask) // 2)
        common: dict[str, Any] = {
            "prevDayPx": price(day.open),
            "dayNtlVlm": self._scale.value(day.quote_volume),
            "markPx": mark,
            "midPx": mark,
            "dayBaseVlm": self._scale.quantity(day.volume),
        }
        if self._context == SPOT_CONTEXT:
            more: dict[str, Any] = {"circulatingSupply": "1000000.0", "coin": self._flow.symbol}
        else:
            more = {
                "funding": "0.0000125", "openInterest": "1000.0", "premium": "0.00002",
                "oraclePx": mark, "impactPxs": [price(bid), price(ask)],
            }  # fmt: skip
        return {"coin": self._flow.symbol, "ctx": {**common, **more}}

    def _send_candles(self, now_ms: int) -> None:
        for interval, bar in self._flow.bars.roll(now_ms):
            self._publish("candle", self.candle(interval, bar), f":{interval}")
        if self._traded:
            self._traded = False
            for interval in INTERVALS_MS:
                if self._wants("candle", f":{interval}"):
                    bar = self._flow.bars.running(interval)
                    self._publish("candle", self.candle(interval, bar), f":{interval}")

    def candle(self, interval: str, bar: Bar) -> dict[str, Any]:
        """The data of a candle."""
        price = self._scale.price
        return {
            "t": bar.start_ms, "T": bar.start_ms + INTERVALS_MS[interval] - 1,
            "s": self._flow.symbol, "i": interval, "o": price(bar.open), "c": price(bar.close),
            "h": price(bar.high), "l": price(bar.low), "v": self._scale.quantity(bar.volume),
            "n": bar.trades,
        }  # fmt: skip
