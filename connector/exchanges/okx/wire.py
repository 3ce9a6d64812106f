"""What OKX writes, as structs: subclasses of the normalised events, decoded in one pass.

Sizes of derivatives are contracts. Rows of a book have no symbol; the reader knows it.

Source: okx §4, §5.
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


@spelled(exchange_time_ns=from_milliseconds)
class Trade(events.Trade[N_co], gc=False, kw_only=True):
    """A row of ``trades-all``, or of ``trades``, where `trade_id` is the last of `count`."""

    symbol: str = field(name="instId")
    exchange_time_ns: Milliseconds = field(name="ts")
    price: N_co = field(name="px")
    quantity: N_co = field(name="sz")
    side: Side
    trade_id: int = field(name="tradeId")
    count: int = 1


class Trades(msgspec.Struct, Generic[N], gc=False):
    """A frame of trades."""

    data: list[Trade[N]]


@spelled(exchange_time_ns=from_milliseconds)
class BookSnapshot(events.BookSnapshot[N_co], gc=False, kw_only=True):
    """A whole book: of ``books``, or of ``books5``. Behind price and size a row has more."""

    symbol: str = field(name="instId", default="")
    bids: list[Level[N_co]]
    asks: list[Level[N_co]]
    exchange_time_ns: Milliseconds = field(name="ts")
    update_id: int = field(name="seqId", default=0)
    checksum: int | None = None
    frame: bytes = field(name="--", default=b"")
    """What it was decoded from, if a checksum may be made of its digits."""
    digits: Any = field(name="---", default=None)
    """Those of its levels, if they are known already."""


def _only_id(delta: Any) -> int:
    """The event has only one id."""
    return delta.last_update_id  # type: ignore[no-any-return]


@spelled(exchange_time_ns=from_milliseconds, first_update_id=_only_id)
class BookDelta(events.BookDelta[N_co], gc=False, kw_only=True):
    """Changes of ``books``; without any it is a heartbeat."""

    symbol: str = field(name="instId", default="")
    bids: list[Level[N_co]]
    asks: list[Level[N_co]]
    exchange_time_ns: Milliseconds = field(name="ts")
    first_update_id: int = field(name="-", default=0)
    last_update_id: int = field(name="seqId", default=0)
    previous_update_id: int | None = field(name="prevSeqId", default=None)
    checksum: int | None = None
    frame: bytes = field(name="--", default=b"")
    """As that of a snapshot."""
    digits: Any = field(name="---", default=None)
    """As those of a snapshot."""


class SnapshotFrame(msgspec.Struct, Generic[N], gc=False, tag_field="action", tag="snapshot"):
    """A frame of ``books`` with a whole book."""

    data: list[BookSnapshot[N]]


class DeltaFrame(msgspec.Struct, Generic[N], gc=False, tag_field="action", tag="update"):
    """A frame of ``books`` with changes."""

    data: list[BookDelta[N]]


class WholeBooks(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``books5``, ``bbo-tbt``, or the answer to a REST request."""

    data: list[BookSnapshot[N]]


class TickerRow(msgspec.Struct, Generic[N], rename="camel", gc=False):
    """A row of ``tickers``."""

    inst_id: str
    last: N
    open24h: N = field(name="open24h")
    high24h: N = field(name="high24h")
    low24h: N = field(name="low24h")
    vol24h: N = field(name="vol24h")
    vol_ccy24h: N = field(name="volCcy24h")
    ts: Milliseconds


class Tickers(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``tickers``."""

    data: list[TickerRow[N]]


class MarkRow(msgspec.Struct, Generic[N], rename="camel", gc=False):
    """A row of ``mark-price``."""

    inst_id: str
    mark_px: N
    ts: Milliseconds


class MarkPrices(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``mark-price``."""

    data: list[MarkRow[N]]


class CandleRow(msgspec.Struct, Generic[N], array_like=True, gc=False):
    """A row of ``candle…``."""

    ts: Milliseconds
    open: N
    high: N
    low: N
    close: N
    volume: N
    volume_ccy: N
    quote_volume: N
    confirm: Literal["0", "1"]


class Candles(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``candle…``."""

    data: list[CandleRow[N]]


class LiquidationDetail(msgspec.Struct, Generic[N], rename="camel", gc=False):
    """One liquidation in a row."""

    side: Literal["buy", "sell"]
    bk_px: N
    sz: N
    ts: Milliseconds


class LiquidationRow(msgspec.Struct, Generic[N], rename="camel", gc=False):
    """A row of ``liquidation-orders``."""

    inst_id: str
    details: list[LiquidationDetail[N]]


class Liquidations(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``liquidation-orders``."""

    data: list[LiquidationRow[N]]
