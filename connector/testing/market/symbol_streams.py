"""One symbol's streams: turn the actions of its order flow into payloads for the subscribers."""

from __future__ import annotations

from typing import Literal

import attrs

from connector.testing.market import payloads
from connector.testing.market.audience import Audience
from connector.testing.market.candles import INTERVALS_MS, Bar
from connector.testing.market.matching import Side
from connector.testing.market.payloads import BookEvent, Payloads, TradeFacts
from connector.testing.market.traders import Action, SymbolFlow

LEVELS = (5, 10, 20)
QUOTES_OF_ALL = "!bookTicker"
WINDOWS_MS: tuple[int, ...] = (100, 250, 500, 1000)
"""Cadences of book streams."""
SPANS_MS: tuple[int, ...] = (250, 500, 1000, 2000)
"""Cadences of streams that are sent only after a trade."""


@attrs.frozen
class Cadences:
    """The intervals of a venue's streams, in milliseconds; book streams by their suffix."""

    deltas: tuple[tuple[str, int], ...]
    """0 is real time."""
    partials: tuple[tuple[str, int], ...]
    candles_ms: int
    ticker_ms: int
    quotes_of_all_ms: int | None = None
    """0 means real time; None means that there is no such stream."""
    liquidation: Literal["largest", "latest"] = "largest"
    """Which liquidation of a second is sent."""


SPOT_CADENCES = Cadences(  # binance_spot §5
    deltas=(("@depth", 1000), ("@depth@1000ms", 1000), ("@depth@100ms", 100)),
    partials=(("", 1000), ("@1000ms", 1000), ("@100ms", 100)),
    candles_ms=2000,
    ticker_ms=1000,
)
USDM_CADENCES = Cadences(  # binance_usdm §4
    deltas=(
        ("@depth@0ms", 0),
        ("@depth@100ms", 100),
        ("@depth", 250),
        ("@depth@250ms", 250),
        ("@depth@500ms", 500),
    ),
    partials=(("", 250), ("@250ms", 250), ("@100ms", 100), ("@500ms", 500)),
    candles_ms=250,
    ticker_ms=2000,
    quotes_of_all_ms=5000,
)
COINM_CADENCES = attrs.evolve(  # binance_coinm §3
    USDM_CADENCES, ticker_ms=500, quotes_of_all_ms=0, liquidation="latest"
)


@attrs.define
class _Window:
    """The changes since the last event of one cadence."""

    begins: int
    previous_id: int


