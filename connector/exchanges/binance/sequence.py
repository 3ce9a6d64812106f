"""Continuity of ids: what must follow what, per kind of stream (`SequenceRule`).

Each rule answers the id to remember, 0 for an event to be dropped because it (or newer) was seen,
or the negated id when events are missing before it. The first event of a session follows 0, which
nothing precedes, so it is always taken.
"""

from __future__ import annotations

from typing import Any

from connector.events import BookDelta, BookSnapshot, Quote, Trade
from connector.exchanges.binance.wire import FuturesTrade


def dense_trade_ids(last_id: int, trade: Trade) -> int:
    """Trades are numbered without holes. Source: binance_spot §5, binance_usdm §4 (measured)."""
    trade_id = trade.trade_id
    if trade_id == last_id + 1 or not last_id:
        return trade_id
    return 0 if trade_id <= last_id else -trade_id


def dense_ids_of_trades_and_blanks(last_id: int, trade: FuturesTrade[Any]) -> int:
    """As `dense_trade_ids`, but that some ids are of nothing: `blank_id`."""
    trade_id = trade.trade_id
    if trade_id == last_id + 1 or not last_id:
        return trade_id if trade.quantity else 0
    if trade.previous_id == last_id:
        return trade_id
    return 0 if trade_id <= last_id else -trade_id


def blank_id(trade: FuturesTrade[Any]) -> int:
    """The id of what ``@trade`` of futures sends between trades, every few seconds: price and
    quantity 0, ``X`` "NA".

    It is not documented. Source: github.com/nkaz001/hftbacktest/issues/263, of 2025-08-26.
    """
    return 0 if trade.quantity else trade.trade_id or 1


def rising_quote_ids(last_id: int, quote: Quote) -> int:
    """A quote's id is the book's at that moment: it rises, and jumps are normal.

    The same id again is the same quote, which is as true as it was: passed on, as for a book.
    """
    update_id = quote.update_id
    return update_id if update_id >= last_id else 0


def rising_book_ids(last_id: int, book: BookSnapshot) -> int:
    """A partial book never goes back; the same id again is the same book, and harmless.

    Whether the exchange repeats an unchanged book is not documented. A repetition is proof that
    the stream is alive, so it is passed on.
    """
    update_id = book.update_id
    return update_id if update_id >= last_id else 0


def dense_delta_ids(last_id: int, delta: BookDelta) -> int:
    """Spot: ids are dense, ``U`` is the previous ``u + 1``. Source: binance_spot §6."""
    last = delta.last_update_id
    if last <= last_id:
        return 0
    # An event that overlaps what was seen brings the rest: quantities are absolute.
    return last if delta.first_update_id <= last_id + 1 or not last_id else -last


def chained_delta_ids(last_id: int, delta: BookDelta) -> int:
    """Futures: ``pu`` is the previous ``u``; ids are not dense. Source: binance_usdm §5."""
    last = delta.last_update_id
    if delta.previous_update_id == last_id or not last_id:
        return last
    return 0 if last <= last_id else -last
