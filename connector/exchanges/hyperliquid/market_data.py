"""REST requests for market data of Hyperliquid: depth, recent trades, candles, funding rates.

Every request is a POST of one target, with the question as its body. A book has 20 levels. A reply
about a span holds 500 rows, from its begin on; of candles only the newest 5,000 exist. How many
recent trades come is not documented.

Source: hyperliquid §4, §10.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import msgspec

from connector import events
from connector.events import Number
from connector.exchanges.hyperliquid import decode, wire
from connector.exchanges.hyperliquid.rest import ask
from connector.exchanges.numbers import ON_WIRE, Milliseconds, decoder
from connector.exchanges.parameters import NumberType
from connector.exchanges.protocol import RestRequest
from connector.exchanges.requests import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    MONTH_MS,
    CandlesOffer,
    DepthOffer,
    FundingOffer,
    PublicRequests,
    Span,
    TradesOffer,
)
from connector.exchanges.spelling import NS_PER_MS

N = TypeVar("N", bound=Number)

_LEVELS, _MOST_TRADES, _MOST_ROWS = 20, 100, 500
_BOOK_WEIGHT, _LIST_WEIGHT = 2, 45
"""20, and 1 for each 20 rows of the answer."""
_INTERVALS: Mapping[str, int] = MappingProxyType(
    {
        "1m": MINUTE_MS, "3m": 3 * MINUTE_MS, "5m": 5 * MINUTE_MS, "15m": 15 * MINUTE_MS,
        "30m": 30 * MINUTE_MS, "1h": HOUR_MS, "2h": 2 * HOUR_MS, "4h": 4 * HOUR_MS,
        "8h": 8 * HOUR_MS, "12h": 12 * HOUR_MS, "1d": DAY_MS, "3d": 3 * DAY_MS, "1w": 7 * DAY_MS,
        "1M": MONTH_MS,
    }
)  # fmt: skip


class Rate(msgspec.Struct, Generic[N], rename="camel", gc=False):
    """A row of ``fundingHistory``."""

    coin: str
    funding_rate: N
    time: Milliseconds


def requests(numbers: NumberType) -> PublicRequests:
    """The offered requests, with prices and quantities as `numbers`."""
    return PublicRequests(
        depth=DepthOffer(limits=(_LEVELS,), request=_depth(numbers)),
        recent_trades=TradesOffer(most=_MOST_TRADES, request=_trades(numbers)),
        candles=CandlesOffer(
            intervals=_INTERVALS, most=_MOST_ROWS, request=_candles(numbers), oldest_first=False
        ),
        funding_rates=FundingOffer(most=_MOST_ROWS, request=_funding(numbers), oldest_first=True),
    )


def _depth(numbers: NumberType) -> Callable[[str, int], RestRequest[Any]]:
    kind: Any = wire.Book
    read_book = decoder(kind[ON_WIRE[numbers]])

    def read(body: bytes) -> events.BookSnapshot[Any]:
        return decode.snapshot(read_book(body))

    return lambda symbol, _: ask("l2Book", read, _BOOK_WEIGHT, coin=symbol)


def _trades(numbers: NumberType) -> Callable[[str, int], RestRequest[Any]]:
    kind: Any = wire.Trade
    many: Any = list
    read_rows = decoder(many[kind[ON_WIRE[numbers]]])

    def request(symbol: str, limit: int) -> RestRequest[Any]:
        def read(body: bytes) -> tuple[events.Trade[Any], ...]:
            return tuple(reversed(read_rows(body)[:limit]))

        return ask("recentTrades", read, _LIST_WEIGHT, coin=symbol)

    return request


def _candles(numbers: NumberType) -> Callable[[str, str, Span], RestRequest[Any]]:
    kind: Any = wire.Candle
    many: Any = list
    read_rows = decoder(many[kind[ON_WIRE[numbers]]])

    def request(symbol: str, interval: str, span: Span) -> RestRequest[Any]:
        def read(body: bytes) -> tuple[events.Candle[Any], ...]:
            return tuple(
                decode.candle(row, closed=row.end < span.now_ms) for row in read_rows(body)
            )

        asked = {
            "coin": symbol,
            "interval": interval,
            "startTime": span.begin_ms,
            "endTime": span.end_ms - 1,
        }
        return ask("candleSnapshot", read, _LIST_WEIGHT, req=asked)

    return request


def _funding(numbers: NumberType) -> Callable[[str, Span], RestRequest[Any]]:
    kind: Any = Rate
    many: Any = list
    read_rows = decoder(many[kind[ON_WIRE[numbers]]])

    def read(body: bytes) -> tuple[events.FundingRate[Any], ...]:
        return tuple(
            events.FundingRate(
                symbol=row.coin,
                funding_rate=row.funding_rate,
                exchange_time_ns=row.time * NS_PER_MS,
            )
            for row in read_rows(body)
        )

    def request(symbol: str, span: Span) -> RestRequest[Any]:
        return ask(
            "fundingHistory",
            read,
            _LIST_WEIGHT,
            coin=symbol,
            startTime=span.begin_ms,
            endTime=span.end_ms - 1,
        )

    return request
