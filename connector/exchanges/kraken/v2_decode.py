"""From a frame of WebSocket v2 to events: one reader per channel, and how trades are numbered.

Source: kraken §3, §8b.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Union, get_args, get_origin

import msgspec

from connector import events
from connector.book.digits import read_digits
from connector.exchanges.kraken import v2_wire as wire
from connector.exchanges.offers import Reader
from connector.exchanges.parameters import NumberType
from connector.exchanges.protocol import Fold
from connector.exchanges.shortcuts import rows

NS_PER_MINUTE = 60_000_000_000
INTERVALS: Mapping[str, int] = MappingProxyType(
    {
        "1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1440, "1w": 10_080,
        "15d": 21_600,
    }
)  # fmt: skip
"""Intervals as other exchanges write them, and their minutes."""


def decoder(kind: Any, *others: Any) -> Callable[[bytes], Any]:
    """What decodes a payload whose numbers are JSON numbers, which can be nothing but finite.

    A `Decimal` could be a text, too, such as ``"NaN"``: such a payload is decoded to floats first,
    which cannot.

    Args:
        kind, others: structs that are generic in their numbers, with one type filled in.
    """
    decode = _decoder(kind, *others)
    if get_args(kind) != (Decimal,):
        return decode
    check = _decoder(*(get_origin(each)[float] for each in (kind, *others)))

    def decode_checked(payload: bytes) -> Any:
        check(payload)
        return decode(payload)

    return decode_checked


def _decoder(*kinds: Any) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(Union[kinds]).decode  # noqa: UP007


def number_type(numbers: Any) -> NumberType:
    """What JSON numbers are decoded to, by what the events have: they need no further check."""
    return Decimal if numbers is Decimal else float


def _check_symbols(rows: list[Any], symbol: str) -> None:
    """Refuse a frame of several symbols, which is not documented: its stream is one of them.

    Raises:
        msgspec.ValidationError: a row is of another symbol.
    """
    for row in rows:
        if row.symbol != symbol:
            raise msgspec.ValidationError(f"a row of {row.symbol!r} in a frame of {symbol!r}")


def trades(numbers: Any, symbol: str) -> Reader:
    """``trade``: one event per row."""
    kind: Any = wire.Trades
    return rows(decoder(kind[number_type(numbers)]), of=symbol, alone=True)


def quotes(numbers: Any, symbol: str) -> Reader:
    """``ticker``, sent when the best quote has changed."""
    kind: Any = wire.Quotes
    return rows(decoder(kind[number_type(numbers)]), of=symbol, alone=True)


def book(numbers: Any, symbol: str) -> Reader:
    """``book``: a snapshot or changes."""
    snapshot: Any = wire.SnapshotFrame
    delta: Any = wire.DeltaFrame
    number = number_type(numbers)
    return rows(decoder(snapshot[number], delta[number]), alone=True, keeps_frame=True)


def digits(event: Any) -> tuple[list[bytes], list[bytes]]:
    """What the levels of a snapshot or delta contribute to its checksum."""
    return read_digits(event.frame, True)


def ticker(numbers: Any, symbol: str) -> Reader:
    """``ticker``. The quote volume is the volume times the rounded average price.

    What is absent is read as in a ticker of a day without a trade: no change, no range.
    """
    kind: Any = wire.Tickers
    number = number_type(numbers)
    decode = decoder(kind[number])
    zero = number(0)

    def read(frame: bytes) -> list[events.Ticker[Any]]:
        found = decode(frame).data
        _check_symbols(found, symbol)
        return [_ticker(row, zero) for row in found]

    return read


def _ticker(row: wire.TickerRow[Any], zero: Any) -> events.Ticker[Any]:
    last, change = row.last, zero if row.change is None else row.change
    return events.Ticker(
        symbol=row.symbol,
        last=last,
        open=last - change,
        high=last if row.high is None else row.high,
        low=last if row.low is None else row.low,
        volume=row.volume,
        quote_volume=zero if row.vwap is None else row.volume * row.vwap,
        price_change=change,
        price_change_percent=zero if row.change_pct is None else row.change_pct,
        exchange_time_ns=wire.time_of(row.timestamp),
    )


def candles(numbers: Any, symbol: str) -> Reader:
    """``ohlc``. The quote volume is the volume times the rounded average price."""
    kind: Any = wire.Candles
    decode = decoder(kind[number_type(numbers)])
    names = {minutes: name for name, minutes in INTERVALS.items()}

    def read(frame: bytes) -> list[events.Candle[Any]]:
        said = decode(frame)
        _check_symbols(said.data, symbol)
        return [
            events.Candle(
                symbol=row.symbol,
                interval=names.get(row.interval, str(row.interval)),
                open_time_ns=(begin := wire.nanoseconds(row.interval_begin)),
                close_time_ns=begin + row.interval * NS_PER_MINUTE - 1,
                open=row.open,
                high=row.high,
                low=row.low,
                close=row.close,
                volume=row.volume,
                quote_volume=row.volume * row.vwap,
                trades=row.trades,
                closed=False,
                exchange_time_ns=wire.time_of(said.timestamp),
            )
            for row in said.data
        ]

    return read


def close_candles(numbers: NumberType) -> Fold:
    """Kraken does not say that a candle is over: the first of the next interval does."""

    def fold(
        last: events.Candle[Any] | None, candle: events.Candle[Any]
    ) -> list[events.Candle[Any]]:
        if last is None or last.closed or last.open_time_ns >= candle.open_time_ns:
            return [candle]
        return [last.__replace__(closed=True), candle]  # type: ignore[list-item]

    return fold


def dense_trade_ids(last_id: int, trade: events.Trade[Any]) -> int:
    """Trades of a pair have consecutive numbers."""
    trade_id = trade.trade_id
    if trade_id == last_id + 1 or not last_id:
        return trade_id
    return 0 if trade_id <= last_id else -trade_id
