"""One symbol's channels: what its order flow does, as OKX writes it.

Source: okx §4, §5.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from connector.testing.market.audience import Audience
from connector.testing.market.candles import Bar
from connector.testing.market.depth_window import DepthWindow, Levels
from connector.testing.market.matching import Scale
from connector.testing.market.payloads import TradeFacts
from connector.testing.market.traders import Action, SymbolFlow

BOOK_MS, MARK_MS, CANDLE_MS = 100, 200, 1000
HEARTBEAT_MS = 60_000
LEVELS, FEW_LEVELS = 400, 5
BARS = {
    "1s": "1s", "1m": "1m", "3m": "3m", "5m": "5m", "15m": "15m", "30m": "30m", "1h": "1H",
    "2h": "2H", "4h": "4H", "6h": "6Hutc", "12h": "12Hutc", "1d": "1Dutc",
}  # fmt: skip
FIRST_IDS = 1_000_000


class Desk:
    """Sends one symbol's events to an audience."""

    def __init__(self, flow: SymbolFlow, audience: Audience, scale: Scale) -> None:
        self._flow = flow
        self._audience = audience
        self._scale = scale
        self._book = DepthWindow(flow.book, LEVELS, FIRST_IDS)
        self._top = DepthWindow(flow.book, FEW_LEVELS, FIRST_IDS)
        self._sent_ms = flow.changed_ms
        self._traded = self._traded_lately = False
        self._mark = 0
        self._liquidations: list[tuple[TradeFacts, int]] = []

    @property
    def flow(self) -> SymbolFlow:
        """The order flow of the symbol."""
        return self._flow

    def show(self, action: Action) -> None:
        """Trades and quotes are sent in real time."""
        if action.trades:
            self._traded = self._traded_lately = True
            if action.liquidation is not None:
                self._liquidations.append(action.liquidation)
        for trade in action.trades:
            self._publish("trades-all", self._trade(trade, action))
        for trade in action.aggregates:
            self._publish("trades", self._aggregate(trade, action))
        if action.top_changed and self._wants("bbo-tbt"):
            self._publish("bbo-tbt", self._quote(action.ms))

    def pass_boundary(self, now_ms: int) -> None:
        """Books, tickers, marks, candles and liquidations are sent by the clock."""
        if now_ms % BOOK_MS == 0:
            self._send_books(now_ms)
            if self._traded_lately:
                self._traded_lately = False
                self._publish("tickers", self._ticker(now_ms))
        bid, _, ask, _ = self._flow.best
        if now_ms % MARK_MS == 0 and (bid + ask != self._mark or now_ms % 10_000 == 0):
            self._mark = bid + ask
            mark = self._scale.price((bid + ask) // 2)
            self._publish(
                "mark-price",
                f'{{"instId":"{self._flow.symbol}","markPx":"{mark}","ts":"{now_ms}"}}',
            )
        if now_ms % CANDLE_MS == 0:
            self._send_candles(now_ms)
            self._send_liquidations()

    def first(self, stream: str) -> Iterable[bytes]:
        """The snapshot, for a stream that begins with one."""
        channel, _, symbol = stream.partition(":")
        now_ms = self._audience.now_ms()
        if symbol != self._flow.symbol:
            return
        if channel == "books":
            row = self._rows(now_ms, self._book.whole(), -1)
            yield self._frame("books", row, "snapshot")
        elif channel == "books5":
            yield self._frame("books5", self._rows(now_ms, self._top.whole(), None))
        elif channel == "bbo-tbt":
            yield self._frame("bbo-tbt", self._quote(now_ms))
        elif channel == "tickers":
            yield self._frame("tickers", self._ticker(now_ms))

    def whole_book(self, levels: int) -> str:
        """The book as REST returns it."""
        bids, asks = (
            self._levels(dict(islice(side.items(), levels))) for side in self._book.whole()
        )
        return (
            f'{{"asks":[{asks}],"bids":[{bids}],"ts":"{self._audience.now_ms()}",'
            f'"seqId":{self._book.update_id}}}'
        )

    # -- inside ---------------------------------------------------------------------------------

    def _wants(self, channel: str) -> bool:
        return self._audience.wants(f"{channel}:{self._flow.symbol}")

    def _publish(self, channel: str, row: str, action: str = "") -> None:
        if self._wants(channel):
            frame = self._frame(channel, row, action)
            self._audience.publish(f"{channel}:{self._flow.symbol}", frame)

    def _frame(self, channel: str, row: str, action: str = "") -> bytes:
        told = f'"action":"{action}",' if action else ""
        return (
            f'{{"arg":{{"channel":"{channel}","instId":"{self._flow.symbol}"}},{told}'
            f'"data":[{row}]}}'
        ).encode()

    def _trade(self, trade: TradeFacts, action: Action) -> str:
        side = "buy" if trade.taker_buys else "sell"
        return (
            f'{{"instId":"{self._flow.symbol}","tradeId":"{trade.trade_id}",'
            f'"px":"{self._scale.price(trade.price)}",'
            f'"sz":"{self._scale.quantity(trade.quantity)}","side":"{side}","source":"0",'
            f'"ts":"{trade.ms}"}}'
        )

    def _aggregate(self, trade: TradeFacts, action: Action) -> str:
        side = "buy" if trade.taker_buys else "sell"
        count = trade.last_id - trade.first_id + 1
        return (
            f'{{"instId":"{self._flow.symbol}","tradeId":"{trade.last_id}",'
            f'"px":"{self._scale.price(trade.price)}",'
            f'"sz":"{self._scale.quantity(trade.quantity)}","side":"{side}","ts":"{trade.ms}",'
            f'"count":"{count}","source":"0","seqId":{action.update_id}}}'
        )

    def _levels(self, side: Levels) -> str:
        return ",".join(
            f'["{self._scale.price(price)}","{self._scale.quantity(lots) if lots else "0"}",'
            f'"0","{1 if lots else 0}"]'
            for price, lots in side.items()
        )

    def _rows(self, now_ms: int, sides: tuple[Levels, Levels], previous: int | None) -> str:
        bids, asks = map(self._levels, sides)
        chain = "" if previous is None else f',"checksum":0,"prevSeqId":{previous}'
        window = self._top if previous is None else self._book
        return (
            f'{{"asks":[{asks}],"bids":[{bids}],"ts":"{now_ms}"{chain},"seqId":{window.update_id}}}'
        )

    def _quote(self, now_ms: int) -> str:
        bid, bid_lots, ask, ask_lots = self._flow.best
        sides = ({bid: bid_lots} if bid_lots else {}, {ask: ask_lots} if ask_lots else {})
        bids, asks = map(self._levels, sides)
        return f'{{"asks":[{asks}],"bids":[{bids}],"ts":"{now_ms}","seqId":{self._flow.update_id}}}'

    def _send_books(self, now_ms: int) -> None:
        previous = self._book.update_id
        changes = self._book.end(self._flow.update_id, wanted=self._wants("books"))
        if changes is not None:
            self._sent_ms = now_ms
            self._publish("books", self._rows(now_ms, changes, previous), "update")
        elif now_ms - self._sent_ms >= HEARTBEAT_MS:
            self._sent_ms = now_ms
            self._publish("books", self._rows(now_ms, ({}, {}), previous), "update")
        if self._top.end(self._flow.update_id, wanted=self._wants("books5")) is not None:
            self._publish("books5", self._rows(now_ms, self._top.whole(), None))

    def _ticker(self, now_ms: int) -> str:
        day, scale = self._flow.bars.day, self._scale
        return (
            f'{{"instId":"{self._flow.symbol}","last":"{scale.price(day.close)}",'
            f'"lastSz":"{scale.quantity(day.last_quantity)}","open24h":"{scale.price(day.open)}",'
            f'"high24h":"{scale.price(day.high)}","low24h":"{scale.price(day.low)}",'
            f'"volCcy24h":"{scale.value(day.quote_volume)}",'
            f'"vol24h":"{scale.quantity(day.volume)}","ts":"{now_ms}"}}'
        )

    def _send_candles(self, now_ms: int) -> None:
        for interval, bar in self._flow.bars.roll(now_ms):
            self._send_candle(interval, bar, closed=True)
        if self._traded:
            self._traded = False
            for interval in BARS:
                bar = self._flow.bars.running(interval)
                if bar.trades:
                    self._send_candle(interval, bar, closed=False)

    def _send_candle(self, interval: str, bar: Bar, *, closed: bool) -> None:
        if interval not in BARS:
            return
        price, value = self._scale.price, self._scale.value(bar.quote_volume)
        row = (
            f'["{bar.start_ms}","{price(bar.open)}","{price(bar.high)}","{price(bar.low)}",'
            f'"{price(bar.close)}","{self._scale.quantity(bar.volume)}","{value}","{value}",'
            f'"{int(closed)}"]'
        )
        self._publish(f"candle{BARS[interval]}", row)

    def _send_liquidations(self) -> None:
        orders, self._liquidations = self._liquidations, []
        stream = "liquidation-orders:SWAP"
        if (
            not orders
            or not self._flow.symbol.endswith("-SWAP")
            or not self._audience.wants(stream)
        ):
            return
        rows = ",".join(
            f'{{"side":"{"buy" if order.taker_buys else "sell"}","posSide":"net",'
            f'"bkPx":"{self._scale.price(average)}","sz":"{self._scale.quantity(order.quantity)}",'
            f'"bkLoss":"0","ccy":"","ts":"{order.ms}"}}'
            for order, average in orders
        )
        arg = '"arg":{"channel":"liquidation-orders","instType":"SWAP"}'
        row = f'{{"instId":"{self._flow.symbol}","instType":"SWAP","details":[{rows}]}}'
        self._audience.publish(stream, f'{{{arg},"data":[{row}]}}'.encode())
