"""REST requests for market data of Bybit: depth, recent trades, candles, funding rates.

Candles and funding rates come newest first, so a long span is asked for in parts. Recent trades
cannot be asked for by number or time. The order of recent trades, newest first, and the fields of
candles and funding rates are not in the notes: assumed from Bybit's documentation, from
general knowledge.

Source: bybit §5, §6.
"""

# The stored type of a `spelled` field differs from the type that is read.
# pyright: reportIncompatibleVariableOverride=false, reportUnnecessaryTypeIgnoreComment=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal
from urllib.parse import quote

import attrs
import msgspec
from msgspec import field

from connector import channels, events
from connector.events import N_co
from connector.exchanges.bybit import wire
from connector.exchanges.numbers import ON_WIRE, Milliseconds, decoder, number
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
    following_ms,
)
from connector.exchanges.spelling import NS_PER_MS, from_milliseconds, spelled

_LENGTHS = (
    ("1", MINUTE_MS), ("3", 3 * MINUTE_MS), ("5", 5 * MINUTE_MS), ("15", 15 * MINUTE_MS),
    ("30", 30 * MINUTE_MS), ("60", HOUR_MS), ("120", 2 * HOUR_MS), ("240", 4 * HOUR_MS),
    ("360", 6 * HOUR_MS), ("720", 12 * HOUR_MS), ("D", DAY_MS), ("W", 7 * DAY_MS), ("M", MONTH_MS),
)  # fmt: skip
_MOST_LEVELS, _MOST_CANDLES, _MOST_RATES = 1000, 1000, 200


@spelled(exchange_time_ns=from_milliseconds, side=wire.side_of, trade_id=wire.number_of_execution)
class Trade(events.Trade[N_co], gc=False, kw_only=True):
    """A row of ``recent-trade``."""

    symbol: str
    exchange_time_ns: Milliseconds = field(name="time")
    price: N_co
    quantity: N_co = field(name="size")
    side: Literal["Buy", "Sell"]  # type: ignore[assignment]
    trade_id: str = field(name="execId")  # type: ignore[assignment]
    off_book: bool = field(name="isBlockTrade", default=False)


class TradeList(msgspec.Struct, Generic[wire.N], gc=False):
    """The ``result`` of ``recent-trade``."""

    rows: list[Trade[wire.N]] = field(name="list")


class Trades(msgspec.Struct, Generic[wire.N], gc=False):
    """The reply to ``recent-trade``."""

    result: TradeList[wire.N]


class Row(msgspec.Struct, Generic[wire.N], array_like=True, gc=False):
    """A row of ``kline``."""

    open_ms: Milliseconds
    open: wire.N
    high: wire.N
    low: wire.N
    close: wire.N
    volume: wire.N
    turnover: wire.N


class RowList(msgspec.Struct, Generic[wire.N], gc=False):
    """The ``result`` of ``kline``."""

    rows: list[Row[wire.N]] = field(name="list")


class Rows(msgspec.Struct, Generic[wire.N], gc=False):
    """The reply to ``kline``."""

    result: RowList[wire.N]


class Funding(msgspec.Struct, rename="camel", gc=False):
    """A row of ``funding/history``."""

    symbol: str
    funding_rate: str
    funding_rate_timestamp: Milliseconds


class FundingList(msgspec.Struct, gc=False):
    """The ``result`` of ``funding/history``."""

    rows: list[Funding] = field(name="list")


class FundingRates(msgspec.Struct, gc=False):
    """The reply to ``funding/history``."""

    result: FundingList


class TimedBook(wire.BookSnapshot[N_co], gc=False, kw_only=True):
    """The ``result`` of ``orderbook``, with the time of the engine."""

    ts: Milliseconds
    cts: Milliseconds | None = None


class Books(msgspec.Struct, Generic[wire.N], gc=False):
    """The reply to ``orderbook``."""

    result: TimedBook[wire.N]


