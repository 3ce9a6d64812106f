"""What Bybit writes, as structs: subclasses of the normalised events, decoded in one pass.

Most data is one object deeper than the time of its event; a frame is a struct of its own that is
dropped when its data is taken out. Times are milliseconds.

Source: bybit §4, §5.
"""

# The fields of an event are narrowed here (a Number to a float, a Level to its variant), which is
# sound because events are values: nobody assigns to them.
# pyright: reportIncompatibleVariableOverride=false, reportUnnecessaryTypeIgnoreComment=false
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from types import MappingProxyType
from typing import Generic, Literal, TypeVar

import msgspec
from msgspec import field

from connector import events
from connector.events import Number, Side
from connector.exchanges.numbers import Milliseconds

N = TypeVar("N", bound=Number)

NS_PER_MS = 1_000_000
_SIDES = MappingProxyType[str, Side]({"Buy": "buy", "Sell": "sell"})
_LIQUIDATES = MappingProxyType[str, Side]({"Buy": "sell", "Sell": "buy"})
"""``S`` of a liquidation is the side of the position: a long one is closed by selling."""


class Level(events.Level, Generic[N], array_like=True, frozen=True, gc=False):
    """``["16493.50", "0.006"]``."""

    price: N
    quantity: N


class _Trade(events.Trade, gc=False, kw_only=True):
    trade_id: int = field(name="-", default=0)


class Trade(_Trade, Generic[N], gc=False, kw_only=True):
    """A row of ``publicTrade``."""

    symbol: str = field(name="s")
    trade_time_ms: Milliseconds = field(name="T")
    price: N = field(name="p")
    quantity: N = field(name="v")
    taker: Literal["Buy", "Sell"] = field(name="S")
    execution_id: str = field(name="i")
    """A UUID, or digits."""
    block: bool = field(name="BT", default=False)

    @property
    def exchange_time_ns(self) -> int:
        return self.trade_time_ms * NS_PER_MS

    @property
    def side(self) -> Side:
        return _SIDES[self.taker]

    @property  # type: ignore[misc]
    def trade_id(self) -> int:  # type: ignore[override]
        """`execution_id` as a number, of a UUID its first 63 bits: it says nothing about the order
        of trades.
        """
        digits = self.execution_id
        return int(digits) if digits.isdecimal() else int(digits.replace("-", "")[:16], 16) >> 1

    @property
    def off_book(self) -> bool:
        return self.block


