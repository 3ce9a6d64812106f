"""One symbol's topics: what its order flow does, as Bybit writes it.

Source: bybit §4, §5, and stored frames for the order of the keys.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from connector.testing.market.audience import Audience
from connector.testing.market.candles import INTERVALS_MS, Bar
from connector.testing.market.depth_window import DepthWindow, Levels
from connector.testing.market.matching import Scale, decimal_text
from connector.testing.market.payloads import TradeFacts
from connector.testing.market.traders import Action, SymbolFlow

QUOTE_AGAIN_MS = 3000
"""A quote that has not changed is sent again after so long."""
DEPTHS = {50: 50, 200: 100, 1000: 200}
"""Levels to the milliseconds between deltas; 20 ms are simulated as 50."""
TICKER_MS, CANDLE_MS, LIQUIDATION_MS = 100, 1000, 500
INTERVALS = {
    "1m": "1", "3m": "3", "5m": "5", "15m": "15", "30m": "30", "1h": "60", "2h": "120",
    "4h": "240", "6h": "360", "12h": "720", "1d": "D",
}  # fmt: skip
FIRST_IDS = 18_521_288
FUNDING_MS = 8 * 3_600_000
SPREAD_BITS = 0x9E3779B97F4A7C15F39CC0605CEDC835
"""Makes a UUID of a number."""


class Desk:
    """Sends one symbol's events to an audience."""

    def __init__(
        self, flow: SymbolFlow, audience: Audience, scale: Scale, *, derivative: bool
    ) -> None:
        self._flow = flow
        self._audience = audience
        self._scale = scale
        self._derivative = derivative
        symbol = flow.symbol
        self._trades, self._quotes = f"publicTrade.{symbol}", f"orderbook.1.{symbol}"
        self._tickers, self._liquidated = f"tickers.{symbol}", f"allLiquidation.{symbol}"
        self._quote_id = FIRST_IDS
        self._quote_ms = flow.changed_ms
        self._books = {
            f"orderbook.{levels}.{symbol}": (DepthWindow(flow.book, levels, FIRST_IDS), every)
            for levels, every in DEPTHS.items()
        }
        self._ticker: dict[str, str] | None = None
        self._liquidations: list[tuple[TradeFacts, int]] = []
        self._traded = False

    @property
    def flow(self) -> SymbolFlow:
        """The order flow of the symbol."""
        return self._flow

    # -- what is sent ---------------------------------------------------------------------------

    def show(self, action: Action) -> None:
        """Trades and quotes are sent in real time."""
        if action.trades:
            self._traded = True
            if action.liquidation is not None:
                self._liquidations.append(action.liquidation)
            if self._audience.wants(self._trades):
                rows = ",".join(self._trade(trade, action) for trade in action.trades)
                self._publish(self._trades, f'"type":"snapshot","ts":{action.ms},"data":[{rows}]')
        if action.top_changed:
            self._quote_id += 1
            self._send_quote(action.ms)

    def pass_boundary(self, now_ms: int) -> None:
        """Books, tickers, candles and liquidations are sent by the clock."""
        if now_ms - self._quote_ms >= QUOTE_AGAIN_MS:
            self._send_quote(now_ms)
        for topic, (window, every) in self._books.items():
            if now_ms % every == 0:
                changes = window.end(self._flow.update_id, wanted=self._audience.wants(topic))
                if changes is not None:
                    self._publish(topic, self._book("delta", now_ms, window.update_id, changes))
        if now_ms % TICKER_MS == 0:
            self._send_ticker(now_ms)
        if now_ms % CANDLE_MS == 0:
            self._send_candles(now_ms)
        if now_ms % LIQUIDATION_MS == 0:
            self._send_liquidations(now_ms)

    def first(self, stream: str) -> Iterable[bytes]:
        """The snapshot, for a stream that begins with one."""
        now_ms = self._audience.now_ms()
        if stream == self._quotes:
            yield self._frame(stream, self._quote(now_ms))
        elif stream in self._books:
            window, _ = self._books[stream]
            yield self._frame(
                stream, self._book("snapshot", now_ms, window.update_id, window.whole())
            )
        elif stream == self._tickers:
            if self._ticker is None:
                self._ticker = self._ticker_fields(now_ms)
            yield self._frame(stream, self._ticker_text("snapshot", now_ms, self._ticker))

    def _publish(self, topic: str, rest: str) -> None:
        if self._audience.wants(topic):
            self._audience.publish(topic, self._frame(topic, rest))

    @staticmethod
    def _frame(topic: str, rest: str) -> bytes:
        return f'{{"topic":"{topic}",{rest}}}'.encode()

    # -- trades and quotes ----------------------------------------------------------------------

    def _trade(self, trade: TradeFacts, action: Action) -> str:
        number = uuid.UUID(int=trade.trade_id * SPREAD_BITS & (1 << 128) - 1)
        return (
            f'{{"T":{trade.ms},"s":"{self._flow.symbol}",'
            f'"S":"{"Buy" if trade.taker_buys else "Sell"}",'
            f'"v":"{self._scale.quantity(trade.quantity)}","p":"{self._scale.price(trade.price)}",'
            f'"L":"PlusTick","i":"{number}","BT":false,"RPI":false,"seq":{action.update_id}}}'
        )

    def _send_quote(self, now_ms: int) -> None:
        self._quote_ms = now_ms
        if self._audience.wants(self._quotes):
            self._publish(self._quotes, self._quote(now_ms))

    def _quote(self, now_ms: int) -> str:
        bid, bid_lots, ask, ask_lots = self._flow.best
        bids, asks = {bid: bid_lots} if bid_lots else {}, {ask: ask_lots} if ask_lots else {}
        return self._book("snapshot", now_ms, self._quote_id, (bids, asks))

    def _book(self, kind: str, now_ms: int, number: int, sides: tuple[Levels, Levels]) -> str:
        bids, asks = (
            ",".join(
                f'["{self._scale.price(price)}","{self._quantity(lots)}"]'
                for price, lots in side.items()
            )
            for side in sides
        )
        return (
            f'"type":"{kind}","ts":{now_ms},"data":{{"s":"{self._flow.symbol}","b":[{bids}],'
            f'"a":[{asks}],"u":{number},"seq":{self._flow.update_id}}},'
            f'"cts":{self._flow.changed_ms}'
        )

    def fetched(self, levels: int, now_ms: int) -> dict[str, object]:
        """The book of the REST interface: its ``u`` is that of 1,000 levels."""
        window, _ = self._books[f"orderbook.1000.{self._flow.symbol}"]
        bids, asks = (
            [
                [self._scale.price(price), self._scale.quantity(lots)]
                for price, lots in list(side.items())[:levels]
            ]
            for side in window.whole()
        )
        return {
            "s": self._flow.symbol, "b": bids, "a": asks, "ts": now_ms, "u": window.update_id,
            "seq": self._flow.update_id, "cts": self._flow.changed_ms,
        }  # fmt: skip

    def _quantity(self, lots: int) -> str:
        return self._scale.quantity(lots) if lots else "0"

    # -- by the clock ---------------------------------------------------------------------------

    def _send_ticker(self, now_ms: int) -> None:
        if not self._audience.wants(self._tickers):
            self._ticker = None
            return
        now = self._ticker_fields(now_ms)
        before, self._ticker = self._ticker or {}, now
        if not self._derivative:
            if now != before:
                self._publish(self._tickers, self._ticker_text("snapshot", now_ms, now))
            return
        changed = {name: text for name, text in now.items() if before.get(name) != text}
        if changed:
            self._publish(self._tickers, self._ticker_text("delta", now_ms, changed))

    def _ticker_text(self, kind: str, now_ms: int, fields: dict[str, str]) -> str:
        data = ",".join(
            f'"{name}":"{text}"' for name, text in {"symbol": self._flow.symbol, **fields}.items()
        )
        return f'"type":"{kind}","data":{{{data}}},"cs":{self._flow.update_id},"ts":{now_ms}'

    def _ticker_fields(self, now_ms: int) -> dict[str, str]:
        day, scale = self._flow.bars.day, self._scale
        share = (day.close - day.open) * 10**6 // day.open
        fields = {
            "lastPrice": scale.price(day.close),
            "prevPrice24h": scale.price(day.open),
            "highPrice24h": scale.price(day.high),
            "lowPrice24h": scale.price(day.low),
            "volume24h": scale.quantity(day.volume),
            "turnover24h": scale.value(day.quote_volume),
            "price24hPcnt": decimal_text(share, 6, 6),
        }
        if not self._derivative:
            return {**fields, "usdIndexPrice": scale.price(day.close)}
        bid, bid_lots, ask, ask_lots = self._flow.best
        middle = scale.price((bid + ask) // 2)
        return {
            **fields,
            "tickDirection": "PlusTick",
            "markPrice": middle,
            "indexPrice": scale.price(self._flow.bars.running("1m").open),
            "openInterest": "1000",
            "fundingRate": "0.0001",
            "nextFundingTime": str(now_ms - now_ms % FUNDING_MS + FUNDING_MS),
            "bid1Price": scale.price(bid),
            "bid1Size": scale.quantity(bid_lots),
            "ask1Price": scale.price(ask),
            "ask1Size": scale.quantity(ask_lots),
        }

    def _send_candles(self, now_ms: int) -> None:
        for interval, bar in self._flow.bars.roll(now_ms):
            self._send_candle(interval, bar, now_ms, closed=True)
        if self._traded:
            self._traded = False
            for interval in INTERVALS:
                bar = self._flow.bars.running(interval)
                if bar.trades:
                    self._send_candle(interval, bar, now_ms, closed=False)

    def _send_candle(self, interval: str, bar: Bar, now_ms: int, *, closed: bool) -> None:
        name = INTERVALS.get(interval)
        topic = f"kline.{name}.{self._flow.symbol}"
        if name is None or not self._audience.wants(topic):
            return
        price, scale = self._scale.price, self._scale
        row = (
            f'{{"start":{bar.start_ms},"end":{bar.start_ms + INTERVALS_MS[interval] - 1},'
            f'"interval":"{name}","open":"{price(bar.open)}","close":"{price(bar.close)}",'
            f'"high":"{price(bar.high)}","low":"{price(bar.low)}",'
            f'"volume":"{scale.quantity(bar.volume)}",'
            f'"turnover":"{scale.value(bar.quote_volume)}",'
            f'"confirm":{"true" if closed else "false"},"timestamp":{now_ms}}}'
        )
        self._publish(topic, f'"data":[{row}],"ts":{now_ms},"type":"snapshot"')

    def _send_liquidations(self, now_ms: int) -> None:
        orders, self._liquidations = self._liquidations, []
        if not self._derivative or not orders or not self._audience.wants(self._liquidated):
            return
        rows = ",".join(
            # A short position is closed by buying.
            f'{{"T":{order.ms},"s":"{self._flow.symbol}",'
            f'"S":"{"Sell" if order.taker_buys else "Buy"}",'
            f'"v":"{self._scale.quantity(order.quantity)}","p":"{self._scale.price(average)}"}}'
            for order, average in orders
        )
        self._publish(self._liquidated, f'"type":"snapshot","ts":{now_ms},"data":[{rows}]')
