"""One instrument's channels: what its order flow does, as Deribit writes it.

Source: deribit §5.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from connector.testing.market.audience import Audience
from connector.testing.market.candles import Bar
from connector.testing.market.depth_window import DepthWindow, Levels
from connector.testing.market.matching import Scale, decimal_text
from connector.testing.market.payloads import TradeFacts
from connector.testing.market.traders import Action, SymbolFlow

CADENCES = {"100ms": 100, "agg2": 1000}
CHART_MS = 1000
DEPTHS = (1, 10, 20)
ALL_LEVELS = 1 << 30
RESOLUTIONS = {
    "1m": "1", "3m": "3", "5m": "5", "15m": "15", "30m": "30", "1h": "60", "2h": "120",
    "6h": "360", "12h": "720", "1d": "1D",
}  # fmt: skip
"""Those of 10 and 180 minutes are not simulated: they stay silent."""
ID_STEP = 7
"""Ids jump: they count the changes of all instruments."""

Sides: TypeAlias = list[list[tuple[str, int, int]]]
"""Bids and asks; each level has the kind of its change, ticks and lots."""


class _Chain:
    """One ``book.{instrument}.{interval}``: its last shown levels and their id."""

    def __init__(self, flow: SymbolFlow) -> None:
        self._flow = flow
        self._window = DepthWindow(flow.book, ALL_LEVELS, 0)
        self._id: int | None = None

    def whole(self) -> tuple[int, tuple[Levels, Levels]]:
        """The id, and the shown levels."""
        if self._id is None:
            self._id = self._flow.update_id * ID_STEP
        return self._id, self._window.whole()

    def end(self, *, wanted: bool) -> tuple[int, int, Sides] | None:
        """The previous id, the current id and the changed rows; None without changes."""
        if not wanted:
            self._window.end(self._flow.update_id, wanted=False)
            self._id = None
            return None
        before_id, before = self.whole()
        changes = self._window.end(self._flow.update_id, wanted=True)
        if changes is None:
            return None
        self._id = self._flow.update_id * ID_STEP
        rows = [
            [
                ("delete" if not lots else "change" if price in old else "new", price, lots)
                for price, lots in side.items()
            ]
            for old, side in zip(before, changes, strict=True)
        ]
        return before_id, self._id, rows


class Desk:
    """Sends one instrument's events to an audience."""

    def __init__(self, flow: SymbolFlow, audience: Audience, scale: Scale) -> None:
        self._flow = flow
        self._audience = audience
        self._scale = scale
        self._symbol = flow.symbol
        # Options, spot and what is linear are counted in the base.
        self._inverse = "_" not in flow.symbol and flow.symbol.count("-") == 1
        self._perpetual = flow.symbol.endswith("-PERPETUAL")
        self._chains = {name: _Chain(flow) for name in CADENCES}
        self._seen_ids = dict.fromkeys(CADENCES, 0)
        self._trades: dict[str, list[str]] = {name: [] for name in CADENCES}
        self._direction = 0
        self._last_price = flow.last_price
        self._traded = False

    @property
    def flow(self) -> SymbolFlow:
        """The order flow of the instrument."""
        return self._flow

    # -- what is sent ---------------------------------------------------------------------------

    def show(self, action: Action) -> None:
        """Quotes are sent in real time; trades are kept for the clock."""
        for trade in action.trades:
            self._traded = True
            row = self._trade(trade, liquidates=action.liquidation is not None)
            for name, rows in self._trades.items():
                if self._wants(f"trades.{self._symbol}.{name}"):
                    rows.append(row)
        if action.top_changed and self._wants(f"quote.{self._symbol}"):
            self._publish(f"quote.{self._symbol}", self._quote(action.ms))

    def pass_boundary(self, now_ms: int) -> None:
        """All but quotes is sent by the clock."""
        for name, every in CADENCES.items():
            if now_ms % every == 0:
                self._send_books(name, now_ms)
                rows, self._trades[name] = self._trades[name], []
                if rows:
                    self._publish(f"trades.{self._symbol}.{name}", f"[{','.join(rows)}]")
                ticker = f"ticker.{self._symbol}.{name}"
                if self._wants(ticker):
                    self._publish(ticker, self._ticker(now_ms))
        if now_ms % CHART_MS == 0:
            self._send_charts(now_ms)

    def first(self, stream: str) -> Iterable[bytes]:
        """The snapshot, for a stream that begins with one."""
        kind, symbol, *rest = [*stream.split("."), ""]
        if symbol != self._symbol:
            return
        now_ms = self._audience.now_ms()
        if kind == "ticker":
            yield self._ticker(now_ms).encode()
        elif kind == "book" and rest[0] in CADENCES:
            number, sides = self._chains[rest[0]].whole()
            rows = [[("new", *each) for each in side.items()] for side in sides]
            yield self._book("snapshot", now_ms, f'"change_id":{number}', rows).encode()
        elif kind == "book":
            yield self._whole_book(int(rest[1]), now_ms).encode()

    def order_book(self, depth: int) -> str:
        """The book as REST returns it."""
        day, scale = self._flow.bars.day, self._scale
        book = self._whole_book(depth, self._audience.now_ms())[1:-1]
        return f'{{"state":"open","last_price":{scale.price(day.close)},{book}}}'

    @property
    def now_ms(self) -> int:
        """The exchange's time."""
        return self._audience.now_ms()

    def trade(self, trade: TradeFacts) -> str:
        """A trade of the past."""
        return self._trade(trade, liquidates=False)

    def chart(self, bar: Bar) -> dict[str, object]:
        """A candle of the past, as JSON values."""
        usd, base = self._usd_and_base(bar)
        numbers = {
            "open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close,
        }  # fmt: skip
        prices = {name: msgspec.Raw(self._scale.price(n).encode()) for name, n in numbers.items()}
        volumes = {"volume": msgspec.Raw(base.encode()), "cost": msgspec.Raw(usd.encode())}
        return {"ticks": bar.start_ms, **prices, **volumes}

    # -- inside ---------------------------------------------------------------------------------

    def _wants(self, channel: str) -> bool:
        return self._audience.wants(channel)

    def _publish(self, channel: str, data: str) -> None:
        self._audience.publish(channel, data.encode())

    def _usd_and_base(self, bar: Bar) -> tuple[str, str]:
        """A volume in USD, and in the base: of what is inverse, at the closing price."""
        if not self._inverse:
            return self._scale.value(bar.quote_volume), self._scale.quantity(bar.volume)
        base = bar.volume * 10 * 10**10 // max(bar.close, 1)
        return self._scale.quantity(bar.volume), decimal_text(base, 8, 8)

    # -- trades and quotes ----------------------------------------------------------------------

    def _trade(self, trade: TradeFacts, *, liquidates: bool) -> str:
        before, self._last_price = self._last_price, trade.price
        if trade.price != before:
            self._direction = 0 if trade.price > before else 2
        elif self._direction in (0, 2):
            self._direction += 1
        price, amount = self._scale.price(trade.price), self._scale.quantity(trade.quantity)
        number = f"ETH-{trade.trade_id}" if self._symbol.startswith("ETH") else trade.trade_id * 3
        contracts = f"{trade.quantity}.0" if self._inverse else amount
        return (
            f'{{"trade_seq":{trade.trade_id},"trade_id":"{number}","timestamp":{trade.ms},'
            f'"tick_direction":{self._direction},"price":{price},"mark_price":{price},'
            + ('"liquidation":"T",' if liquidates else "")
            + f'"instrument_name":"{self._symbol}","index_price":{price},'
            f'"direction":"{"buy" if trade.taker_buys else "sell"}","contracts":{contracts},'
            f'"amount":{amount}}}'
        )

    def _best(self) -> str:
        bid, bid_lots, ask, ask_lots = self._flow.best
        scale = self._scale
        return (
            f'"best_bid_price":{scale.price(bid)},"best_bid_amount":{scale.quantity(bid_lots)},'
            f'"best_ask_price":{scale.price(ask)},"best_ask_amount":{scale.quantity(ask_lots)}'
        )

    def _quote(self, now_ms: int) -> str:
        return f'{{"timestamp":{now_ms},"instrument_name":"{self._symbol}",{self._best()}}}'

    # -- books ----------------------------------------------------------------------------------

    def _send_books(self, name: str, now_ms: int) -> None:
        channel = f"book.{self._symbol}.{name}"
        changed = self._chains[name].end(wanted=self._wants(channel))
        if changed is not None:
            before, after, rows = changed
            ids = f'"prev_change_id":{before},"change_id":{after}'
            self._publish(channel, self._book("change", now_ms, ids, rows))
        if self._seen_ids[name] != self._flow.update_id:
            self._seen_ids[name] = self._flow.update_id
            for depth in DEPTHS:
                channel = f"book.{self._symbol}.none.{depth}.{name}"
                if self._wants(channel):
                    self._publish(channel, self._whole_book(depth, now_ms))

    def _rows(self, rows: Iterable[tuple[str, int, int]]) -> str:
        scale = self._scale
        return ",".join(
            f'["{action}",{scale.price(price)},{scale.quantity(lots)}]'
            for action, price, lots in rows
        )

    def _book(self, kind: str, now_ms: int, ids: str, sides: Sides) -> str:
        bids, asks = map(self._rows, sides)
        return (
            f'{{"type":"{kind}","timestamp":{now_ms},"instrument_name":"{self._symbol}",{ids},'
            f'"bids":[{bids}],"asks":[{asks}]}}'
        )

    def _whole_book(self, depth: int, now_ms: int) -> str:
        scale = self._scale
        bids, asks = (
            ",".join(
                f"[{scale.price(price)},{scale.quantity(lots)}]"
                for price, lots in side.best_levels(depth)
            )
            for side in (self._flow.book.bids, self._flow.book.asks)
        )
        return (
            f'{{"timestamp":{now_ms},"instrument_name":"{self._symbol}",'
            f'"change_id":{self._flow.update_id * ID_STEP},"bids":[{bids}],"asks":[{asks}]}}'
        )

    # -- by the clock ---------------------------------------------------------------------------

    def _ticker(self, now_ms: int) -> str:
        day, scale = self._flow.bars.day, self._scale
        bid, _, ask, _ = self._flow.best
        usd, base = self._usd_and_base(day)
        change = decimal_text((day.close - day.open) * 10**6 // day.open, 4, 4)
        index = scale.price(self._flow.bars.running("1m").open)
        stats = (
            f'"volume_usd":{usd},"volume_notional":{usd},"volume":{base},"price_change":{change},'
            f'"low":{scale.price(day.low)},"high":{scale.price(day.high)}'
        )
        if not day.trades:
            stats = '"volume_usd":0.0,"volume":0.0,"price_change":null,"low":null,"high":null'
        funding = '"funding_8h":0.00001742,"current_funding":0.0001,' if self._perpetual else ""
        last = scale.price(day.close) if day.trades else "null"
        return (
            f'{{"timestamp":{now_ms},"stats":{{{stats}}},"state":"open","open_interest":1000.0,'
            f'{funding}"mark_price":{scale.price((bid + ask) // 2)},"last_price":{last},'
            f'"instrument_name":"{self._symbol}","index_price":{index},'
            f'"estimated_delivery_price":{index},{self._best()}}}'
        )

    def _send_charts(self, now_ms: int) -> None:
        closed = dict(self._flow.bars.roll(now_ms))
        if self._traded:
            self._traded = False
            for interval in RESOLUTIONS:
                bar = closed.get(interval) or self._flow.bars.running(interval)
                if bar.trades:
                    self._send_chart(interval, bar)

    def _send_chart(self, interval: str, bar: Bar) -> None:
        """There is no word that a bar is over: the next one begins."""
        channel = f"chart.trades.{self._symbol}.{RESOLUTIONS[interval]}"
        if not self._wants(channel):
            return
        price = self._scale.price
        usd, base = self._usd_and_base(bar)
        self._publish(
            channel,
            f'{{"volume":{base},"tick":{bar.start_ms},"open":{price(bar.open)},'
            f'"low":{price(bar.low)},"high":{price(bar.high)},"cost":{usd},'
            f'"close":{price(bar.close)}}}',
        )
