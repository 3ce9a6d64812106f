"""Continuity of ids: a `SequenceRule` for each kind of stream.

Each rule returns the id to remember, 0 for an event to drop because it or a newer one has arrived,
or the negated id if events are missing before this one. The first event of a session follows id 0
and is always accepted.
"""

from __future__ import annotations

from typing import Any

from connector.events import BookDelta, BookSnapshot, Quote, Trade
from connector.exchanges.binance.wire import FuturesTrade


def dense_trade_ids(last_id: int, trade: Trade) -> int:
    """Trades have consecutive numbers. Source: binance_spot §5, binance_usdm §4 (measured)."""
    trade_id = trade.trade_id
    if trade_id == last_id + 1 or not last_id:
        return trade_id
    return 0 if trade_id <= last_id else -trade_id


def dense_ids_of_trades_and_blanks(last_id: int, trade: FuturesTrade[Any]) -> int:
    """As `dense_trade_ids`, except that some ids belong to no trade: `blank_id`."""
    trade_id = trade.trade_id
    if trade_id == last_id + 1 or not last_id:
        return trade_id if trade.quantity else 0
    if trade.previous_id == last_id:
        return trade_id
    return 0 if trade_id <= last_id else -trade_id


def blank_id(trade: FuturesTrade[Any]) -> int:
    """The id of a blank entry, which ``@trade`` of futures sends every few seconds between trades.

    It has price and quantity 0, and ``X`` "NA". It is not documented. Source:
    github.com/nkaz001/hftbacktest/issues/263, of 2025-08-26.
    """
    return 0 if trade.quantity else trade.trade_id or 1


def rising_quote_ids(last_id: int, quote: Quote) -> int:
    """A quote has the current id of the book, which rises with jumps.

    A repeated id is the same quote again; it is passed on, as for a book.
    """
    update_id = quote.update_id
    return update_id if update_id >= last_id else 0


def rising_book_ids(last_id: int, book: BookSnapshot) -> int:
    """Ids of partial books never fall; a repeated id is the same book again.

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
    # An overlapping event is accepted: its quantities are absolute.
    return last if delta.first_update_id <= last_id + 1 or not last_id else -last


def chained_delta_ids(last_id: int, delta: BookDelta) -> int:
    """Futures: ``pu`` is the previous ``u``; ids are not dense. Source: binance_usdm §5."""
    last = delta.last_update_id
    if delta.previous_update_id == last_id or not last_id:
        return last
    return 0 if last <= last_id else -last