class Trades(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``publicTrade``."""

    data: list[Trade[N]]


class BookSnapshot(events.BookSnapshot, Generic[N], gc=False, kw_only=True):
    """The ``data`` of a snapshot of ``orderbook``: it replaces the book."""

    symbol: str = field(name="s")
    bids: list[Level[N]] = field(name="b")  # type: ignore[assignment]
    asks: list[Level[N]] = field(name="a")  # type: ignore[assignment]
    update_id: int = field(name="u")
    engine_time_ms: int = field(name="-", default=0)

    @property
    def exchange_time_ns(self) -> int:
        return self.engine_time_ms * NS_PER_MS


class _Delta(events.BookDelta, gc=False, kw_only=True):
    first_update_id: int = field(name="-", default=0)


class BookDelta(_Delta, Generic[N], gc=False, kw_only=True):
    """The ``data`` of a delta of ``orderbook``."""

    symbol: str = field(name="s")
    bids: list[Level[N]] = field(name="b")  # type: ignore[assignment]
    asks: list[Level[N]] = field(name="a")  # type: ignore[assignment]
    last_update_id: int = field(name="u")
    engine_time_ms: int = field(name="--", default=0)

    @property
    def exchange_time_ns(self) -> int:
        return self.engine_time_ms * NS_PER_MS

    @property  # type: ignore[misc]
    def first_update_id(self) -> int:  # type: ignore[override]
        """Each delta has one id."""
        return self.last_update_id


class SnapshotFrame(msgspec.Struct, Generic[N], gc=False, tag_field="type", tag="snapshot"):
    """A frame of ``orderbook`` with a whole book."""

    data: BookSnapshot[N]
    ts: Milliseconds
    cts: Milliseconds | None = None
    """When the engine made it; absent in frames of 2023."""


class DeltaFrame(msgspec.Struct, Generic[N], gc=False, tag_field="type", tag="delta"):
    """A frame of ``orderbook`` with changes."""

    data: BookDelta[N]
    ts: Milliseconds
    cts: Milliseconds | None = None


class Quote(events.Quote, gc=False, kw_only=True):
    """``orderbook.1``, flat."""

    engine_time_ms: int

    @property
    def exchange_time_ns(self) -> int:
        return self.engine_time_ms * NS_PER_MS


class TickerData(msgspec.Struct, rename="camel", gc=False):
    """The ``data`` of ``tickers``, as far as it is read; what is absent has not changed.

    Numbers may be empty strings (the funding of what expires), so they are read later.
    """

    symbol: str
    last_price: str | None = None
    prev_price24h: str | None = field(name="prevPrice24h", default=None)
    high_price24h: str | None = field(name="highPrice24h", default=None)
    low_price24h: str | None = field(name="lowPrice24h", default=None)
    volume24h: str | None = field(name="volume24h", default=None)
    turnover24h: str | None = field(name="turnover24h", default=None)
    price24h_pcnt: str | None = field(name="price24hPcnt", default=None)
    mark_price: str | None = None
    index_price: str | None = None
    funding_rate: str | None = None
    next_funding_time: str | None = None


class TickerFrame(msgspec.Struct, gc=False):
    """A frame of ``tickers``."""

    data: TickerData
    type: Literal["snapshot", "delta"]
    ts: Milliseconds = 0
    """Absent in some snapshots of 2023."""


class Ticker(events.Ticker, gc=False, kw_only=True):
    """``tickers``, complete."""

    event_time_ms: int

    @property
    def exchange_time_ns(self) -> int | None:
        return self.event_time_ms * NS_PER_MS or None


class MarkPrice(events.MarkPrice, gc=False, kw_only=True):
    """What ``tickers`` says of mark price and funding, complete."""

    event_time_ms: int
    next_funding_ms: int | None

    @property
    def exchange_time_ns(self) -> int | None:
        return self.event_time_ms * NS_PER_MS or None

    @property
    def next_funding_time_ns(self) -> int | None:
        return self.next_funding_ms * NS_PER_MS if self.next_funding_ms else None


class CandleRow(msgspec.Struct, Generic[N], gc=False):
    """A row of ``kline``."""

    start: Milliseconds
    end: Milliseconds
    interval: str
    open: N
    high: N
    low: N
    close: N
    volume: N
    turnover: N
    confirm: bool
    timestamp: Milliseconds
    """Of the last trade in it."""


class Candles(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``kline``."""

    data: list[CandleRow[N]]
    ts: Milliseconds


class Candle(events.Candle, gc=False, kw_only=True):
    """``kline``, flat."""

    event_time_ms: int

    @property
    def exchange_time_ns(self) -> int:
        return self.event_time_ms * NS_PER_MS


class LiquidationRow(msgspec.Struct, Generic[N], gc=False):
    """A row of ``allLiquidation``."""

    time_ms: Milliseconds = field(name="T")
    symbol: str = field(name="s")
    position: Literal["Buy", "Sell"] = field(name="S")
    quantity: N = field(name="v")
    price: N = field(name="p")

    def event(self) -> Liquidation:
        """The same as an order: of the other side, at the price of bankruptcy, wholly filled."""
        return Liquidation(
            symbol=self.symbol,
            side=_LIQUIDATES[self.position],
            price=self.price,
            average_price=self.price,
            quantity=self.quantity,
            filled_quantity=self.quantity,
            event_time_ms=self.time_ms,
        )


class Liquidations(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``allLiquidation``."""

    data: list[LiquidationRow[N]]


class Liquidation(events.Liquidation, gc=False, kw_only=True):
    """A liquidation with its time."""

    event_time_ms: int

    @property
    def exchange_time_ns(self) -> int:
        return self.event_time_ms * NS_PER_MS
