"""REST requests for market data of Binance: depth, recent trades, candles, funding rates.

.. code-block:: text

                        spot            USD-M, COIN-M
    /depth              1–5000 levels   5, 10, 20, 50, 100, 500, 1000 levels
    /trades             1000            1000
    /klines             1000            1500, weighed by number; COIN-M at most 200 days at once
    /aggTrades          by number       by number; COIN-M 48 hours
    /historicalTrades   by number       with an API key only: not used
    /fundingRate        –               1000, 500 requests in 5 minutes

Rows of a kline are lists. The notes do not say that historical trades of spot need no key. Nor do
they give the weights of spot trades, the page sizes of trades, funding rates, and klines on spot
and USD-M, or that an answer begins at the start of its span. These are assumed from general
knowledge of Binance's documentation.

Source: binance_spot §6; binance_usdm §5, §8; binance_coinm §5.
"""

# The stored type of a `spelled` field differs from the type that is read.
# pyright: reportIncompatibleVariableOverride=false, reportUnnecessaryTypeIgnoreComment=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic
from urllib.parse import quote

import attrs
import msgspec
from msgspec import field

from connector import channels, events
from connector.events import Level, N_co
from connector.exchanges.binance import names, wire
from connector.exchanges.numbers import ON_WIRE, Milliseconds, decoder, number, rows_decoder
from connector.exchanges.parameters import NumberType
from connector.exchanges.protocol import RestRequest
from connector.exchanges.requests import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    MONTH_MS,
    BackfillOffer,
    BackfillWay,
    CandlesOffer,
    DepthOffer,
    FundingOffer,
    PublicRequests,
    Span,
    TradesOffer,
)
from connector.exchanges.spelling import NS_PER_MS, from_milliseconds, spelled

INTERVALS: Mapping[str, int] = MappingProxyType({
    "1m": MINUTE_MS, "3m": 3 * MINUTE_MS, "5m": 5 * MINUTE_MS, "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS, "1h": HOUR_MS, "2h": 2 * HOUR_MS, "4h": 4 * HOUR_MS,
    "6h": 6 * HOUR_MS, "8h": 8 * HOUR_MS, "12h": 12 * HOUR_MS, "1d": DAY_MS, "3d": 3 * DAY_MS,
    "1w": 7 * DAY_MS, "1M": MONTH_MS,
})  # fmt: skip
_PAGE = 1000
_FUNDING_WEIGHT = 20
"""A separate limit allows 500 requests in 5 minutes; this weight keeps us below it."""


@spelled(exchange_time_ns=from_milliseconds)
class TimedDepth(events.BookSnapshot[N_co], gc=False, kw_only=True):
    """``/depth`` of futures."""

    symbol: str = field(name="-", default="")
    exchange_time_ns: Milliseconds = field(name="T")
    bids: list[Level[N_co]]
    asks: list[Level[N_co]]
    update_id: int = field(name="lastUpdateId")


class Depth(events.BookSnapshot[N_co], gc=False, kw_only=True):
    """``/depth`` of spot, which has no time."""

    symbol: str = field(name="-", default="")
    bids: list[Level[N_co]]
    asks: list[Level[N_co]]
    update_id: int = field(name="lastUpdateId")


def _side(trade: Any) -> events.Side:
    return "sell" if trade.wire_side else "buy"


@spelled(exchange_time_ns=from_milliseconds, side=_side)
class Trade(events.Trade[N_co], gc=False, kw_only=True):
    """A row of ``/trades``."""

    symbol: str = field(name="-", default="")
    exchange_time_ns: Milliseconds = field(name="time")
    price: N_co
    quantity: N_co = field(name="qty")
    trade_id: int = field(name="id")
    side: bool = field(name="isBuyerMaker")  # type: ignore[assignment]


@spelled(exchange_time_ns=from_milliseconds, side=_side)
class AggregateTrade(events.Trade[N_co], gc=False, kw_only=True):
    """A row of ``/aggTrades``."""

    symbol: str = field(name="-", default="")
    exchange_time_ns: Milliseconds = field(name="T")
    price: N_co = field(name="p")
    quantity: N_co = field(name="q")
    trade_id: int = field(name="a")
    side: bool = field(name="m")  # type: ignore[assignment]


