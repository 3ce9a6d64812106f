"""One symbol's channels of WebSocket v2: what its order flow does, as Kraken writes it.

Numbers are JSON numbers with all their decimals. A book is told in real time. A level that is
pushed out of its depth by a better one is not told; when it comes back it is, as if it were new.

Source: kraken §3, §8b.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from zlib import crc32

from connector.testing.kits.kraken.v2_dialect import DEPTHS, both
from connector.testing.market.audience import Audience
from connector.testing.market.candles import Bar
from connector.testing.market.depth_window import DepthWindow, Levels
from connector.testing.market.matching import BookSide, Scale, decimal_text
from connector.testing.market.payloads import TradeFacts
from connector.testing.market.traders import Action, SymbolFlow

CHECKED_LEVELS = 10
HISTORY = 50
MOST_CANDLES = 720
"""In a snapshot; *assumed* to be as many as REST has."""
INTERVALS = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1440}
"""In minutes; the longer ones stay silent."""
CANDLE_MS = 1000


class V2Desk:
    """Sends one symbol's events to an audience."""

    def __init__(self, flow: SymbolFlow, audience: Audience, scale: Scale) -> None:
        self._flow = flow
        self._audience = audience
        self._scale = scale
        self._books = {f"book-{depth}": DepthWindow(flow.book, depth, 0) for depth in DEPTHS}
        self._trades: deque[str] = deque(maxlen=HISTORY)
        self._traded = False

    @property
    def flow(self) -> SymbolFlow:
        """The order flow of the symbol."""
        return self._flow

    def show(self, action: Action) -> None:
        """Everything but candles is sent in real time."""
        if action.trades:
            self._traded = True
            rows = [self._trade(trade) for trade in action.trades]
            self._trades += rows
            self._publish("trade", _frame("trade", ",".join(rows)))
            self._send_ticker("ticker-trades", action.ms)
        if action.top_changed:
            self._send_ticker("ticker-bbo", action.ms)
        for name, window in self._books.items():
            changes = window.end(self._flow.update_id, wanted=self._wants(name))
            if changes is None:
                continue
            book = self._flow.book
            bids = _without_pushed(changes[0], book.bids)
            asks = _without_pushed(changes[1], book.asks)
            if bids or asks:
                self._publish(name, _frame("book", self._book(bids, asks, action.ms)))

    def pass_boundary(self, now_ms: int) -> None:
        """Candles are sent by the clock, if there were trades; that one is over is not said."""
        if now_ms % CANDLE_MS:
            return
        closed = dict(self._flow.bars.roll(now_ms))
        if self._traded:
            self._traded = False
            for interval, minutes in INTERVALS.items():
                bar = closed.get(interval) or self._flow.bars.running(interval)
                if bar.trades:
                    frame = self._candles(minutes, [bar], now_ms, "update")
                    self._publish(f"ohlc-{minutes}", frame)

    def first(self, stream: str) -> Iterable[bytes]:
        """The snapshot, for a stream that begins with one, if the client wants it."""
        name, _, symbol = stream.partition(":")
        if name == "instrument":
            yield self._instruments()
        if symbol != self._flow.symbol:
            return
        now_ms = self._audience.now_ms()
        if name in self._books:
            bids, asks = self._books[name].whole()
            yield _frame("book", self._book(bids, asks, now_ms), "snapshot")
        elif name in ("ticker-trades", "ticker-bbo"):
            yield _frame("ticker", self._ticker(now_ms), "snapshot")
        elif name == "trade-history":
            yield _frame("trade", ",".join(self._trades), "snapshot")
        elif name.startswith("ohlc-") and name.endswith("-history"):
            minutes = int(name.split("-")[1])
            bars = self._bars(minutes)
            if bars:
                yield self._candles(minutes, bars, now_ms, "snapshot")

    # -- inside ---------------------------------------------------------------------------------

    def _streams(self, name: str) -> list[str]:
        """The streams that are listened to, of those that differ in how they begin."""
        streams = (f"{each}:{self._flow.symbol}" for each in both(name))
        return [stream for stream in streams if self._audience.wants(stream)]

    def _wants(self, name: str) -> bool:
        return bool(self._streams(name))

    def _publish(self, name: str, frame: bytes) -> None:
        for stream in self._streams(name):
            self._audience.publish(stream, frame)

    def _bars(self, minutes: int) -> list[Bar]:
        """The newest candles with trades; the last may be open."""
        name = next((each for each, length in INTERVALS.items() if length == minutes), None)
        if name is None:
            return []
        bars = self._flow.bars
        traded = [bar for bar in (*bars.closed(name), bars.running(name)) if bar.trades]
        return traded[-MOST_CANDLES:]

    def _trade(self, trade: TradeFacts) -> str:
        return (
            f'{{"symbol":"{self._flow.symbol}","side":"{"buy" if trade.taker_buys else "sell"}",'
            f'"price":{self._scale.price(trade.price)},"qty":{self._scale.quantity(trade.quantity)}'
            f',"ord_type":"market","trade_id":{trade.trade_id},"timestamp":"{_stamp(trade.ms)}"}}'
        )

    def _book(self, bids: Levels, asks: Levels, ms: int) -> str:
        sides = [
            ",".join(
                f'{{"price":{self._scale.price(price)},"qty":{self._scale.quantity(lots)}}}'
                for price, lots in side.items()
            )
            for side in (bids, asks)
        ]
        return (
            f'{{"symbol":"{self._flow.symbol}","bids":[{sides[0]}],"asks":[{sides[1]}],'
            f'"checksum":{self._checksum()},"timestamp":"{_stamp(ms)}"}}'
        )

    def _checksum(self) -> int:
        """Of the best ten asks, then bids: digits without the point and leading zeros."""
        book, text = self._flow.book, ""
        for side in (book.asks, book.bids):
            for price, lots in side.best_levels(CHECKED_LEVELS):
                for digits in (self._scale.price(price), self._scale.quantity(lots)):
                    text += digits.replace(".", "").lstrip("0")
        return crc32(text.encode())

    def _send_ticker(self, name: str, ms: int) -> None:
        if self._wants(name):
            self._publish(name, _frame("ticker", self._ticker(ms)))

    def _ticker(self, ms: int) -> str:
        day, price, quantity = self._flow.bars.day, self._scale.price, self._scale.quantity
        bid, bid_lots, ask, ask_lots = self._flow.best
        change = day.close - day.open
        share = abs(change) * 10_000 // day.open * (1 if change >= 0 else -1)
        return (
            f'{{"symbol":"{self._flow.symbol}","bid":{price(bid)},"bid_qty":{quantity(bid_lots)},'
            f'"ask":{price(ask)},"ask_qty":{quantity(ask_lots)},"last":{price(day.close)},'
            f'"volume":{quantity(day.volume)},"vwap":{price(average(day))},"low":{price(day.low)},'
            f'"high":{price(day.high)},"change":{price(change)},'
            f'"change_pct":{decimal_text(share, 2, 2)},"timestamp":"{_stamp(ms)}"}}'
        )

    def _candles(self, minutes: int, bars: Iterable[Bar], now_ms: int, kind: str) -> bytes:
        rows = ",".join(self._candle(minutes, bar) for bar in bars)
        return (
            f'{{"channel":"ohlc","type":"{kind}","timestamp":"{_stamp(now_ms)}","data":[{rows}]}}'
        ).encode()

    def _candle(self, minutes: int, bar: Bar) -> str:
        price = self._scale.price
        end = bar.start_ms + minutes * 60_000
        return (
            f'{{"symbol":"{self._flow.symbol}","open":{price(bar.open)},"high":{price(bar.high)},'
            f'"low":{price(bar.low)},"close":{price(bar.close)},"trades":{bar.trades},'
            f'"volume":{self._scale.quantity(bar.volume)},"vwap":{price(average(bar))},'
            f'"interval_begin":"{_stamp(bar.start_ms, 9)}","interval":{minutes},'
            f'"timestamp":"{_stamp(end)}"}}'
        )

    def _instruments(self) -> bytes:
        base, slash, quote = self._flow.symbol.partition("/")
        if not slash:
            # The fields that only derivatives have are not documented.
            pair = self._flow.symbol.split("_")[1]
            base, quote = pair[:-3], pair[-3:]
        return (
            '{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[{"symbol":'
            f'"{self._flow.symbol}","base":"{base}","quote":"{quote}","status":"online",'
            f'"qty_precision":{self._scale.quantity_decimals},"qty_increment":1e-8,'
            f'"price_precision":{self._scale.price_decimals},"price_increment":0.01,'
            '"qty_min":0.001,"cost_min":0.5}]}}'
        ).encode()


def _without_pushed(changes: Levels, side: BookSide) -> Levels:
    """`changes`, but for levels that are gone from the window and still in the book."""
    return {price: lots for price, lots in changes.items() if lots or price not in side.quantities}


def average(bar: Bar) -> int:
    """The average price of its trades, rounded down; its close if there were none."""
    return bar.quote_volume // bar.volume if bar.volume else bar.close


def _frame(channel: str, rows: str, kind: str = "update") -> bytes:
    return f'{{"channel":"{channel}","type":"{kind}","data":[{rows}]}}'.encode()


def _stamp(ms: int, decimals: int = 6) -> str:
    seconds, thousandths = divmod(ms, 1000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{thousandths:03d}{'0' * (decimals - 3)}Z"
