"""What Bybit writes, as structs: subclasses of the normalised events, decoded in one pass.

Most data is one object deeper than the time of its event; a frame is a struct of its own that is
dropped when its data is taken out. Times are milliseconds.

Source: bybit §4, §5.
"""

# The stored type of a `spelled` field differs from the type that is read.
# pyright: reportIncompatibleVariableOverride=false, reportUnnecessaryTypeIgnoreComment=false

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Generic, Literal, TypeVar

import msgspec
from msgspec import field

from connector import events
from connector.events import Level, N_co, Number, Side
from connector.exchanges.numbers import Milliseconds
from connector.exchanges.spelling import NS_PER_MS, from_milliseconds, spelled

N = TypeVar("N", bound=Number)

_SIDES = MappingProxyType[str, Side]({"Buy": "buy", "Sell": "sell"})
_LIQUIDATES = MappingProxyType[str, Side]({"Buy": "sell", "Sell": "buy"})
"""``S`` of a liquidation is the side of the position: a long one is closed by selling."""


def side_of(trade: Any) -> Side:
    """The side of the taker."""
    return _SIDES[trade.wire_side]


def number_of_execution(trade: Any) -> int:
    """The id, which is a UUID or digits, as a number, of a UUID its first 63 bits: it says nothing
    about the order of trades.
    """
    digits: str = trade.wire_trade_id
    return int(digits) if digits.isdecimal() else int(digits.replace("-", "")[:16], 16) >> 1


@spelled(exchange_time_ns=from_milliseconds, side=side_of, trade_id=number_of_execution)
class Trade(events.Trade[N_co], gc=False, kw_only=True):
    """A row of ``publicTrade``."""

    symbol: str = field(name="s")
    exchange_time_ns: Milliseconds = field(name="T")
    price: N_co = field(name="p")
    quantity: N_co = field(name="v")
    side: Literal["Buy", "Sell"] = field(name="S")  # type: ignore[assignment]
    trade_id: str = field(name="i")  # type: ignore[assignment]
    off_book: bool = field(name="BT", default=False)


class Trades(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``publicTrade``."""

    data: list[Trade[N]]


@spelled(exchange_time_ns=from_milliseconds)
class BookSnapshot(events.BookSnapshot[N_co], gc=False, kw_only=True):
    """The ``data`` of a snapshot of ``orderbook``: it replaces the book."""

    symbol: str = field(name="s")
    exchange_time_ns: Milliseconds = field(name="--", default=0)
    """Beside the data."""
    bids: list[Level[N_co]] = field(name="b")
    asks: list[Level[N_co]] = field(name="a")
    update_id: int = field(name="u")


def _only_id(delta: Any) -> int:
    """Each delta has one id."""
    return delta.last_update_id  # type: ignore[no-any-return]


@spelled(exchange_time_ns=from_milliseconds, first_update_id=_only_id)
class BookDelta(events.BookDelta[N_co], gc=False, kw_only=True):
    """The ``data`` of a delta of ``orderbook``."""

    symbol: str = field(name="s")
    exchange_time_ns: Milliseconds = field(name="--", default=0)
    """Beside the data."""
    bids: list[Level[N_co]] = field(name="b")
    asks: list[Level[N_co]] = field(name="a")
    first_update_id: int = field(name="-", default=0)
    last_update_id: int = field(name="u")


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


class LiquidationRow(msgspec.Struct, Generic[N], gc=False):
    """A row of ``allLiquidation``."""

    time_ms: Milliseconds = field(name="T")
    symbol: str = field(name="s")
    position: Literal["Buy", "Sell"] = field(name="S")
    quantity: N = field(name="v")
    price: N = field(name="p")

    def event(self) -> events.Liquidation[N]:
        """The same as an order: of the other side, at the price of bankruptcy, wholly filled."""
        return events.Liquidation(
            symbol=self.symbol,
            side=_LIQUIDATES[self.position],
            price=self.price,
            average_price=self.price,
            quantity=self.quantity,
            filled_quantity=self.quantity,
            exchange_time_ns=self.time_ms * NS_PER_MS,
        )


class Liquidations(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``allLiquidation``."""

    data: list[LiquidationRow[N]]