class Row(msgspec.Struct, Generic[wire.N], array_like=True, gc=False):
    """A row of ``/klines``; two more fields are not read."""

    open_ms: Milliseconds
    open: wire.N
    high: wire.N
    low: wire.N
    close: wire.N
    volume: wire.N
    close_ms: Milliseconds
    quote_volume: wire.N
    trades: int


class Funding(msgspec.Struct, rename="camel", gc=False):
    """A row of ``/fundingRate``. The mark price of old ones is an empty string."""

    symbol: str
    funding_rate: str
    funding_time: Milliseconds
    mark_price: str = ""


@attrs.frozen
class MarketData:
    """The requests of one market of Binance.

    Args:
        prefix: of every path, such as ``/fapi/v1``.
        depth_weights: (levels, weight), ascending.
        candle_weight: of a page of candles, by their number.
        trades_weight: of a request for recent trades.
        aggregates_weight: of one for aggregates.
    """

    prefix: str
    depth_weights: tuple[tuple[int, int], ...]
    candle_weight: Callable[[int], int]
    trades_weight: int
    aggregates_weight: int
    intervals: Mapping[str, int]
    most_candle_ms: int | None = None
    has_funding: bool = True

    def requests(self, numbers: NumberType) -> PublicRequests:
        """The offered requests, with prices and quantities as `numbers`."""
        return PublicRequests(
            depth=DepthOffer(
                limits=tuple(levels for levels, _ in self.depth_weights),
                request=self._depth(numbers),
            ),
            recent_trades=TradesOffer(most=_PAGE, request=self._trades(numbers)),
            candles=CandlesOffer(
                intervals=self.intervals,
                most=_PAGE,
                request=self._candles(numbers),
                oldest_first=True,
                most_ms=self.most_candle_ms,
            ),
            funding_rates=(
                FundingOffer(most=_PAGE, request=self._funding(numbers), oldest_first=True)
                if self.has_funding
                else None
            ),
            backfill=self._backfill(numbers),
        )

    def _backfill(self, numbers: NumberType) -> Mapping[type[Any], BackfillOffer]:
        """How missed trades are fetched.

        Aggregates and spot trades can be requested by number. For trades of futures this needs a
        key, so only the newest are requested. Some numbers of futures trades belong to no trade.
        """
        spot = not self.has_funding
        by_number = BackfillWay(
            reach="from",
            most=_PAGE,
            request=self._from("/historicalTrades", Trade, numbers, self.trades_weight),
        )
        newest_trades = self._trades(numbers)
        newest = BackfillWay(
            reach="newest",
            most=_PAGE,
            request=lambda symbol, _, limit: newest_trades(symbol, limit),
        )
        aggregates = BackfillWay(
            reach="from",
            most=_PAGE,
            request=self._from("/aggTrades", AggregateTrade, numbers, self.aggregates_weight),
        )
        return MappingProxyType(
            {
                channels.Trades: BackfillOffer(
                    ways=(by_number, newest) if spot else (newest,), dense=spot
                ),
                channels.AggregateTrades: BackfillOffer(ways=(aggregates,), dense=True),
            }
        )

    def _from(
        self, path: str, kind: Any, numbers: NumberType, weight: int
    ) -> Callable[[str, int | None, int], RestRequest[Any]]:
        decode = rows_decoder(kind, numbers)

        def request(symbol: str, number: int | None, limit: int) -> RestRequest[Any]:
            spelled_symbol = names.wire_symbol(symbol).upper()

            def read(body: bytes) -> tuple[events.Trade[Any], ...]:
                return _of_symbol(decode(body), spelled_symbol)

            target = self._target(path, spelled_symbol, fromId=number, limit=limit)
            return RestRequest(target, weight, read)

        return request

    def _target(self, path: str, symbol: str, **query: object) -> str:
        asked = "".join(f"&{name}={value}" for name, value in query.items())
        return f"{self.prefix}{path}?symbol={quote(symbol, safe='')}{asked}"

    def _depth(self, numbers: NumberType) -> Callable[[str, int], RestRequest[Any]]:
        kind: Any = TimedDepth if self.has_funding else Depth
        decode = decoder(kind[ON_WIRE[numbers]])
        weights = dict(self.depth_weights)

        def request(symbol: str, levels: int) -> RestRequest[Any]:
            spelled_symbol = names.wire_symbol(symbol).upper()

            def read(body: bytes) -> events.BookSnapshot[Any]:
                book: events.BookSnapshot[Any] = decode(body)
                book.symbol = spelled_symbol
                return book

            target = self._target("/depth", spelled_symbol, limit=levels)
            return RestRequest(target, weights[levels], read)

        return request

    def _trades(self, numbers: NumberType) -> Callable[[str, int], RestRequest[Any]]:
        kind: Any = Trade
        decode = rows_decoder(kind, numbers)

        def request(symbol: str, limit: int) -> RestRequest[Any]:
            spelled_symbol = names.wire_symbol(symbol).upper()

            def read(body: bytes) -> tuple[events.Trade[Any], ...]:
                return _of_symbol(decode(body), spelled_symbol)

            target = self._target("/trades", spelled_symbol, limit=limit)
            return RestRequest(target, self.trades_weight, read)

        return request

    def _candles(self, numbers: NumberType) -> Callable[[str, str, Span], RestRequest[Any]]:
        kind: Any = Row
        decode = rows_decoder(kind, numbers)

        def request(symbol: str, interval: str, span: Span) -> RestRequest[Any]:
            spelled_symbol = names.wire_symbol(symbol).upper()

            def read(body: bytes) -> tuple[events.Candle[Any], ...]:
                return tuple(_candle(row, spelled_symbol, interval) for row in decode(body))

            target = self._target(
                "/klines",
                spelled_symbol,
                interval=interval,
                startTime=span.begin_ms,
                endTime=span.end_ms - 1,
                limit=span.limit,
            )
            return RestRequest(target, self.candle_weight(span.limit), read)

        return request

    def _funding(self, numbers: NumberType) -> Callable[[str, Span], RestRequest[Any]]:
        decode = msgspec.json.Decoder(list[Funding], strict=False).decode

        def request(symbol: str, span: Span) -> RestRequest[Any]:
            spelled_symbol = names.wire_symbol(symbol).upper()

            def read(body: bytes) -> tuple[events.FundingRate[Any], ...]:
                return tuple(_funding_rate(row, numbers) for row in decode(body))

            target = self._target(
                "/fundingRate",
                spelled_symbol,
                startTime=span.begin_ms,
                endTime=span.end_ms - 1,
                limit=span.limit,
            )
            return RestRequest(target, _FUNDING_WEIGHT, read)

        return request


