"""REST requests for market data of Kraken's derivatives: depth, candles, funding rates.

Depth is the whole book, funding rates are all there were. How many candles come at once is not
documented: few enough are asked for.

Recent trades are not offered. What REST answers about them is not in the notes. As far as it is
generally known, a row is known by a ``uid`` that is no number, and its ``trade_id`` counts the rows
of the reply. `Trade.trade_id` is the number in the feed (``seq``), so a fetched trade could not be
told apart from one of the stream. The feed of WebSocket v1 begins with the newest trades and their
numbers: its ``RawStream("trade:PF_XBTUSD")`` has them in its first message. Those of the unified
WebSocket are not known to be the same.

Source: kraken_futures_v1, and stored answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic
from urllib.parse import quote

import msgspec
from msgspec import field

from connector import events
from connector.exchanges.kraken.futures_wire import N
from connector.exchanges.kraken.spot_rest import spell
from connector.exchanges.kraken.v2_decode import decoder as number_decoder
from connector.exchanges.kraken.v2_decode import number_type
from connector.exchanges.kraken.v2_wire import Moment, nanoseconds
from connector.exchanges.numbers import ON_WIRE, Milliseconds, decoder
from connector.exchanges.parameters import NumberType
from connector.exchanges.requests import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    CandlesOffer,
    DepthOffer,
    FundingOffer,
    PublicRequests,
    Span,
)
from connector.exchanges.rest_service import RestRequest
from connector.exchanges.spelling import NS_PER_MS

RESOLUTIONS_MS = {
    "1m": MINUTE_MS, "5m": 5 * MINUTE_MS, "15m": 15 * MINUTE_MS, "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS, "4h": 4 * HOUR_MS, "12h": 12 * HOUR_MS, "1d": DAY_MS, "1w": 7 * DAY_MS,
}  # fmt: skip
NO_TRADES = "what Kraken answers about trades of its futures has not the numbers of its feed"
MOST_LEVELS, MOST_CANDLES, MOST_RATES = 100_000, 500, 10_000_000


class Sides(msgspec.Struct, Generic[N], gc=False):
    """A book."""

    bids: list[events.Level[N]]
    asks: list[events.Level[N]]


class Book(msgspec.Struct, Generic[N], gc=False):
    """The reply to ``orderbook``."""

    book: Sides[N] = field(name="orderBook")
    time: Moment | None = field(name="serverTime", default=None)


class CandleRow(msgspec.Struct, Generic[N], gc=False):
    """A row of a chart."""

    time: Milliseconds
    open: N
    high: N
    low: N
    close: N
    volume: N


class Candles(msgspec.Struct, Generic[N], gc=False):
    """A chart."""

    candles: list[CandleRow[N]]


class Rate(msgspec.Struct, Generic[N], gc=False):
    """A row of ``historical-funding-rates``."""

    timestamp: Moment
    rate: N = field(name="relativeFundingRate")


class Rates(msgspec.Struct, Generic[N], gc=False):
    """The reply to ``historical-funding-rates``."""

    rates: list[Rate[N]]


def requests(numbers: NumberType, *, no_trades: str = NO_TRADES) -> PublicRequests:
    """The offered requests.

    Args:
        numbers: the type of prices and quantities.
        no_trades: why recent trades are not among them.
    """
    return PublicRequests(
        depth=DepthOffer(limits=(MOST_LEVELS,), request=_depth(numbers)),
        candles=CandlesOffer(
            intervals=RESOLUTIONS_MS,
            most=MOST_CANDLES,
            request=_candles(numbers),
            oldest_first=False,
        ),
        reasons={"recent_trades": no_trades},
        funding_rates=FundingOffer(most=MOST_RATES, request=_funding(numbers), oldest_first=True),
    )


def _depth(numbers: NumberType) -> Callable[[str, int], RestRequest[Any]]:
    kind: Any = Book
    decode = number_decoder(kind[number_type(numbers)])

    def request(symbol: str, levels: int) -> RestRequest[Any]:
        spelled = spell(symbol)

        def read(body: bytes) -> events.BookSnapshot[Any]:
            said = decode(body)
            return events.BookSnapshot(
                symbol=spelled,
                bids=said.book.bids,
                asks=said.book.asks,
                update_id=0,
                exchange_time_ns=said.time and nanoseconds(said.time),
            )

        target = f"/derivatives/api/v3/orderbook?symbol={quote(spelled, safe='')}"
        return RestRequest(target, 1, read)

    return request


def _candles(numbers: NumberType) -> Callable[[str, str, Span], RestRequest[Any]]:
    kind: Any = Candles
    decode = decoder(kind[ON_WIRE[numbers]])

    def request(symbol: str, interval: str, span: Span) -> RestRequest[Any]:
        spelled, length_ns = spell(symbol), RESOLUTIONS_MS[interval] * NS_PER_MS

        def read(body: bytes) -> tuple[events.Candle[Any], ...]:
            return tuple(
                events.Candle(
                    symbol=spelled,
                    interval=interval,
                    open_time_ns=row.time * NS_PER_MS,
                    close_time_ns=row.time * NS_PER_MS + length_ns - 1,
                    open=row.open,
                    high=row.high,
                    low=row.low,
                    close=row.close,
                    volume=row.volume,
                    quote_volume=numbers(0),
                    trades=0,
                    closed=True,
                )
                for row in decode(body).candles
            )

        path = f"/api/charts/v1/trade/{quote(spelled, safe='')}/{interval}"
        first, last = span.begin_ms // 1000, -(-span.end_ms // 1000)
        return RestRequest(f"{path}?from={first}&to={last}", 1, read)

    return request


def _funding(numbers: NumberType) -> Callable[[str, Span], RestRequest[Any]]:
    kind: Any = Rates
    decode = number_decoder(kind[number_type(numbers)])

    def request(symbol: str, span: Span) -> RestRequest[Any]:
        spelled = spell(symbol)

        def read(body: bytes) -> tuple[events.FundingRate[Any], ...]:
            return tuple(
                events.FundingRate(
                    symbol=spelled,
                    funding_rate=row.rate,
                    exchange_time_ns=nanoseconds(row.timestamp),
                )
                for row in decode(body).rates
            )

        path = "/derivatives/api/v3/historical-funding-rates"
        return RestRequest(f"{path}?symbol={quote(spelled, safe='')}", 1, read)

    return request
