"""What Bitget writes, as structs: subclasses of the normalised events, decoded in one pass.

Rows have no symbol; the reader knows it. Numbers of the market are strings; ids and the time of a
frame are numbers. Classes called Classic are of v2.

Source: bitget §4, §5.
"""

# The stored type of a `spelled` field differs from the type that is read.
# pyright: reportIncompatibleVariableOverride=false, reportUnnecessaryTypeIgnoreComment=false

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

import msgspec
from msgspec import field

from connector import events
from connector.events import Level, N_co, Number, Side
from connector.exchanges.numbers import Milliseconds
from connector.exchanges.spelling import from_milliseconds, spelled

N = TypeVar("N", bound=Number)
Action = Literal["snapshot", "update"]


@spelled(exchange_time_ns=from_milliseconds)
class Trade(events.Trade[N_co], gc=False, kw_only=True):
    """A row of ``publicTrade``."""

    symbol: str = field(name="-", default="")
    exchange_time_ns: Milliseconds = field(name="T")
    price: N_co = field(name="p")
    quantity: N_co = field(name="v")
    side: Side = field(name="S")
    trade_id: int = field(name="i")


class Trades(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``publicTrade``, the newest first."""

    action: Action
    data: list[Trade[N]]


class NewTrades(msgspec.Struct, Generic[N], gc=False, tag_field="action", tag="update"):
    """The same, but for the snapshot with which it begins."""

    data: list[Trade[N]]


@spelled(exchange_time_ns=from_milliseconds)
class BookSnapshot(events.BookSnapshot[N_co], gc=False, kw_only=True):
    """A whole book, of any topic. Old recordings have no ids."""

    symbol: str = field(name="-", default="")
    bids: list[Level[N_co]] = field(name="b")
    asks: list[Level[N_co]] = field(name="a")
    exchange_time_ns: Milliseconds = field(name="ts")
    update_id: int = field(name="seq", default=0)


def _only_id(delta: Any) -> int:
    """The event has only one id."""
    return delta.last_update_id  # type: ignore[no-any-return]


@spelled(exchange_time_ns=from_milliseconds, first_update_id=_only_id)
class BookDelta(events.BookDelta[N_co], gc=False, kw_only=True):
    """Changes of ``books``."""

    symbol: str = field(name="-", default="")
    bids: list[Level[N_co]] = field(name="b")
    asks: list[Level[N_co]] = field(name="a")
    exchange_time_ns: Milliseconds = field(name="ts")
    first_update_id: int = field(name="-first", default=0)
    last_update_id: int = field(name="seq", default=0)
    previous_update_id: int | None = field(name="pseq", default=None)


class ClassicSnapshot(BookSnapshot[N_co], gc=False, kw_only=True):
    """`BookSnapshot` as v2 writes it."""

    bids: list[Level[N_co]] = field(name="bids")
    asks: list[Level[N_co]] = field(name="asks")


class ClassicDelta(BookDelta[N_co], gc=False, kw_only=True):
    """`BookDelta` as v2 writes it."""

    bids: list[Level[N_co]] = field(name="bids")
    asks: list[Level[N_co]] = field(name="asks")


class SnapshotFrame(msgspec.Struct, Generic[N], gc=False, tag_field="action", tag="snapshot"):
    """A frame with a whole book."""

    data: list[BookSnapshot[N]]


class DeltaFrame(msgspec.Struct, Generic[N], gc=False, tag_field="action", tag="update"):
    """A frame with changes."""

    data: list[BookDelta[N]]


class ClassicSnapshotFrame(
    msgspec.Struct, Generic[N], gc=False, tag_field="action", tag="snapshot"
):
    """`SnapshotFrame` of v2."""

    data: list[ClassicSnapshot[N]]


class ClassicDeltaFrame(msgspec.Struct, Generic[N], gc=False, tag_field="action", tag="update"):
    """`DeltaFrame` of v2."""

    data: list[ClassicDelta[N]]


class WholeBooks(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``books1``, ``books5`` or ``books50``."""

    data: list[BookSnapshot[N]]


class ClassicWholeBooks(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``books15`` of v2."""

    data: list[ClassicSnapshot[N]]


class TickerRow(msgspec.Struct, Generic[N], rename="camel", gc=False):
    """A row of ``ticker``."""

    last_price: N
    open_price24h: N = field(name="openPrice24h")
    high_price24h: N = field(name="highPrice24h")
    low_price24h: N = field(name="lowPrice24h")
    volume24h: N = field(name="volume24h")
    turnover24h: N = field(name="turnover24h")


class Tickers(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``ticker``."""

    data: list[TickerRow[N]]
    ts: Milliseconds


class MarkRow(msgspec.Struct, rename="camel", gc=False):
    """A row of ``ticker`` of futures, as far as its numbers may be empty: they are read later."""

    mark_price: str
    index_price: str = ""
    funding_rate: str = ""
    next_funding_time: str = ""


class MarkPrices(msgspec.Struct, gc=False):
    """A frame of ``ticker``."""

    data: list[MarkRow]
    ts: Milliseconds


class CandleRow(msgspec.Struct, Generic[N], gc=False):
    """A row of ``kline``."""

    start: Milliseconds
    open: N
    high: N
    low: N
    close: N
    volume: N
    turnover: N


class Candles(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``kline``, the oldest first."""

    action: Action
    data: list[CandleRow[N]]
    ts: Milliseconds = 0


class ClassicCandleRow(msgspec.Struct, Generic[N], array_like=True, gc=False):
    """A row of ``candle…`` of v2; the last column, in USDT, is not read."""

    start: Milliseconds
    open: N
    high: N
    low: N
    close: N
    volume: N
    turnover: N


class ClassicCandles(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``candle…`` of v2, the oldest first."""

    action: Action
    data: list[ClassicCandleRow[N]]
    ts: Milliseconds = 0


class LiquidationRow(msgspec.Struct, Generic[N], gc=False):
    """A row of ``liquidation``."""

    symbol: str
    side: Side
    price: N
    amount: N
    ts: Milliseconds


class Liquidations(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``liquidation``."""

    data: list[LiquidationRow[N]]
