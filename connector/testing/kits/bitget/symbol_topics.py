"""One symbol's streams: what its order flow does, as Bitget writes it.

Source: bitget §4, §5, and stored frames for the order of the keys.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from connector.testing.kits.bitget.names import Market, inst_type_of
from connector.testing.market.audience import Audience
from connector.testing.market.candles import Bar
from connector.testing.market.depth_window import DepthWindow, Levels
from connector.testing.market.matching import Scale, decimal_text
from connector.testing.market.payloads import TradeFacts
from connector.testing.market.traders import Action, SymbolFlow

BOOKS_MS, CLASSIC_BOOKS_MS, TICKER_MS, SECOND_MS = 50, 100, 100, 1000
"""Books of 10 and 20 ms are simulated as 50."""
LEVELS, CLASSIC_LEVELS = 1000, 200
PARTIAL = {"books5": 5, "books50": 50}
CLASSIC_PARTIAL = {"v2.books5": 5, "v2.books15": 15}
INTERVALS = {
    "1m": "1m", "3m": "3m", "5m": "5m", "15m": "15m", "30m": "30m", "1h": "1H", "4h": "4H",
}  # fmt: skip
CLASSIC_INTERVALS = {
    **INTERVALS, "2h": "2H", "6h": "6Hutc", "12h": "12Hutc", "1d": "1Dutc",
}  # fmt: skip
"""Those that open on the grid of UTC+8 are not simulated: they stay silent."""
RECENT = 50
ID_STEP = 17
FUNDING_MS = 8 * 3_600_000
_SPREAD = 1_000_003


class _Chain:
    """One stream of changes: its last shown levels and their id."""

    def __init__(self, flow: SymbolFlow, levels: int) -> None:
        self._flow = flow
        self._window = DepthWindow(flow.book, levels, 0)
        self._id: int | None = None

    def whole(self) -> tuple[int, tuple[Levels, Levels]]:
        """The id, and the shown levels."""
        if self._id is None:
            self._id = self._flow.update_id * ID_STEP
        return self._id, self._window.whole()

    def end(self, *, wanted: bool) -> tuple[int, int, tuple[Levels, Levels]] | None:
        """The previous id, the current id and the changes; None without changes."""
        if not wanted:
            self._window.end(self._flow.update_id, wanted=False)
            self._id = None
            return None
        before, _ = self.whole()
        changes = self._window.end(self._flow.update_id, wanted=True)
        if changes is None:
            return None
        self._id = self._flow.update_id * ID_STEP
        return before, self._id, changes


class Desk:
    """Sends one symbol's events to an audience."""

    def __init__(self, flow: SymbolFlow, audience: Audience, scale: Scale, market: Market) -> None:
        self._flow = flow
        self._audience = audience
        self._scale = scale
        self._symbol = flow.symbol
        self._inst_type = inst_type_of(market, flow.symbol)
        self._futures = market == "futures"
        self._books = {
            "books": (_Chain(flow, LEVELS), BOOKS_MS),
            "v2.books": (_Chain(flow, CLASSIC_LEVELS), CLASSIC_BOOKS_MS),
        }
        self._seen_ids = {"": 0, "v2.": 0}
        self._recent: deque[str] = deque(maxlen=RECENT)
        self._past: dict[str, Bar] = {}
        self._liquidations: dict[bool, tuple[TradeFacts, int]] = {}
        self._ticker_now = ""
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
            rows = [self._trade(each) for each in action.trades]
            self._recent.extendleft(rows)
            newest_first = ",".join(reversed(rows))
            self._publish("publicTrade", "update", newest_first, action.ms)
        if action.liquidation is not None:
            side = action.liquidation[0].taker_buys
            known = self._liquidations.get(side)
            if known is None or known[0].quantity < action.liquidation[0].quantity:
                self._liquidations[side] = action.liquidation
        if action.top_changed:
            self._publish("books1", "snapshot", self._top(1, action.ms), action.ms)

    def pass_boundary(self, now_ms: int) -> None:
        """Books, tickers, candles and liquidations are sent by the clock."""
        for topic, (chain, every) in self._books.items():
            if now_ms % every == 0:
                changed = chain.end(wanted=self._wants(topic))
                if changed is not None:
                    before, number, sides = changed
                    row = self._book(sides, number, before, now_ms, topic)
                    self._publish(topic, "update", row, now_ms)
        self._send_partial("", PARTIAL, now_ms)
        if now_ms % CLASSIC_BOOKS_MS == 0:
            self._send_partial("v2.", CLASSIC_PARTIAL, now_ms)
        if now_ms % TICKER_MS == 0 and self._wants("ticker"):
            ticker = self._ticker(now_ms)
            if ticker != self._ticker_now:
                self._ticker_now = ticker
                self._publish("ticker", "snapshot", ticker, now_ms)
        if now_ms % SECOND_MS == 0:
            self._send_candles(now_ms)
            self._send_liquidations(now_ms)

    def first(self, stream: str) -> Iterable[bytes]:
        """The snapshot of a stream; for trades and candles, the latest ones."""
        topic, symbol, *more = stream.split(":")
        now_ms = self._audience.now_ms()
        if symbol != self._symbol:
            return
        if topic == "publicTrade" and self._recent:
            yield self._frame(topic, "snapshot", ",".join(self._recent), now_ms)
        elif topic in self._books:
            number, sides = self._books[topic][0].whole()
            row = self._book(sides, number, 0, now_ms, topic)
            yield self._frame(topic, "snapshot", row, now_ms)
        elif topic in ("books1", *PARTIAL, *CLASSIC_PARTIAL):
            levels = {"books1": 1, **PARTIAL, **CLASSIC_PARTIAL}[topic]
            row = self._top(levels, now_ms, topic)
            yield self._frame(topic, "snapshot", row, now_ms)
        elif topic == "ticker":
            yield self._frame(topic, "snapshot", self._ticker(now_ms), now_ms)
        elif topic == "kline" or topic.startswith("v2.candle"):
            yield from self._first_candles(topic, (more or [""])[0], now_ms)

    def order_book(self, limit: int) -> str:
        """The book as REST returns it."""
        bids, asks = (
            ",".join(
                f"[{self._scale.price(price)},{self._scale.quantity(lots)}]"
                for price, lots in side.best_levels(limit)
            )
            for side in (self._flow.book.bids, self._flow.book.asks)
        )
        return f'{{"a":[{asks}],"b":[{bids}],"ts":"{self._audience.now_ms()}"}}'

    def fill(self, trade: TradeFacts) -> str:
        """A trade of the past."""
        side, number = "buy" if trade.taker_buys else "sell", trade.trade_id * _SPREAD
        return (
            f'{{"execId":"{number}","execLinkId":"{number + 1}","side":"{side}",'
            f'"price":"{self._scale.price(trade.price)}","isRPI":"no",'
            f'"size":"{self._scale.quantity(trade.quantity)}","ts":"{trade.ms}"}}'
        )

    def candle(self, bar: Bar) -> str:
        """A candle of the past: time, prices, and both volumes."""
        return self._candle("v2.", bar)

    # -- inside ---------------------------------------------------------------------------------

    def _wants(self, topic: str, interval: str = "") -> bool:
        return self._audience.wants(self._name(topic, interval))

    def _name(self, topic: str, interval: str = "") -> str:
        return f"{topic}:{self._symbol}" + (f":{interval}" if interval else "")

    def _publish(
        self, topic: str, action: str, rows: str, now_ms: int, *, interval: str = ""
    ) -> None:
        if self._wants(topic, interval):
            frame = self._frame(topic, action, rows, now_ms, interval=interval)
            self._audience.publish(self._name(topic, interval), frame)

    def _frame(
        self, topic: str, action: str, rows: str, now_ms: int, *, interval: str = ""
    ) -> bytes:
        if topic.startswith("v2."):
            arg = (
                f'"instType":"{self._inst_type.upper()}","channel":"{topic.removeprefix("v2.")}",'
                f'"instId":"{self._symbol.removesuffix("_CM")}"'
            )
        else:
            arg = f'"instType":"{self._inst_type}","topic":"{topic}","symbol":"{self._symbol}"'
            if interval:
                arg += f',"interval":"{interval}"'
        return (
            f'{{"action":"{action}","arg":{{{arg}}},"data":[{rows}],"ts":{now_ms + 2}}}'
        ).encode()

    def _trade(self, trade: TradeFacts) -> str:
        side = "buy" if trade.taker_buys else "sell"
        number = trade.trade_id * _SPREAD
        return (
            f'{{"i":"{number}","p":"{self._scale.price(trade.price)}",'
            f'"v":"{self._scale.quantity(trade.quantity)}","S":"{side}","T":"{trade.ms}",'
            f'"L":"{number + 1}","isRPI":"no"}}'
        )

    # -- books ----------------------------------------------------------------------------------

    def _levels(self, side: Iterable[tuple[int, int]]) -> str:
        return ",".join(
            f'["{self._scale.price(price)}","{self._scale.quantity(lots) if lots else "0"}"]'
            for price, lots in side
        )

    def _book(
        self, sides: tuple[Levels, Levels], number: int, before: int, now_ms: int, topic: str
    ) -> str:
        bids, asks = (self._levels(side.items()) for side in sides)
        a, b = ("asks", "bids") if topic.startswith("v2.") else ("a", "b")
        depth = ',"maxdepth":"1000"' if topic == "books" else ""
        return (
            f'{{"{a}":[{asks}],"{b}":[{bids}],"seq":{number},"pseq":{before},"ts":"{now_ms}"'
            f"{depth}}}"
        )

    def _top(self, levels: int, now_ms: int, topic: str = "books1") -> str:
        book = self._flow.book
        sides = dict(book.bids.best_levels(levels)), dict(book.asks.best_levels(levels))
        number = self._flow.update_id * ID_STEP
        return self._book(sides, number, 0, now_ms, "v2." if topic.startswith("v2.") else "books1")

    def _send_partial(self, version: str, depths: dict[str, int], now_ms: int) -> None:
        if self._seen_ids[version] == self._flow.update_id:
            return
        self._seen_ids[version] = self._flow.update_id
        for topic, levels in depths.items():
            if self._wants(topic):
                self._publish(topic, "snapshot", self._top(levels, now_ms, topic), now_ms)

    # -- by the clock ---------------------------------------------------------------------------

    def _ticker(self, now_ms: int) -> str:
        day, scale = self._flow.bars.day, self._scale
        bid, bid_lots, ask, ask_lots = self._flow.best
        share = decimal_text((day.close - day.open) * 10**6 // day.open, 6, 6)
        told = {
            "lastPrice": scale.price(day.close),
            "bid1Price": scale.price(bid),
            "bid1Size": scale.quantity(bid_lots),
            "ask1Price": scale.price(ask),
            "ask1Size": scale.quantity(ask_lots),
            "openPrice24h": scale.price(day.open),
            "highPrice24h": scale.price(day.high),
            "lowPrice24h": scale.price(day.low),
            "price24hPcnt": share,
            "volume24h": scale.quantity(day.volume),
            "turnover24h": scale.value(day.quote_volume),
        }
        if self._futures:
            told |= {
                "indexPrice": scale.price(self._flow.bars.running("1m").open),
                "markPrice": scale.price((bid + ask) // 2),
                "fundingRate": "0.0001",
                "nextFundingTime": str(now_ms - now_ms % FUNDING_MS + FUNDING_MS),
                "openInterest": "1000",
            }
        return "{" + ",".join(f'"{key}":"{text}"' for key, text in told.items()) + "}"

    def _first_candles(self, topic: str, interval: str, now_ms: int) -> Iterable[bytes]:
        """The oldest is first, the running one last."""
        known = interval or topic.removeprefix("v2.candle")
        own = next((own for own, name in CLASSIC_INTERVALS.items() if name == known), None)
        if own is None:
            return
        bars = [each for each in (self._past.get(own), self._flow.bars.running(own)) if each]
        rows = ",".join(self._candle(topic, bar) for bar in bars)
        yield self._frame(topic, "snapshot", rows, now_ms, interval=interval)

    def _candle(self, topic: str, bar: Bar) -> str:
        price, scale = self._scale.price, self._scale
        numbers = {
            "start": str(bar.start_ms),
            "open": price(bar.open),
            "high": price(bar.high),
            "low": price(bar.low),
            "close": price(bar.close),
            "volume": scale.quantity(bar.volume),
            "turnover": scale.value(bar.quote_volume),
        }
        if topic.startswith("v2."):
            return "[" + ",".join(f'"{n}"' for n in (*numbers.values(), numbers["turnover"])) + "]"
        return "{" + ",".join(f'"{key}":"{text}"' for key, text in numbers.items()) + "}"

    def _send_candles(self, now_ms: int) -> None:
        """There is no word that a candle is closed: the next one begins."""
        closed = dict(self._flow.bars.roll(now_ms))
        self._past |= closed
        if not self._traded:
            return
        self._traded = False
        for own, name in CLASSIC_INTERVALS.items():
            bar = closed.get(own) or self._flow.bars.running(own)
            if not bar.trades:
                continue
            if own in INTERVALS:
                self._publish("kline", "update", self._candle("", bar), now_ms, interval=name)
            topic = f"v2.candle{name}"
            self._publish(topic, "update", self._candle(topic, bar), now_ms)

    def _send_liquidations(self, now_ms: int) -> None:
        """The largest of each side in a second."""
        orders, self._liquidations = list(self._liquidations.values()), {}
        stream = f"liquidation:{self._inst_type}"
        if not orders or not self._audience.wants(stream):
            return
        rows = ",".join(
            f'{{"symbol":"{self._symbol}","side":"{"buy" if order.taker_buys else "sell"}",'
            f'"price":"{self._scale.price(average)}",'
            f'"amount":"{self._scale.quantity(order.quantity)}","ts":"{order.ms}"}}'
            for order, average in orders
        )
        arg = f'"arg":{{"instType":"{self._inst_type}","topic":"liquidation"}}'
        self._audience.publish(
            stream, f'{{"action":"update",{arg},"data":[{rows}],"ts":{now_ms}}}'.encode()
        )
