"""What Coinbase writes, as structs: subclasses of the normalised events where an event is a row.

Numbers are strings, times RFC 3339 with up to nine decimals. The time and the number of a message
are those of its envelope.

Source: coinbase A4, A5.
"""

# The stored type of a `spelled` field differs from the type that is read.
# pyright: reportIncompatibleVariableOverride=false, reportUnnecessaryTypeIgnoreComment=false

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import field

from connector import events
from connector.events import N_co, Number, Side
from connector.exchanges.numbers import LATEST_MS
from connector.exchanges.spelling import spelled

N = TypeVar("N", bound=Number)

Seconds: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=LATEST_MS // 1000)]
"""Since the epoch."""
TimeText: TypeAlias = Annotated[str, msgspec.Meta(max_length=40)]
"""``2026-09-07T23:37:22.278662782Z``, read when somebody looks: it has digits that a datetime has
not, and is wanted rarely."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # as the times that are compared with it


def nanoseconds(text: str) -> int | None:
    """The time in nanoseconds since the epoch; None if it is none, or before that."""
    seconds, _, digits = text.removesuffix("Z").partition(".")
    try:
        since = datetime.fromisoformat(seconds) - _EPOCH
        whole = since.days * 86_400 + since.seconds
        return whole * 10**9 + int(digits[:9].ljust(9, "0")) if whole >= 0 else None
    except (ValueError, TypeError):
        return None


def from_text(event: Any) -> int | None:
    """`Event.exchange_time_ns`."""
    return nanoseconds(event.wire_exchange_time_ns)


def _taker(trade: Any) -> Side:
    """``side`` is the maker's."""
    return "sell" if trade.wire_side == "BUY" else "buy"


@spelled(exchange_time_ns=from_text, side=_taker)
class Trade(events.Trade[N_co], gc=False, kw_only=True):
    """A row of ``market_trades``."""

    symbol: str = field(name="product_id")
    exchange_time_ns: TimeText = field(name="time")  # type: ignore[assignment]
    price: N_co
    quantity: N_co = field(name="size")
    side: Literal["BUY", "SELL"]  # type: ignore[assignment]
    trade_id: int
    history: bool = field(name="-", default=False)
    """Whether it is of the snapshot with which a subscription begins."""


class TradesEvent(msgspec.Struct, Generic[N], gc=False):
    """Trades: the latest ones, newest first, or new ones."""

    type: Literal["snapshot", "update"]
    trades: list[Trade[N]]


class TradesFrame(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``market_trades``."""

    events: list[TradesEvent[N]]


class NewTrades(msgspec.Struct, Generic[N], gc=False, tag_field="type", tag="update"):
    """New trades."""

    data: list[Trade[N]] = field(name="trades")


class NewTradesFrame(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``market_trades`` without the latest ones."""

    events: list[NewTrades[N]]


class BidRow(
    events.Level[N_co], array_like=False, frozen=True, gc=False, tag_field="side", tag="bid"
):
    """One price level; its ``event_time`` is not read: in a snapshot it is 1970."""

    price: N_co = field(name="price_level")
    quantity: N_co = field(name="new_quantity")


class OfferRow(
    events.Level[N_co], array_like=False, frozen=True, gc=False, tag_field="side", tag="offer"
):
    """The same of the other side."""

    price: N_co = field(name="price_level")
    quantity: N_co = field(name="new_quantity")


class BookEvent(msgspec.Struct, Generic[N], gc=False):
    """Levels of one product: all, or those that have changed, with 0 if they are gone."""

    type: Literal["snapshot", "update"]
    product_id: str
    updates: list[BidRow[N] | OfferRow[N]]


class BookFrame(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``l2_data``."""

    timestamp: TimeText
    events: list[BookEvent[N]]
    sequence_num: int = 0


@spelled(exchange_time_ns=from_text)
class BookSnapshot(events.BookSnapshot[N_co], gc=False, kw_only=True):
    """A whole book; its id is the number of the message on its connection."""

    exchange_time_ns: TimeText = ""  # type: ignore[assignment]


def _only_id(delta: Any) -> int:
    """The event has only one id."""
    return delta.last_update_id  # type: ignore[no-any-return]


@spelled(exchange_time_ns=from_text, first_update_id=_only_id)
class BookDelta(events.BookDelta[N_co], gc=False, kw_only=True):
    """Changes of a book; its ids are the number of the message on its connection."""

    exchange_time_ns: TimeText = field(name="timestamp")  # type: ignore[assignment]
    first_update_id: int = field(name="-", default=0)
    last_update_id: int = field(name="sequence_num")


class TickerRow(msgspec.Struct, Generic[N], gc=False):
    """A row of ``ticker``, or of ``ticker_batch``, which has no quote."""

    product_id: str
    price: N
    volume_24_h: N
    low_24_h: N
    high_24_h: N
    price_percent_chg_24_h: N


class TickersEvent(msgspec.Struct, Generic[N], gc=False):
    """Tickers."""

    tickers: list[TickerRow[N]]


class TickersFrame(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``ticker_batch``."""

    timestamp: TimeText
    events: list[TickersEvent[N]]


@spelled(exchange_time_ns=from_text)
class Quote(events.Quote[N_co], gc=False, kw_only=True):
    """The quote in a row of ``ticker``; its id is the number of the message on its connection."""

    exchange_time_ns: TimeText = ""  # type: ignore[assignment]


class QuoteRow(msgspec.Struct, Generic[N], gc=False):
    """A row of ``ticker``, as far as it is the quote."""

    product_id: str
    best_bid: N
    best_bid_quantity: N
    best_ask: N
    best_ask_quantity: N


class QuotesEvent(msgspec.Struct, Generic[N], gc=False):
    """Quotes."""

    tickers: list[QuoteRow[N]]


class QuotesFrame(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``ticker``."""

    timestamp: TimeText
    events: list[QuotesEvent[N]]
    sequence_num: int = 0


class CandleRow(msgspec.Struct, Generic[N], gc=False):
    """A row of ``candles``."""

    product_id: str
    start: Seconds
    open: N
    high: N
    low: N
    close: N
    volume: N


class CandlesEvent(msgspec.Struct, Generic[N], gc=False):
    """Candles: the latest ones, or the one that has changed."""

    candles: list[CandleRow[N]]


class CandlesFrame(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``candles``."""

    timestamp: TimeText
    events: list[CandlesEvent[N]]
