"""REST requests for market data of Coinbase: depth, recent trades, candles.

Candles come newest first, of a span of seconds whose ends are both in it. How many levels and
trades may be asked for is not documented: less may come. There is no history of funding.

Source: coinbase A6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec

from connector import events
from connector.events import Level, Number
from connector.exchanges.coinbase import wire
from connector.exchanges.numbers import ON_WIRE, decoder
from connector.exchanges.parameters import NumberType
from connector.exchanges.protocol import RestRequest
from connector.exchanges.requests import (
    CandlesOffer,
    DepthOffer,
    PublicRequests,
    Span,
    TradesOffer,
)
from connector.exchanges.spelling import NS_PER_MS

N = TypeVar("N", bound=Number)

PATH = "/api/v3/brokerage/market"
_MOST_LEVELS, _MOST_TRADES, _MOST_CANDLES = 1000, 1000, 350
_MINUTE_MS = 60_000
_GRANULARITIES: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "1m": ("ONE_MINUTE", _MINUTE_MS),
        "5m": ("FIVE_MINUTE", 5 * _MINUTE_MS),
        "15m": ("FIFTEEN_MINUTE", 15 * _MINUTE_MS),
        "30m": ("THIRTY_MINUTE", 30 * _MINUTE_MS),
        "1h": ("ONE_HOUR", 60 * _MINUTE_MS),
        "2h": ("TWO_HOUR", 120 * _MINUTE_MS),
        "6h": ("SIX_HOUR", 360 * _MINUTE_MS),
        "1d": ("ONE_DAY", 1440 * _MINUTE_MS),
    }
)
"""How Coinbase writes an interval, and its length; that of four hours is not certain."""


class Row(msgspec.Struct, Generic[N], gc=False):
    """A price level."""

    price: N
    size: N


class Pricebook(msgspec.Struct, Generic[N], gc=False):
    """A book."""

    product_id: str
    bids: list[Row[N]]
    asks: list[Row[N]]
    time: wire.TimeText = ""


class Book(msgspec.Struct, Generic[N], gc=False):
    """The reply to ``product_book``."""

    pricebook: Pricebook[N]


class Trades(msgspec.Struct, Generic[N], gc=False):
    """The reply to ``ticker``."""

    trades: list[wire.Trade[N]]


class Candle(msgspec.Struct, Generic[N], gc=False):
    """A row of ``candles``."""

    start: wire.Seconds
    open: N
    high: N
    low: N
    close: N
    volume: N


class Candles(msgspec.Struct, Generic[N], gc=False):
    """The reply to ``candles``."""

    candles: list[Candle[N]]


def requests(numbers: NumberType) -> PublicRequests:
    """The offered requests, with prices and quantities as `numbers`."""
    return PublicRequests(
        depth=DepthOffer(limits=range(1, _MOST_LEVELS + 1), request=_depth(numbers)),
        recent_trades=TradesOffer(most=_MOST_TRADES, request=_trades(numbers)),
        candles=CandlesOffer(
            intervals={name: length for name, (_, length) in _GRANULARITIES.items()},
            most=_MOST_CANDLES,
            request=_candles(numbers),
            oldest_first=False,
        ),
    )


def _depth(numbers: NumberType) -> Callable[[str, int], RestRequest[Any]]:
    kind: Any = Book
    decode = decoder(kind[ON_WIRE[numbers]])

    def read(body: bytes) -> events.BookSnapshot[Any]:
        book = decode(body).pricebook
        return events.BookSnapshot(
            symbol=book.product_id,
            bids=[Level(row.price, row.size) for row in book.bids],
            asks=[Level(row.price, row.size) for row in book.asks],
            update_id=0,
            exchange_time_ns=wire.nanoseconds(book.time),
        )

    def request(symbol: str, levels: int) -> RestRequest[Any]:
        product = quote(symbol.upper(), safe="")
        return RestRequest(f"{PATH}/product_book?product_id={product}&limit={levels}", 1, read)

    return request


def _trades(numbers: NumberType) -> Callable[[str, int], RestRequest[Any]]:
    kind: Any = Trades
    decode = decoder(kind[ON_WIRE[numbers]])

    def read(body: bytes) -> tuple[events.Trade[Any], ...]:
        return tuple(sorted(decode(body).trades, key=lambda trade: trade.trade_id))

    def request(symbol: str, limit: int) -> RestRequest[Any]:
        product = quote(symbol.upper(), safe="")
        return RestRequest(f"{PATH}/products/{product}/ticker?limit={limit}", 1, read)

    return request


def _candles(numbers: NumberType) -> Callable[[str, str, Span], RestRequest[Any]]:
    kind: Any = Candles
    decode = decoder(kind[ON_WIRE[numbers]])

    def request(symbol: str, interval: str, span: Span) -> RestRequest[Any]:
        product = symbol.upper()
        granularity, length_ms = _GRANULARITIES[interval]

        def read(body: bytes) -> tuple[events.Candle[Any], ...]:
            return tuple(
                _candle(row, product, interval, length_ms, span.now_ms)
                for row in decode(body).candles
            )

        # A candle that opens at the last second is in the span, one that opens later is not.
        begin, last = span.begin_ms // 1000, (span.end_ms - 1) // 1000
        target = (
            f"{PATH}/products/{quote(product, safe='')}/candles?start={begin}&end={last}"
            f"&granularity={granularity}"
        )
        return RestRequest(target, 1, read)

    return request


def _candle(
    row: Candle[Any], symbol: str, interval: str, length_ms: int, now_ms: int
) -> events.Candle[Any]:
    """A candle, over by the clock of this machine; quote volume and trades are not sent: 0."""
    opened_ms = row.start * 1000
    return events.Candle(
        symbol=symbol,
        interval=interval,
        open_time_ns=opened_ms * NS_PER_MS,
        close_time_ns=(opened_ms + length_ms - 1) * NS_PER_MS,
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=row.volume,
        quote_volume=row.volume * 0,
        trades=0,
        closed=opened_ms + length_ms <= now_ms,
    )
