"""One product's channels: what its order flow does, as Coinbase writes it.

Messages are written without their number, which the connection adds. Data of a product ``…-USDC``
comes under the name of its twin ``…-USD``.

Source: coinbase A3, A4, A5.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from typing import Any

from connector.testing.kits.coinbase.times import timestamp
from connector.testing.market.audience import Audience
from connector.testing.market.candles import Bar
from connector.testing.market.depth_window import DepthWindow, Levels
from connector.testing.market.matching import Scale
from connector.testing.market.payloads import TradeFacts
from connector.testing.market.traders import Action, SymbolFlow

BOOK_MS, TRADES_MS, CANDLE_MS, BATCH_MS = 50, 250, 1000, 5000
KEPT_TRADES = 100
ALL_LEVELS = 1_000_000
CANDLES = "5m"
SOME_YEAR_AGO = "1970-01-01T00:00:00Z"
_TWINS_OF_THEIR_OWN = ("USDT-USDC", "EURC-USDC")


def delivered_as(product: str) -> str:
    """The name under which data of a product is delivered."""
    if product.endswith("-USDC") and product not in _TWINS_OF_THEIR_OWN:
        return product[:-1]
    return product


class Desk:
    """Sends one product's events to an audience."""

    def __init__(self, flow: SymbolFlow, audience: Audience, scale: Scale) -> None:
        self._flow = flow
        self._audience = audience
        self._scale = scale
        self._product = delivered_as(flow.symbol)
        self._book = DepthWindow(flow.book, ALL_LEVELS, 0)
        self._sent: deque[TradeFacts] = deque(maxlen=KEPT_TRADES)
        self._unsent: list[TradeFacts] = []
        self._past: deque[Bar] = deque(maxlen=KEPT_TRADES)

    @property
    def flow(self) -> SymbolFlow:
        """The order flow of the product."""
        return self._flow

    def show(self, action: Action) -> None:
        """A ticker comes with trades; everything else waits for the clock."""
        if action.trades:
            self._unsent += action.trades
            if self._wants("ticker"):
                tickers = [self._ticker(quoted=True)]
                self._publish("ticker", {"type": "update", "tickers": tickers}, action.ms)

    def pass_boundary(self, now_ms: int) -> None:
        """Trades and books come in batches, candles and the slow ticker by the clock."""
        if now_ms % BOOK_MS == 0:
            changes = self._book.end(self._flow.update_id, wanted=self._wants("l2_data"))
            if changes is not None:
                self._publish("l2_data", self._levels("update", *changes, now_ms), now_ms)
        if now_ms % TRADES_MS == 0 and self._unsent:
            trades, self._unsent = self._unsent, []
            self._sent.extend(trades)
            if self._wants("market_trades"):
                rows = [self.trade(trade) for trade in trades]
                self._publish("market_trades", {"type": "update", "trades": rows}, now_ms)
        if now_ms % CANDLE_MS == 0:
            self._send_candles(now_ms)
        if now_ms % BATCH_MS == 0 and self._wants("ticker_batch"):
            tickers = [self._ticker(quoted=False)]
            self._publish("ticker_batch", {"type": "update", "tickers": tickers}, now_ms)

    def first(self, stream: str) -> Iterable[bytes]:
        """Every channel begins with a snapshot."""
        channel, _, product = stream.partition(":")
        if product != self._flow.symbol:
            return
        now_ms = self._audience.now_ms()
        if channel == "l2_data":
            yield self._message(channel, self._levels("snapshot", *self._book.whole(), 0), now_ms)
        elif channel == "market_trades":
            rows = [self.trade(trade) for trade in reversed(self._sent)]
            yield self._message(channel, {"type": "snapshot", "trades": rows}, now_ms)
        elif channel in ("ticker", "ticker_batch"):
            tickers = [self._ticker(quoted=channel == "ticker")]
            yield self._message(channel, {"type": "snapshot", "tickers": tickers}, now_ms)
        elif channel == "candles":
            bars = [self._flow.bars.running(CANDLES), *reversed(self._past)]
            rows = [self.candle(bar) for bar in bars]
            yield self._message(channel, {"type": "snapshot", "candles": rows}, now_ms)
        elif channel == "status":
            yield self._message(channel, {"type": "snapshot", "products": [self._status()]}, now_ms)

    def pricebook(self, limit: int, time: str) -> dict[str, Any]:
        """The book as REST returns it."""
        book, scale = self._flow.book, self._scale
        bids, asks = (
            [
                {"price": scale.price(price), "size": scale.quantity(lots)}
                for price, lots in side.best_levels(limit)
            ]
            for side in (book.bids, book.asks)
        )
        return {"product_id": self._product, "bids": bids, "asks": asks, "time": time}

    # -- inside ---------------------------------------------------------------------------------

    def _wants(self, channel: str) -> bool:
        return self._audience.wants(f"{channel}:{self._flow.symbol}")

    def _publish(self, channel: str, event: dict[str, Any], ms: int) -> None:
        if self._wants(channel):
            message = self._message(channel, event, ms)
            self._audience.publish(f"{channel}:{self._flow.symbol}", message)

    @staticmethod
    def _message(channel: str, event: dict[str, Any], ms: int) -> bytes:
        said = {"channel": channel, "timestamp": timestamp(ms, 278_662), "events": [event]}
        return json.dumps(said, separators=(",", ":")).encode()

    def _levels(self, kind: str, bids: Levels, asks: Levels, now_ms: int) -> dict[str, Any]:
        moment = timestamp(now_ms) if now_ms else SOME_YEAR_AGO
        rows = [
            {
                "side": side,
                "event_time": moment,
                "price_level": self._scale.price(price),
                "new_quantity": self._scale.quantity(lots) if lots else "0",
            }
            for side, levels in (("bid", bids), ("offer", asks))
            for price, lots in levels.items()
        ]
        return {"type": kind, "product_id": self._product, "updates": rows}

    def trade(self, trade: TradeFacts) -> dict[str, str]:
        """A row of trades."""
        return {
            "trade_id": str(trade.trade_id),
            "product_id": self._product,
            "price": self._scale.price(trade.price),
            "size": self._scale.quantity(trade.quantity),
            "side": "SELL" if trade.taker_buys else "BUY",  # the maker's
            "time": timestamp(trade.ms, 120_000),
        }

    def _ticker(self, *, quoted: bool) -> dict[str, str]:
        day, scale = self._flow.bars.day, self._scale
        change = 100 * (day.close - day.open) / day.open
        row = {
            "type": "ticker",
            "product_id": self._product,
            "price": scale.price(day.close),
            "volume_24_h": scale.quantity(day.volume),
            "low_24_h": scale.price(day.low),
            "high_24_h": scale.price(day.high),
            "low_52_w": scale.price(day.low),
            "high_52_w": scale.price(day.high),
            "price_percent_chg_24_h": f"{change:.14f}",
        }
        if quoted:
            bid, bid_lots, ask, ask_lots = self._flow.best
            row |= {
                "best_bid": scale.price(bid),
                "best_bid_quantity": scale.quantity(bid_lots),
                "best_ask": scale.price(ask),
                "best_ask_quantity": scale.quantity(ask_lots),
            }
        return row

    def _send_candles(self, now_ms: int) -> None:
        """Once a second, the last word on one that is over included."""
        closed = [bar for interval, bar in self._flow.bars.roll(now_ms) if interval == CANDLES]
        self._past.extend(closed)
        if self._wants("candles"):
            for bar in (*closed, self._flow.bars.running(CANDLES)):
                rows = [self.candle(bar)]
                self._publish("candles", {"type": "update", "candles": rows}, now_ms)

    def candle(self, bar: Bar) -> dict[str, str]:
        """A row of candles."""
        price = self._scale.price
        return {
            "start": str(bar.start_ms // 1000),
            "high": price(bar.high),
            "low": price(bar.low),
            "open": price(bar.open),
            "close": price(bar.close),
            "volume": self._scale.quantity(bar.volume),
            "product_id": self._product,
        }

    def _status(self) -> dict[str, str]:
        base, _, quote = self._flow.symbol.partition("-")
        return {
            "product_type": "SPOT", "id": self._product, "base_currency": base,
            "quote_currency": quote, "base_increment": "0.001", "quote_increment": "0.01",
            "display_name": f"{base}/{quote}", "status": "online", "status_message": "",
            "min_market_funds": "1",
        }  # fmt: skip
