"""What Deribit writes, as structs: subclasses of the normalised events, decoded in one pass.

The payload is the ``data`` of a notification. Numbers are JSON numbers, times are milliseconds.

Source: deribit §5.
"""

# The stored type of a `spelled` field differs from the type that is read.
# pyright: reportIncompatibleVariableOverride=false, reportUnnecessaryTypeIgnoreComment=false

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec
from msgspec import field

from connector import events
from connector.events import Level, N_co, Number, Side
from connector.exchanges.numbers import Milliseconds
from connector.exchanges.spelling import from_milliseconds, spelled

N = TypeVar("N", bound=Number)


def _is_off_book(trade: Any) -> bool:
    """Whether it was a block trade, or the leg of a combo that traded in the combo's own book."""
    ids = (trade.block_trade_id, trade.block_rfq_id, trade.combo_trade_id)
    return ids != (None, None, None)


@spelled(exchange_time_ns=from_milliseconds, off_book=_is_off_book)
class Trade(events.Trade[N_co], gc=False, kw_only=True):
    """An element of ``trades``. `trade_id` is ``trade_seq``, which has no holes."""

    symbol: str = field(name="instrument_name")
    exchange_time_ns: Milliseconds = field(name="timestamp")
    price: N_co
    quantity: N_co = field(name="amount")
    side: Side = field(name="direction")
    trade_id: int = field(name="trade_seq")
    off_book: bool = field(name="-", default=False)
    exchange_trade_id: str = field(name="trade_id")
    """Such as ``403691824`` or ``ETH-34066``: unique among the trades of a currency."""
    liquidation: str | None = None
    """Whose side was liquidated: "M" the maker's, "T" the taker's, "MT" both."""
    block_trade_id: str | None = None
    block_rfq_id: int | str | None = None
    combo_trade_id: str | int | None = None


class New(Level[N_co], frozen=True, gc=False, tag="new"):
    """``["new", price, amount]``: a level that was not there."""


class Change(Level[N_co], frozen=True, gc=False, tag="change"):
    """``["change", price, amount]``: a level with another amount."""


class Delete(Level[N_co], frozen=True, gc=False, tag="delete"):
    """``["delete", price, 0]``: a level that is gone, whatever amount it is told with."""


# Not `spelled`, which is for events: the same for a level.
Delete.quantity = property(lambda level: level.price * 0)  # type: ignore[misc]


@spelled(exchange_time_ns=from_milliseconds)
class BookSnapshot(
    events.BookSnapshot[N_co], gc=False, kw_only=True, tag_field="type", tag="snapshot"
):
    """The first message of ``book.{instrument}.{interval}``."""

    symbol: str = field(name="instrument_name")
    bids: list[New[N_co] | Change[N_co]]  # type: ignore[assignment]
    asks: list[New[N_co] | Change[N_co]]  # type: ignore[assignment]
    exchange_time_ns: Milliseconds = field(name="timestamp")
    update_id: int = field(name="change_id")


def _only_id(delta: Any) -> int:
    """The event has only one id."""
    return delta.last_update_id  # type: ignore[no-any-return]


@spelled(exchange_time_ns=from_milliseconds, first_update_id=_only_id)
class BookDelta(events.BookDelta[N_co], gc=False, kw_only=True, tag_field="type", tag="change"):
    """The other messages of ``book.{instrument}.{interval}``."""

    symbol: str = field(name="instrument_name")
    bids: list[New[N_co] | Change[N_co] | Delete[N_co]]  # type: ignore[assignment]
    asks: list[New[N_co] | Change[N_co] | Delete[N_co]]  # type: ignore[assignment]
    exchange_time_ns: Milliseconds = field(name="timestamp")
    first_update_id: int = field(name="-", default=0)
    last_update_id: int = field(name="change_id")
    previous_update_id: int = field(name="prev_change_id")


@spelled(exchange_time_ns=from_milliseconds)
class WholeBook(events.BookSnapshot[N_co], gc=False, kw_only=True):
    """``book.{instrument}.{group}.{depth}.{interval}``: complete each time."""

    symbol: str = field(name="instrument_name")
    exchange_time_ns: Milliseconds = field(name="timestamp")
    update_id: int = field(name="change_id")


@spelled(exchange_time_ns=from_milliseconds)
class Quote(events.Quote[N_co], gc=False, kw_only=True):
    """``quote``, which has no id."""

    symbol: str = field(name="instrument_name")
    bid_price: N_co = field(name="best_bid_price")
    bid_quantity: N_co = field(name="best_bid_amount")
    ask_price: N_co = field(name="best_ask_price")
    ask_quantity: N_co = field(name="best_ask_amount")
    exchange_time_ns: Milliseconds = field(name="timestamp")
    update_id: int = field(name="-", default=0)


class HalfQuote(msgspec.Struct, Generic[N], gc=False):
    """``quote`` of a book with an empty side, if that is told as null."""

    instrument_name: str
    timestamp: Milliseconds
    best_bid_price: N | None
    best_bid_amount: N | None
    best_ask_price: N | None
    best_ask_amount: N | None


class Day(msgspec.Struct, Generic[N], gc=False):
    """The ``stats`` of a ticker: null when nothing was traded for a day."""

    high: N | None = None
    low: N | None = None
    price_change: N | None = None
    """In percent."""
    volume: N | None = None
    volume_usd: N | None = None
    volume_notional: N | None = None


class TickerRow(msgspec.Struct, Generic[N], gc=False):
    """``ticker``, as far as it is read."""

    instrument_name: str
    timestamp: Milliseconds
    stats: Day[N]
    last_price: N | None = None
    mark_price: N | None = None
    index_price: N | None = None
    current_funding: N | None = None


class CandleRow(msgspec.Struct, Generic[N], gc=False):
    """``chart.trades``."""

    tick: Milliseconds
    open: N
    high: N
    low: N
    close: N
    volume: N
    cost: N
