"""From a frame to events: one reader per channel, and how ids follow each other.

Source: okx §4, §5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec

from connector import events
from connector.book.digits import read_digits
from connector.exchanges.numbers import decoder
from connector.exchanges.offers import Reader
from connector.exchanges.okx import wire, written
from connector.exchanges.shortcuts import rows
from connector.exchanges.spelling import NS_PER_MS

_MINUTE_MS = 60_000
BAR_MS: Mapping[str, int] = MappingProxyType(
    {
        "1s": 1000, "1m": _MINUTE_MS, "3m": 3 * _MINUTE_MS, "5m": 5 * _MINUTE_MS,
        "15m": 15 * _MINUTE_MS, "30m": 30 * _MINUTE_MS, "1H": 60 * _MINUTE_MS,
        "2H": 120 * _MINUTE_MS, "4H": 240 * _MINUTE_MS, "6Hutc": 360 * _MINUTE_MS,
        "12Hutc": 720 * _MINUTE_MS, "1Dutc": 1440 * _MINUTE_MS, "1Wutc": 7 * 1440 * _MINUTE_MS,
    }
)  # fmt: skip
"""Bars that open on the grid of UTC; those from 6H on without ``utc`` open at UTC+8."""


def trades(numbers: Any, symbol: str) -> Reader:
    """``trades`` and ``trades-all``."""
    kind: Any = wire.Trades
    return rows(decoder(kind[numbers]))


def book(numbers: Any, symbol: str) -> Reader:
    """``books``: snapshots and changes."""
    snapshot: Any = wire.SnapshotFrame
    delta: Any = wire.DeltaFrame
    decode = decoder(snapshot[numbers], delta[numbers])
    read = rows(decode, named=symbol, alone=True, keeps_frame=True)
    return written.book(read, symbol) if numbers is Decimal else read


def digits(event: Any) -> tuple[list[bytes], list[bytes]] | None:
    """What the levels of a snapshot or delta contribute to its checksum, if it has one; None of a
    whole book that was fetched.
    """
    if event.digits is not None:
        found: tuple[list[bytes], list[bytes]] = event.digits
        return found
    try:
        return read_digits(event.frame, False) if event.checksum and event.frame else None
    except msgspec.DecodeError:
        return None  # of several books in one frame, which is not documented


def whole_book(numbers: Any, symbol: str) -> Reader:
    """``books5``."""
    kind: Any = wire.WholeBooks
    return rows(decoder(kind[numbers]), named=symbol, alone=True)


def fetched_book(numbers: Any, symbol: str) -> Callable[[bytes], events.BookSnapshot[Any]]:
    """The answer to a REST request."""
    read_books = whole_book(numbers, symbol)

    def read(body: bytes) -> events.BookSnapshot[Any]:
        found = read_books(body)
        book: events.BookSnapshot[Any] = found[0] if isinstance(found, list) else found
        return book

    return read


def quote(numbers: Any, symbol: str) -> Reader:
    """``bbo-tbt``: price and quantity of an empty side are 0."""
    read_books = whole_book(numbers, symbol)

    def read(frame: bytes) -> list[events.Quote[Any]]:
        found = read_books(frame)
        return [_quote(each) for each in (found if isinstance(found, list) else [found])]

    return read


def _quote(book: Any) -> events.Quote[Any]:
    bid = book.bids[0] if book.bids else None
    ask = book.asks[0] if book.asks else None
    return events.Quote(
        symbol=book.symbol,
        bid_price=bid.price if bid else 0,
        bid_quantity=bid.quantity if bid else 0,
        ask_price=ask.price if ask else 0,
        ask_quantity=ask.quantity if ask else 0,
        update_id=book.update_id,
        exchange_time_ns=book.exchange_time_ns,
    )


def ticker(numbers: Any, symbol: str) -> Reader:
    """``tickers``. The volume of a derivative is in contracts, its quote volume in the base."""
    kind: Any = wire.Tickers
    decode = decoder(kind[numbers])

    def read(frame: bytes) -> list[events.Ticker[Any]]:
        return [
            events.Ticker(
                symbol=row.inst_id,
                last=row.last,
                open=row.open24h,
                high=row.high24h,
                low=row.low24h,
                volume=row.vol24h,
                quote_volume=row.vol_ccy24h,
                price_change=row.last - row.open24h,
                price_change_percent=(
                    (row.last - row.open24h) * 100 / row.open24h if row.open24h else row.open24h
                ),
                exchange_time_ns=row.ts * NS_PER_MS,
            )
            for row in decode(frame).data
        ]

    return read


def mark_price(numbers: Any, symbol: str) -> Reader:
    """``mark-price``."""
    kind: Any = wire.MarkPrices
    decode = decoder(kind[numbers])

    def read(frame: bytes) -> list[events.MarkPrice[Any]]:
        return [
            events.MarkPrice(
                symbol=row.inst_id,
                mark_price=row.mark_px,
                index_price=None,
                funding_rate=None,
                exchange_time_ns=row.ts * NS_PER_MS,
            )
            for row in decode(frame).data
        ]

    return read


def candles_of(bar: str) -> Any:
    """Make the maker of readers of ``candle<bar>``. The number of trades is not sent: it is 0."""

    def make(numbers: Any, symbol: str) -> Reader:
        kind: Any = wire.Candles
        decode = decoder(kind[numbers])

        def read(frame: bytes) -> list[events.Candle[Any]]:
            return [
                events.Candle(
                    symbol=symbol,
                    interval=bar,
                    open_time_ns=row.ts * NS_PER_MS,
                    close_time_ns=(row.ts + BAR_MS[bar]) * NS_PER_MS - NS_PER_MS,
                    open=row.open,
                    high=row.high,
                    low=row.low,
                    close=row.close,
                    volume=row.volume,
                    quote_volume=row.quote_volume,
                    trades=0,
                    closed=row.confirm == "1",
                )
                for row in decode(frame).data
            ]

        return read

    return make


def liquidations(numbers: Any, symbol: str) -> Reader:
    """``liquidation-orders``: incomplete and without order, as OKX says itself."""
    kind: Any = wire.Liquidations
    decode = decoder(kind[numbers])

    def read(frame: bytes) -> list[events.Liquidation[Any]]:
        return [
            events.Liquidation(
                symbol=row.inst_id,
                side=each.side,
                price=each.bk_px,
                average_price=each.bk_px,
                quantity=each.sz,
                filled_quantity=each.sz,
                exchange_time_ns=each.ts * NS_PER_MS,
            )
            for row in decode(frame).data
            for each in row.details
        ]

    return read


def chained_book_ids(last_id: int, event: Any) -> int:
    """A snapshot begins anew; a change names the id before it, and ids may fall at a reset.

    Old frames have no ids: there, every event is taken to follow.
    """
    if isinstance(event, events.BookSnapshot):
        return max(event.update_id, 1)
    number: int = event.last_update_id
    if not number or not last_id or event.previous_update_id == last_id:
        return max(number, last_id if not number else 0, 1)
    return 0 if number == last_id else -max(number, 1)


def rising_ids(last_id: int, event: Any) -> int:
    """Whole books and quotes: the same id again is the same book, and harmless."""
    number: int = event.update_id
    return max(number, 1) if number >= last_id or not number else 0


def rising_trade_ids(last_id: int, trade: events.Trade[Any]) -> int:
    """Old trades are dropped. Missing trades cannot be detected."""
    return trade.trade_id if trade.trade_id > last_id else 0
