"""From a frame to events: one reader per kind of topic, and what a change makes of the last event.

Source: bybit §4, §5.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import msgspec

from connector import events
from connector.exchanges.bybit import wire
from connector.exchanges.numbers import decoder
from connector.exchanges.offers import Reader
from connector.exchanges.parameters import NumberType
from connector.exchanges.protocol import Fold
from connector.exchanges.shortcuts import rows, timed
from connector.exchanges.spelling import NS_PER_MS

T = TypeVar("T")


def trades(numbers: Any, symbol: str) -> Reader:
    """``publicTrade``: up to 1,024 in a frame."""
    kind: Any = wire.Trades
    return rows(decoder(kind[numbers]))


def book(numbers: Any, symbol: str) -> Reader:
    """``orderbook``: a snapshot or a delta."""
    snapshot: Any = wire.SnapshotFrame
    delta: Any = wire.DeltaFrame
    return timed(decoder(snapshot[numbers], delta[numbers]), "cts", "ts")


def best_quote(numbers: NumberType) -> Fold:
    """``orderbook.1``: whole each time; in frames of 2023 also what has changed."""
    nothing: Any = (numbers(0), numbers(0))

    def fold(last: events.Quote[Any] | None, book: Any) -> list[events.Quote[Any]]:
        if isinstance(book, events.BookSnapshot):
            bid = _first(book.bids, nothing)
            ask = _first(book.asks, nothing)
        elif last is None:
            return []
        else:
            bid = _changed(book.bids, (last.bid_price, last.bid_quantity), nothing)
            ask = _changed(book.asks, (last.ask_price, last.ask_quantity), nothing)
        return [
            events.Quote(
                symbol=book.symbol,
                bid_price=bid[0],
                bid_quantity=bid[1],
                ask_price=ask[0],
                ask_quantity=ask[1],
                update_id=_id_of(book),
                exchange_time_ns=book.exchange_time_ns,
            )
        ]

    return fold


def _id_of(book: Any) -> int:
    number: int = book.update_id if isinstance(book, events.BookSnapshot) else book.last_update_id
    return number


def _first(levels: list[events.Level[Any]], nothing: T) -> T:
    """The best of one side; price and quantity 0 if it is empty."""
    return cast("T", (levels[0].price, levels[0].quantity)) if levels else nothing


def _changed(levels: list[events.Level[Any]], last: T, nothing: T) -> T:
    """The best of one side, of which `levels` have changed: at most one can be there."""
    there = [each for each in levels if each.quantity]
    if there:
        return _first(there, nothing)
    return nothing if levels else last


def ticker(numbers: Any, symbol: str) -> Reader:
    """``tickers``: everything, or what has changed."""
    decode = msgspec.json.Decoder(wire.TickerFrame).decode

    def read(frame: bytes) -> wire.TickerFrame:
        said = decode(frame)
        data = said.data
        for text in (
            data.last_price, data.prev_price24h, data.high_price24h, data.low_price24h,
            data.volume24h, data.turnover24h, data.price24h_pcnt, data.mark_price,
            data.index_price, data.funding_rate, data.next_funding_time,
        ):  # fmt: skip
            _check(text)
        if said.type == "snapshot" and not data.last_price:
            raise msgspec.ValidationError("a snapshot without a last price")
        return said

    return read


def _check(text: str | None) -> None:
    """Refuse what is no number; an empty text stands for none.

    Raises:
        msgspec.ValidationError: it is no finite number.
    """
    try:
        finite = not text or abs(float(text)) < float("inf")
    except ValueError:
        finite = False
    if not finite:
        raise msgspec.ValidationError(f"{text!r} is no number")


def whole_ticker(numbers: NumberType) -> Fold:
    """The statistics of 24 hours out of what has changed in them."""

    def fold(last: events.Ticker[Any] | None, said: wire.TickerFrame) -> list[events.Ticker[Any]]:
        if said.type == "delta" and last is None:
            return []
        data, before = said.data, last if said.type == "delta" else None

        def pick(text: str | None, known: Any) -> Any:
            return numbers(text) if text else numbers(0) if known is None else known

        price = pick(data.last_price, before and before.last)
        opened = pick(data.prev_price24h, before and before.open)
        share = before and before.price_change_percent
        return [
            events.Ticker(
                symbol=data.symbol,
                last=price,
                open=opened,
                high=pick(data.high_price24h, before and before.high),
                low=pick(data.low_price24h, before and before.low),
                volume=pick(data.volume24h, before and before.volume),
                quote_volume=pick(data.turnover24h, before and before.quote_volume),
                price_change=price - opened,
                price_change_percent=(
                    numbers(data.price24h_pcnt) * 100 if data.price24h_pcnt else pick(None, share)
                ),
                exchange_time_ns=said.ts * NS_PER_MS or None,
            )
        ]

    return fold


def mark_price(numbers: NumberType) -> Fold:
    """Mark price and funding out of what has changed in the ticker; nothing if they have not."""

    def fold(
        last: events.MarkPrice[Any] | None, said: wire.TickerFrame
    ) -> list[events.MarkPrice[Any]]:
        data = said.data
        told = data.mark_price, data.index_price, data.funding_rate, data.next_funding_time
        whole = said.type == "snapshot"
        if not (whole and data.mark_price) and (last is None or told == (None,) * 4):
            return []
        before = None if whole else last

        def pick(text: str | None, known: Any) -> Any:
            return known if text is None else numbers(text) if text else None

        known_ns = None if before is None else before.next_funding_time_ns
        funding = data.next_funding_time
        return [
            events.MarkPrice(
                symbol=data.symbol,
                mark_price=pick(data.mark_price or None, before and before.mark_price),
                index_price=pick(data.index_price, before and before.index_price),
                funding_rate=pick(data.funding_rate, before and before.funding_rate),
                next_funding_time_ns=(
                    known_ns if funding is None else int(float(funding or 0)) * NS_PER_MS or None
                ),
                exchange_time_ns=said.ts * NS_PER_MS or None,
            )
        ]

    return fold


def candles(numbers: Any, symbol: str) -> Reader:
    """``kline``. The number of trades is not sent: it is 0."""
    kind: Any = wire.Candles
    decode = decoder(kind[numbers])

    def read(frame: bytes) -> list[events.Candle[Any]]:
        said = decode(frame)
        return [
            events.Candle(
                symbol=symbol,
                interval=row.interval,
                open_time_ns=row.start * NS_PER_MS,
                close_time_ns=row.end * NS_PER_MS,
                open=row.open,
                high=row.high,
                low=row.low,
                close=row.close,
                volume=row.volume,
                quote_volume=row.turnover,
                trades=0,
                closed=row.confirm,
                exchange_time_ns=said.ts * NS_PER_MS or None,
            )
            for row in said.data
        ]

    return read


def liquidations(numbers: Any, symbol: str) -> Reader:
    """``allLiquidation``."""
    kind: Any = wire.Liquidations
    decode = decoder(kind[numbers])

    def read(frame: bytes) -> list[events.Liquidation[Any]]:
        return [row.event() for row in decode(frame).data]

    return read


def dense_book_ids(last_id: int, event: Any) -> int:
    """A snapshot begins anew, at any time; a delta has the last id + 1.

    The documentation demands it for one topic only; measured on 100,000 deltas of the others it
    was so without exception.
    """
    if isinstance(event, events.BookSnapshot):
        return max(event.update_id, 1)
    number: int = event.last_update_id
    if number == last_id + 1 or not last_id:
        return number
    return 0 if number <= last_id else -number


def rising_quote_ids(last_id: int, quote: events.Quote) -> int:
    """A quote is sent again after 3 s with its id; 1 is that of an exchange that began anew."""
    number = quote.update_id
    return number if number >= last_id or number == 1 else 0
