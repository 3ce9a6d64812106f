"""From a frame to events: one reader per subscription, and what is delivered of a history.

Source: hyperliquid §5.
"""

from __future__ import annotations

from typing import Any

import msgspec

from connector import events
from connector.exchanges.hyperliquid import wire
from connector.exchanges.numbers import decoder
from connector.exchanges.offers import Reader
from connector.exchanges.parameters import NumberType
from connector.exchanges.protocol import Fold
from connector.exchanges.shortcuts import in_order, once, rows
from connector.exchanges.spelling import NS_PER_MS
from connector.exchanges.usual_json import usual_decoder


def trades(numbers: Any, symbol: str) -> Reader:
    """``trades``, in the order of their times: the first message has those of before."""
    kind: Any = wire.Trades
    decode = usual_decoder(kind[numbers], strict=False, otherwise=decoder(kind[numbers]))
    # Of several coins `frames.parse` takes them apart.
    return rows(decode, of=symbol, arrange=in_order("wire_exchange_time_ns"))


def each_once(_: NumberType) -> Fold:
    """Trades that were not delivered before: later ones, or of the same time with another id."""
    return once("wire_exchange_time_ns", "trade_id", "seen")


def is_seen(last_id: int, trade: events.Trade[Any]) -> bool:
    """There are no ids that could be compared: `each_once` decides."""
    return True


def fast_book(numbers: Any, symbol: str) -> Reader:
    """``l2Book`` with ``fast``: 5 levels."""
    kind: Any = wire.BookFrame
    decode = decoder(kind[numbers])

    def read(frame: bytes) -> wire.BookSnapshot[Any]:
        book = decode(frame).data
        if not book.fast:
            raise msgspec.ValidationError("a slow book")  # `frames.parse` knows of which stream
        return snapshot(book)

    return read


def slow_book(numbers: Any, symbol: str) -> Reader:
    """``l2Book`` without ``fast``: 20 levels."""
    kind: Any = wire.BookFrame
    decode = decoder(kind[numbers])

    def read(frame: bytes) -> wire.BookSnapshot[Any]:
        return snapshot(decode(frame).data)

    return read


def snapshot(book: wire.Book[Any]) -> wire.BookSnapshot[Any]:
    """A whole book as an event."""
    levels: Any = book.levels
    bids, asks = levels
    return wire.BookSnapshot(
        symbol=book.coin,
        bids=bids,
        asks=asks,
        exchange_time_ns=book.time,
        update_id=book.time,
    )


def quote(numbers: Any, symbol: str) -> Reader:
    """``bbo``: price and quantity of an empty side are 0."""
    kind: Any = wire.BestFrame
    decode = decoder(kind[numbers])

    def read(frame: bytes) -> wire.Quote[Any]:
        best = decode(frame).data
        sides: list[Any] = [*best.bbo, None, None]
        bid, ask, *_ = sides
        return wire.Quote(
            symbol=best.coin,
            bid_price=bid.px if bid else 0,
            bid_quantity=bid.sz if bid else 0,
            ask_price=ask.px if ask else 0,
            ask_quantity=ask.sz if ask else 0,
            update_id=best.time,
            exchange_time_ns=best.time,
        )

    return read


def mark_price(numbers: Any, symbol: str) -> Reader:
    """``activeAssetCtx``; spot has neither oracle nor funding."""
    kind: Any = wire.ContextFrame
    decode = decoder(kind[numbers])

    def read(frame: bytes) -> events.MarkPrice[Any]:
        said = decode(frame).data
        return events.MarkPrice(
            symbol=said.coin,
            mark_price=said.ctx.mark_px,
            index_price=said.ctx.oracle_px,
            funding_rate=said.ctx.funding,
        )

    return read


def ticker(numbers: Any, symbol: str) -> Reader:
    """``activeAssetCtx``: the mark price stands for the last; high and low are not sent: 0."""
    kind: Any = wire.ContextFrame
    decode = decoder(kind[numbers])

    def read(frame: bytes) -> events.Ticker[Any]:
        said = decode(frame).data
        ctx = said.ctx
        nothing = ctx.mark_px * 0
        change = ctx.mark_px - ctx.prev_day_px
        return events.Ticker(
            symbol=said.coin,
            last=ctx.mark_px,
            open=ctx.prev_day_px,
            high=nothing,
            low=nothing,
            volume=nothing if ctx.day_base_vlm is None else ctx.day_base_vlm,
            quote_volume=ctx.day_ntl_vlm,
            price_change=change,
            price_change_percent=change * 100 / ctx.prev_day_px if ctx.prev_day_px else nothing,
        )

    return read


def candles(numbers: Any, symbol: str) -> Reader:
    """``candle``. The quote volume is not sent: it is 0."""
    kind: Any = wire.CandleFrame
    decode = decoder(kind[numbers])

    def read(frame: bytes) -> events.Candle[Any]:
        return candle(decode(frame).data, closed=False)

    return read


def candle(row: wire.Candle[Any], *, closed: bool) -> events.Candle[Any]:
    """A row of candles as an event."""
    return events.Candle(
        symbol=row.symbol,
        interval=row.interval,
        open_time_ns=row.begin * NS_PER_MS,
        close_time_ns=row.end * NS_PER_MS,
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=row.volume,
        quote_volume=row.volume * 0,
        trades=row.trades,
        closed=closed,
    )


def rising_times(last_id: int, event: Any) -> int:
    """Whole books and quotes: the same time again is harmless, an earlier one is old."""
    number: int = event.update_id
    return max(number, 1) if number >= last_id else 0
