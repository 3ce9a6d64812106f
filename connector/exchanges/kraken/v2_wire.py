"""What Kraken's WebSocket v2 writes, as structs: subclasses of the events, decoded in one pass.

Numbers are JSON numbers, whose digits count: a checksum is made of them. Times are RFC 3339, of
which more than microseconds are rounded.

Source: kraken §3, §8b.
"""

# The stored type of a `spelled` field differs from the type that is read.
# pyright: reportIncompatibleVariableOverride=false, reportUnnecessaryTypeIgnoreComment=false

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import field

from connector import events
from connector.events import N_co, Number, Side
from connector.exchanges.spelling import NS_PER_US, spelled

N = TypeVar("N", bound=Number)

Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its zone."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def nanoseconds(moment: datetime) -> int:
    """`moment` as nanoseconds since the epoch."""
    return (moment - _EPOCH) // _MICROSECOND * NS_PER_US


def time_of(moment: datetime | None) -> int | None:
    """`Event.exchange_time_ns` of `moment`: a delisted market says 1970, which is no time."""
    return None if moment is None else nanoseconds(moment) or None


def from_moment(event: Any) -> int | None:
    """`Event.exchange_time_ns` of an exchange that writes times as text."""
    return time_of(event.wire_exchange_time_ns)


class Level(events.Level[N_co], array_like=False, frozen=True, gc=False):
    """A level of ``book``."""

    price: N_co
    quantity: N_co = field(name="qty")


@spelled(exchange_time_ns=from_moment)
class Trade(events.Trade[N_co], gc=False, kw_only=True):
    """A row of ``trade``."""

    exchange_time_ns: Moment = field(name="timestamp")  # type: ignore[assignment]
    price: N_co
    quantity: N_co = field(name="qty")
    side: Side
    trade_id: int


class Trades(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``trade``, whether a snapshot or an update."""

    data: list[Trade[N]]


@spelled(exchange_time_ns=from_moment)
class Quote(events.Quote[N_co], gc=False, kw_only=True):
    """A row of ``ticker``, as far as it is of the best quote. It has no id."""

    bid_price: N_co = field(name="bid")
    bid_quantity: N_co = field(name="bid_qty")
    ask_price: N_co = field(name="ask")
    ask_quantity: N_co = field(name="ask_qty")
    update_id: int = field(name="-", default=0)
    exchange_time_ns: Moment | None = field(name="timestamp", default=None)  # type: ignore[assignment]


class Quotes(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``ticker``."""

    data: list[Quote[N]]


@spelled(exchange_time_ns=from_moment)
class BookSnapshot(events.BookSnapshot[N_co], gc=False, kw_only=True):
    """The ``data`` of a snapshot of ``book``: it replaces the book."""

    bids: list[Level[N_co]]  # type: ignore[assignment]
    asks: list[Level[N_co]]  # type: ignore[assignment]
    update_id: int = field(name="-", default=0)
    checksum: int  # pyright: ignore[reportGeneralTypeIssues]  # there always is one
    exchange_time_ns: Moment | None = field(name="timestamp", default=None)  # type: ignore[assignment]
    frame: bytes = field(name="--", default=b"")
    """The frame it was decoded from: the checksum is made of its digits."""


@spelled(exchange_time_ns=from_moment)
class BookDelta(events.BookDelta[N_co], gc=False, kw_only=True):
    """The ``data`` of an update of ``book``. Changes have no ids."""

    bids: list[Level[N_co]]  # type: ignore[assignment]
    asks: list[Level[N_co]]  # type: ignore[assignment]
    first_update_id: int = field(name="-", default=0)
    last_update_id: int = field(name="---", default=0)
    checksum: int  # pyright: ignore[reportGeneralTypeIssues]  # there always is one
    exchange_time_ns: Moment | None = field(name="timestamp", default=None)  # type: ignore[assignment]
    frame: bytes = field(name="--", default=b"")
    """As that of a snapshot."""


class SnapshotFrame(msgspec.Struct, Generic[N], gc=False, tag_field="type", tag="snapshot"):
    """A frame of ``book`` with a whole book."""

    data: tuple[BookSnapshot[N]]


class DeltaFrame(msgspec.Struct, Generic[N], gc=False, tag_field="type", tag="update"):
    """A frame of ``book`` with changes."""

    data: tuple[BookDelta[N]]


class TickerRow(msgspec.Struct, Generic[N], gc=False):
    """A row of ``ticker``.

    Those of derivatives are not documented: what may be absent there has a default.
    """

    symbol: str
    last: N
    volume: N
    vwap: N | None = None
    low: N | None = None
    high: N | None = None
    change: N | None = None
    change_pct: N | None = None
    timestamp: Moment | None = None


class Tickers(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``ticker``."""

    data: list[TickerRow[N]]


class CandleRow(msgspec.Struct, Generic[N], gc=False):
    """A row of ``ohlc``."""

    symbol: str
    open: N
    high: N
    low: N
    close: N
    volume: N
    vwap: N
    trades: int
    interval_begin: Moment
    interval: int


class Candles(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``ohlc``."""

    data: list[CandleRow[N]]
    timestamp: Moment | None = None