class Desk:
    """Sends one symbol's events to an audience.

    Subscribers affect only which payloads are written. Windows, ids and flags advance in the same
    way without them, so that a late subscriber sees the same stream as an early one.
    """

    def __init__(
        self, flow: SymbolFlow, audience: Audience, write: Payloads, cadences: Cadences
    ) -> None:
        self.flow = flow
        self._audience = audience
        self._write = write
        self._cadences = cadences
        self._changes: list[tuple[int, Side, int]] = []
        self._windows = {ms: _Window(0, flow.update_id) for ms in WINDOWS_MS}
        self._previous_id = flow.update_id
        self._traded = dict.fromkeys(SPANS_MS, False)
        self._liquidation: tuple[TradeFacts, int] | None = None
        self._stream = stream = flow.symbol.lower()
        self._trade, self._aggregate = f"{stream}@trade", f"{stream}@aggTrade"
        of_all = (QUOTES_OF_ALL,) if cadences.quotes_of_all_ms == 0 else ()
        self._quotes = (f"{stream}@bookTicker", *of_all)
        self._candles = {interval: f"{stream}@kline_{interval}" for interval in INTERVALS_MS}
        self._deltas = {
            ms: tuple(stream + suffix for suffix, every in cadences.deltas if every == ms)
            for ms in (0, *WINDOWS_MS)
        }
        self._partials = {
            ms: tuple(
                (f"{stream}@depth{levels}{suffix}", levels)
                for suffix, every in cadences.partials
                if every == ms
                for levels in LEVELS
            )
            for ms in WINDOWS_MS
        }

    def show(self, action: Action) -> None:
        """Publish the real-time streams, and store the rest for its cadence."""
        audience, write, symbol = self._audience, self._write, self.flow.symbol
        if action.trades:
            self._traded = dict.fromkeys(SPANS_MS, True)
            self._remember_liquidation(action)
            if audience.wants(self._trade):
                for trade in action.trades:
                    audience.publish(self._trade, write.trade(symbol, trade).encode())
            if audience.wants(self._aggregate):
                for trade in action.aggregates:
                    audience.publish(self._aggregate, write.aggregate(symbol, trade).encode())
        if action.top_changed and any(map(audience.wants, self._quotes)):
            self._publish(
                self._quotes, write.quote(symbol, action.ms, action.update_id, self.flow.best)
            )
        self._changes.extend([(action.update_id, side, price) for side, price in action.changed])
        if any(map(audience.wants, self._deltas[0])):
            first = action.update_id
            event = self._event(action.ms, first, first, self._previous_id, action.changed)
            self._publish(self._deltas[0], write.delta(symbol, event))
        self._previous_id = action.update_id

    def _remember_liquidation(self, action: Action) -> None:
        new, old = action.liquidation, self._liquidation
        latest = self._cadences.liquidation == "latest"
        if new is not None and (latest or old is None or old[0].quantity < new[0].quantity):
            self._liquidation = new

    def _event(
        self,
        now_ms: int,
        first_id: int,
        last_id: int,
        previous_id: int,
        changed: tuple[tuple[Side, int], ...],
    ) -> BookEvent:
        book = self.flow.book
        bids = ",".join([book.bids.text(price) for side, price in changed if side == "bid"])
        asks = ",".join([book.asks.text(price) for side, price in changed if side == "ask"])
        return BookEvent(
            now_ms=now_ms,
            ms=self.flow.changed_ms,
            first_id=first_id,
            last_id=last_id,
            previous_id=previous_id,
            bids=f"[{bids}]",
            asks=f"[{asks}]",
        )

    def _publish(self, streams: tuple[str, ...], text: str) -> None:
        data = text.encode()
        for stream in streams:
            if self._audience.wants(stream):
                self._audience.publish(stream, data)

    def end_window(self, now_ms: int, window_ms: int) -> None:
        """Publish the deltas and partial books of one cadence, if the book has changed."""
        window = self._windows[window_ms]
        if window.begins == len(self._changes):
            return
        news = self._changes[window.begins :]
        last_id = news[-1][0]
        partials = [named for named in self._partials[window_ms] if self._audience.wants(named[0])]
        if partials or any(map(self._audience.wants, self._deltas[window_ms])):
            unique: dict[tuple[Side, int], None] = {}
            for _, side, price in news:
                unique[side, price] = None
            changed = tuple(unique)
            event = self._event(now_ms, news[0][0], last_id, window.previous_id, changed)
            self._publish(self._deltas[window_ms], self._write.delta(self.flow.symbol, event))
            for stream, levels in partials:
                book = self.flow.book
                top = attrs.evolve(event, bids=book.bids.top(levels), asks=book.asks.top(levels))
                self._publish((stream,), self._write.partial(self.flow.symbol, top))
        window.previous_id = last_id
        window.begins = len(self._changes)

    def forget_changes(self) -> None:
        """Discard the stored changes; call it when all windows have ended, once per second."""
        self._changes.clear()
        for window in self._windows.values():
            window.begins = 0

    def show_candles(self, now_ms: int) -> None:
        """Publish the candles that are due: closed ones, and running ones after a trade."""
        bars = self.flow.bars
        if now_ms % 1000 == 0:
            for interval, bar in bars.roll(now_ms):
                self._publish_candle(now_ms, interval, bar, closed=True)
        every = self._cadences.candles_ms
        if now_ms % every == 0 and self._traded[every]:
            due = tuple(INTERVALS_MS)
        elif now_ms % 1000 == 0 and self._traded[1000]:
            due = ("1s",)
        else:
            due = ()
        for interval in due:
            bar = bars.running(interval)
            if bar.trades:
                self._publish_candle(now_ms, interval, bar, closed=False)

    def _publish_candle(self, now_ms: int, interval: str, bar: Bar, *, closed: bool) -> None:
        stream = self._candles[interval]
        if self._audience.wants(stream):
            write = self._write
            text = payloads.candle(self.flow.symbol, now_ms, interval, bar, write, closed=closed)
            self._publish((stream,), text)

    def show_tickers(self, now_ms: int) -> None:
        """Publish this symbol's tickers, if they are due and there was a trade."""
        every = self._cadences.ticker_ms
        if now_ms % every == 0 and self._traded[every]:
            for suffix, text in zip(("@ticker", "@miniTicker"), self._tickers(now_ms), strict=True):
                self._publish((self._stream + suffix,), text)

    def recent_tickers(self, now_ms: int) -> tuple[str, str] | None:
        """The ticker and mini ticker for the streams of all symbols; None without a trade."""
        return self._tickers(now_ms) if self._traded[1000] else None

    def _tickers(self, now_ms: int) -> tuple[str, str]:
        symbol, day, best = self.flow.symbol, self.flow.bars.day, self.flow.best
        return (
            self._write.ticker(symbol, now_ms, day, best),
            self._write.mini_ticker(symbol, now_ms, day),
        )

    def end_spans(self, now_ms: int) -> None:
        """Begin new spans, without trades so far."""
        for span in SPANS_MS:
            if now_ms % span == 0:
                self._traded[span] = False

    def take_liquidation(self) -> tuple[TradeFacts, int] | None:
        """Take the largest liquidation since the last call, and its average price."""
        liquidation, self._liquidation = self._liquidation, None
        return liquidation