def _of_symbol(trades: list[Any], symbol: str) -> tuple[events.Trade[Any], ...]:
    """The trades in a reply that does not contain the symbol."""
    for trade in trades:
        trade.symbol = symbol
    return tuple(trades)


def _candle(row: Row[Any], symbol: str, interval: str) -> events.Candle[Any]:
    return events.Candle(
        symbol=symbol,
        interval=interval,
        open_time_ns=row.open_ms * NS_PER_MS,
        close_time_ns=row.close_ms * NS_PER_MS,
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=row.volume,
        quote_volume=row.quote_volume,
        trades=row.trades,
        closed=True,
    )


def _funding_rate(row: Funding, numbers: NumberType) -> events.FundingRate[Any]:
    return events.FundingRate(
        symbol=row.symbol,
        funding_rate=number(row.funding_rate, numbers),
        mark_price=number(row.mark_price, numbers) if row.mark_price else None,
        exchange_time_ns=row.funding_time * NS_PER_MS,
    )


def _weight_of_candles(limit: int) -> int:
    """Source: binance_coinm §5."""
    return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10


_FUTURES_DEPTH = ((5, 2), (10, 2), (20, 2), (50, 2), (100, 5), (500, 10), (1000, 20))

SPOT = MarketData(
    prefix="/api/v3",
    # Any number may be requested; these steps determine its weight.
    depth_weights=(
        (5, 5), (10, 5), (20, 5), (50, 5), (100, 5), (500, 25), (1000, 50), (5000, 250),
    ),
    candle_weight=lambda _: 2,
    trades_weight=25,
    aggregates_weight=4,
    intervals=MappingProxyType({"1s": 1000, **INTERVALS}),
    has_funding=False,
)  # fmt: skip
USDM = MarketData(
    prefix="/fapi/v1",
    depth_weights=_FUTURES_DEPTH,
    candle_weight=_weight_of_candles,
    trades_weight=5,
    aggregates_weight=20,
    intervals=INTERVALS,
)
COINM = attrs.evolve(USDM, prefix="/dapi/v1", most_candle_ms=200 * DAY_MS)