@attrs.frozen
class MarketData:
    """The requests of one category of Bybit.

    Args:
        category: as it is written in a request.
        intervals: Bybit's spelling of each interval that a program may use.
    """

    category: str
    intervals: Mapping[str, str]

    def requests(self, numbers: NumberType) -> PublicRequests:
        """The offered requests, with prices and quantities as `numbers`."""
        lengths = dict(_LENGTHS)
        spot = self.category == "spot"
        trades = self._trades(numbers)
        newest = BackfillWay(
            reach="newest",
            most=60 if spot else 1000,
            request=lambda symbol, _, limit: trades(symbol, limit),
        )
        return PublicRequests(
            depth=DepthOffer(limits=range(1, _MOST_LEVELS + 1), request=self._depth(numbers)),
            recent_trades=TradesOffer(most=60 if spot else 1000, request=trades),
            candles=CandlesOffer(
                intervals={name: lengths[bar] for name, bar in self.intervals.items()},
                most=_MOST_CANDLES,
                request=self._candles(numbers, lengths),
                oldest_first=False,
            ),
            funding_rates=(
                None
                if spot
                else FundingOffer(
                    most=_MOST_RATES, request=self._funding(numbers), oldest_first=False
                )
            ),
            # A trade is known by a UUID, which says nothing about the order.
            backfill={channels.Trades: BackfillOffer(ways=(newest,), numbered=False)},
        )

    def _target(self, path: str, symbol: str, **query: object) -> str:
        asked = "".join(f"&{name}={value}" for name, value in query.items())
        symbol = quote(symbol.upper(), safe="")
        return f"/v5/market/{path}?category={self.category}&symbol={symbol}{asked}"

    def _depth(self, numbers: NumberType) -> Callable[[str, int], RestRequest[Any]]:
        kind: Any = Books
        decode = decoder(kind[ON_WIRE[numbers]])

        def read(body: bytes) -> events.BookSnapshot[Any]:
            book: Any = decode(body).result
            book.wire_exchange_time_ns = book.cts or book.ts
            return book  # type: ignore[no-any-return]

        return lambda symbol, levels: RestRequest(
            self._target("orderbook", symbol, limit=levels), 1, read
        )

    def _trades(self, numbers: NumberType) -> Callable[[str, int], RestRequest[Any]]:
        kind: Any = Trades
        decode = decoder(kind[ON_WIRE[numbers]])

        def read(body: bytes) -> tuple[events.Trade[Any], ...]:
            return tuple(reversed(decode(body).result.rows))

        return lambda symbol, limit: RestRequest(
            self._target("recent-trade", symbol, limit=limit), 1, read
        )

    def _candles(
        self, numbers: NumberType, lengths: Mapping[str, int]
    ) -> Callable[[str, str, Span], RestRequest[Any]]:
        kind: Any = Rows
        decode = decoder(kind[ON_WIRE[numbers]])

        def request(symbol: str, interval: str, span: Span) -> RestRequest[Any]:
            bar = self.intervals[interval]

            def read(body: bytes) -> tuple[events.Candle[Any], ...]:
                return tuple(
                    _candle(row, symbol.upper(), bar, lengths[bar])
                    for row in decode(body).result.rows
                )

            target = self._target(
                "kline",
                symbol,
                interval=bar,
                start=span.begin_ms,
                end=span.end_ms - 1,
                limit=span.limit,
            )
            return RestRequest(target, 1, read)

        return request

    def _funding(self, numbers: NumberType) -> Callable[[str, Span], RestRequest[Any]]:
        decode = msgspec.json.Decoder(FundingRates, strict=False).decode

        def read(body: bytes) -> tuple[events.FundingRate[Any], ...]:
            return tuple(
                events.FundingRate(
                    symbol=row.symbol,
                    funding_rate=number(row.funding_rate, numbers),
                    exchange_time_ns=row.funding_rate_timestamp * NS_PER_MS,
                )
                for row in decode(body).result.rows
            )

        return lambda symbol, span: RestRequest(
            self._target(
                "funding/history",
                symbol,
                startTime=span.begin_ms,
                endTime=span.end_ms - 1,
                limit=span.limit,
            ),
            1,
            read,
        )


def _candle(row: Row[Any], symbol: str, bar: str, length_ms: int) -> events.Candle[Any]:
    return events.Candle(
        symbol=symbol,
        interval=bar,
        open_time_ns=row.open_ms * NS_PER_MS,
        close_time_ns=(following_ms(row.open_ms, length_ms) - 1) * NS_PER_MS,
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=row.volume,
        quote_volume=row.turnover,
        trades=0,
        closed=True,
    )
