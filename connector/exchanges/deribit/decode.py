"""From the data of a notification to events: one reader per channel, and how ids follow.

Source: deribit §5.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec

from connector import events
from connector.exchanges.deribit import wire
from connector.exchanges.numbers import decoder
from connector.exchanges.offers import Reader
from connector.exchanges.spelling import NS_PER_MS
from connector.exchanges.usual_json import usual_decoder

_MINUTE_MS = 60_000
RESOLUTION_MS: Mapping[str, int] = MappingProxyType(
    {
        **{
            str(minutes): minutes * _MINUTE_MS
            for minutes in (1, 3, 5, 10, 15, 30, 60, 120, 180, 360, 720)
        },
        "1D": 1440 * _MINUTE_MS,
    }
)

FEW_LEVELS = 5
"""Deribit does not send so few."""


def _zero(numbers: Any) -> Any:
    """What stands for nothing, of the type of the other numbers."""
    return Decimal(0) if numbers is Decimal else 0.0


_OPPOSITE = MappingProxyType[str, events.Side]({"buy": "sell", "sell": "buy"})


def trades(numbers: Any, symbol: str) -> Reader:
    """``trades``."""
    kind: Any = wire.Trade
    many: Any = list[kind[numbers]]
    return usual_decoder(many, strict=False, otherwise=decoder(many))


def liquidations(numbers: Any, symbol: str) -> Reader:
    """``trades`` again, of which those are taken that liquidated somebody."""
    read_trades = trades(numbers, symbol)

    def read(payload: bytes) -> list[events.Liquidation[Any]]:
        return [_liquidation(each) for each in read_trades(payload) if each.liquidation]

    return read


def _liquidation(trade: wire.Trade[Any]) -> events.Liquidation[Any]:
    """The side is the taker's, unless only the maker was liquidated."""
    return events.Liquidation(
        symbol=trade.symbol,
        side=_OPPOSITE[trade.side] if trade.liquidation == "M" else trade.side,
        price=trade.price,
        average_price=trade.price,
        quantity=trade.quantity,
        filled_quantity=trade.quantity,
        exchange_time_ns=trade.exchange_time_ns,
    )


def book(numbers: Any, symbol: str) -> Reader:
    """``book.{instrument}.{interval}``: a snapshot, then changes."""
    snapshot: Any = wire.BookSnapshot
    delta: Any = wire.BookDelta
    return decoder(snapshot[numbers], delta[numbers])


def whole_book(numbers: Any, symbol: str) -> Reader:
    """``book.{instrument}.none.{depth}.{interval}``."""
    kind: Any = wire.WholeBook
    return decoder(kind[numbers])


def few_levels(numbers: Any, symbol: str) -> Reader:
    """The best `FEW_LEVELS` of the ten levels that Deribit sends."""
    read_book = whole_book(numbers, symbol)

    def read(payload: bytes) -> events.BookSnapshot[Any]:
        book: events.BookSnapshot[Any] = read_book(payload)
        del book.bids[FEW_LEVELS:], book.asks[FEW_LEVELS:]
        return book

    return read


def quote(numbers: Any, symbol: str) -> Reader:
    """``quote``: price and quantity of an empty side are 0."""
    kind: Any = wire.Quote
    half: Any = wire.HalfQuote
    read_whole, read_half = decoder(kind[numbers]), decoder(half[numbers])
    zero = _zero(numbers)

    def read(payload: bytes) -> events.Quote[Any]:
        try:
            whole: events.Quote[Any] = read_whole(payload)
        except msgspec.ValidationError:
            return _quote(read_half(payload), zero)
        return whole

    return read


def _quote(half: wire.HalfQuote[Any], zero: Any) -> events.Quote[Any]:
    return events.Quote(
        symbol=half.instrument_name,
        bid_price=half.best_bid_price or zero,
        bid_quantity=half.best_bid_amount or zero,
        ask_price=half.best_ask_price or zero,
        ask_quantity=half.best_ask_amount or zero,
        update_id=0,
        exchange_time_ns=half.timestamp * NS_PER_MS,
    )


def ticker(numbers: Any, symbol: str) -> Reader:
    """``ticker``: what Deribit tells as null, since nothing was traded, is 0."""
    kind: Any = wire.TickerRow
    decode = decoder(kind[numbers])
    zero = _zero(numbers)

    def read(payload: bytes) -> events.Ticker[Any]:
        row = decode(payload)
        stats, last = row.stats, row.last_price or zero
        percent = stats.price_change or zero
        # Only the change in percent is told: the price a day ago is as exact as that.
        opened = last / (1 + percent / 100) if percent > -100 else zero
        usd = stats.volume_usd if stats.volume_notional is None else stats.volume_notional
        return events.Ticker(
            symbol=row.instrument_name,
            last=last,
            open=opened,
            high=stats.high or zero,
            low=stats.low or zero,
            volume=stats.volume or zero,
            quote_volume=usd or zero,
            price_change=last - opened,
            price_change_percent=percent,
            exchange_time_ns=row.timestamp * NS_PER_MS,
        )

    return read


def mark_price(numbers: Any, symbol: str) -> Reader:
    """``ticker`` again. Funding accrues all the time: it has a rate, and no next moment."""
    kind: Any = wire.TickerRow
    decode = decoder(kind[numbers])

    def read(payload: bytes) -> list[events.MarkPrice[Any]]:
        row = decode(payload)
        if row.mark_price is None:
            return []
        return [
            events.MarkPrice(
                symbol=row.instrument_name,
                mark_price=row.mark_price,
                index_price=row.index_price,
                funding_rate=row.current_funding,
                exchange_time_ns=row.timestamp * NS_PER_MS,
            )
        ]

    return read


def candles_of(resolution: str) -> Any:
    """Make the maker of readers of ``chart.trades``. The number of trades is not sent: it is 0."""

    def make(numbers: Any, symbol: str) -> Reader:
        kind: Any = wire.CandleRow
        decode = decoder(kind[numbers])
        return lambda payload: candle(decode(payload), symbol, resolution, closed=False)

    return make


def candle(
    row: wire.CandleRow[Any], symbol: str, resolution: str, *, closed: bool
) -> events.Candle[Any]:
    """A row of ``chart.trades``, or of the history."""
    return events.Candle(
        symbol=symbol,
        interval=resolution,
        open_time_ns=row.tick * NS_PER_MS,
        close_time_ns=(row.tick + RESOLUTION_MS[resolution] - 1) * NS_PER_MS,
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=row.volume,
        quote_volume=row.cost,
        trades=0,
        closed=closed,
    )


def dense_trade_ids(last_id: int, trade: events.Trade[Any]) -> int:
    """``trade_seq`` rises by 1 for each trade of an instrument."""
    number = trade.trade_id
    if number == last_id + 1 or not last_id:
        return number
    return 0 if number <= last_id else -number


def chained_book_ids(last_id: int, event: Any) -> int:
    """A snapshot begins anew; a change names the id before it, and ids jump."""
    if isinstance(event, events.BookSnapshot):
        return max(event.update_id, 1)
    number: int = event.last_update_id
    if not last_id or event.previous_update_id == last_id:
        return max(number, 1)
    return 0 if number == last_id else -max(number, 1)
