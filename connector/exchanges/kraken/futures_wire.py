"""What Kraken's futures (WebSocket v1) write, as structs: subclasses of the events.

A change of a book is one level, which is stored as it is written and becomes a list when somebody
looks. Times are milliseconds, numbers are JSON numbers.

Source: kraken_futures_v1.
"""

# The stored type of a `spelled` field differs from the type that is read.
# pyright: reportIncompatibleVariableOverride=false, reportUnnecessaryTypeIgnoreComment=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import field

from connector import events
from connector.events import N_co, Number, Side
from connector.exchanges.numbers import Milliseconds
from connector.exchanges.spelling import from_milliseconds, spelled

N = TypeVar("N", bound=Number)


class Level(events.Level[N_co], array_like=False, frozen=True, gc=False):
    """A level of a snapshot."""

    price: N_co
    quantity: N_co = field(name="qty")


def _is_off_book(trade: Any) -> bool:
    return trade.wire_off_book not in ("fill", "liquidation")


@spelled(exchange_time_ns=from_milliseconds, off_book=_is_off_book)
class Trade(events.Trade[N_co], gc=False, kw_only=True):
    """A message of ``trade``: a fill, a liquidation, a block trade, or a termination."""

    symbol: str = field(name="product_id")
    exchange_time_ns: Milliseconds = field(name="time")
    price: N_co
    quantity: N_co = field(name="qty")
    side: Side
    trade_id: int = field(name="seq")
    off_book: str = field(name="type", default="fill")  # type: ignore[assignment]


class TradeFrame(Trade[N_co], gc=False, kw_only=True, tag_field="feed", tag="trade"):
    """The same as a frame."""


class TradeHistory(msgspec.Struct, Generic[N], gc=False, tag_field="feed", tag="trade_snapshot"):
    """A frame of ``trade_snapshot``: what was traded before, the newest first."""

    trades: list[Trade[N]]


def _levels_there(name: str) -> Callable[[Any], list[Level[Any]]]:
    """The levels of a side without those of quantity 0, which occur in snapshots."""
    stored = f"wire_{name}"

    def read(snapshot: Any) -> list[Level[Any]]:
        return [level for level in getattr(snapshot, stored) if level.quantity]

    return read


@spelled(exchange_time_ns=from_milliseconds, bids=_levels_there("bids"), asks=_levels_there("asks"))
class BookSnapshot(
    events.BookSnapshot[N_co], gc=False, kw_only=True, tag_field="feed", tag="book_snapshot"
):
    """A frame of ``book_snapshot``: it replaces the book."""

    symbol: str = field(name="product_id")
    bids: list[Level[N_co]]  # type: ignore[assignment]
    asks: list[Level[N_co]]  # type: ignore[assignment]
    update_id: int = field(name="seq")
    exchange_time_ns: Milliseconds = field(name="timestamp")


def _bids(delta: Any) -> list[events.Level[Any]]:
    """``side`` is in the place of the first id, price and quantity in those of the levels."""
    if delta.wire_first_update_id != "buy":
        return []
    return [events.Level(delta.wire_bids, delta.wire_asks)]


def _asks(delta: Any) -> list[events.Level[Any]]:
    if delta.wire_first_update_id != "sell":
        return []
    return [events.Level(delta.wire_bids, delta.wire_asks)]


def _only_id(delta: Any) -> int:
    return delta.last_update_id  # type: ignore[no-any-return]


@spelled(exchange_time_ns=from_milliseconds, bids=_bids, asks=_asks, first_update_id=_only_id)
class BookDelta(events.BookDelta[N_co], gc=False, kw_only=True, tag_field="feed", tag="book"):
    """A frame of ``book``: one level of one side."""

    symbol: str = field(name="product_id")
    first_update_id: Side = field(name="side")  # type: ignore[assignment]
    bids: N_co = field(name="price")  # type: ignore[assignment]
    asks: N_co = field(name="qty")  # type: ignore[assignment]
    last_update_id: int = field(name="seq")
    exchange_time_ns: Milliseconds = field(name="timestamp")


class Ticker(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``ticker``."""

    product_id: str
    time: Milliseconds
    last: N
    volume: N
    change: N
    """In percent of the price 24 hours ago."""
    mark_price: N = field(name="markPrice")
    index: N | None = None
    funding_rate: N | None = field(name="relative_funding_rate", default=None)
    """Of an hour, as a fraction. The absolute one, ``funding_rate``, is an amount per contract."""
    next_funding_time: Milliseconds = field(name="next_funding_rate_time", default=0)
    volume_quote: N | None = field(name="volumeQuote", default=None)
    open: N | None = None
    high: N | None = None
    low: N | None = None
    """These four are absent in frames of 2021."""
