"""REST requests for market data of Bitget: depth, recent trades, candles, funding rates of futures.

Books are JSON numbers and have no id. The newest candles and older ones have requests of their own:
that of the newest, which has the candle that runs, excludes the begin and includes the end of a
span, that of older ones the reverse. Which end is cut off is not documented, so a long span is
asked for in parts. How many levels and trades an answer has at most, and that a row of candles is a
list, is from general knowledge.

Of funding rates the notes have the path alone. The rest is assumed, as it is generally known: they
come in pages of 100, ``cursor`` is the number of a page, the newest rates are on the first, and
``resultList`` has ``fundingRate`` and ``fundingRateTimestamp``. A plain list is read as well, and
``fundingTime`` as v2 writes it. If Bitget does not heed ``cursor``, one page is all you get.

Source: bitget §6.
"""

# The stored type of a `spelled` field differs from the type that is read.
# pyright: reportIncompatibleVariableOverride=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import field

from connector import events
from connector.channels import Trades
from connector.events import Level, N_co, Number, Side
from connector.exchanges.bitget import decode, wire
from connector.exchanges.bitget.frames import Market, inst_type
from connector.exchanges.numbers import ON_WIRE, Milliseconds, decoder
from connector.exchanges.parameters import NumberType
from connector.exchanges.protocol import RestRequest
from connector.exchanges.requests import (
    DAY_MS,
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

N = TypeVar("N", bound=Number)

_MOST_LEVELS, _MOST_TRADES, _MOST_CANDLES, _MOST_RATES = 200, 100, 100, 100
_RECENT_MS = 30 * DAY_MS
"""For so long the newest candles of a minute are kept; a part of a span is no longer."""


@spelled(exchange_time_ns=from_milliseconds)
class _Book(events.BookSnapshot[N_co], gc=False, kw_only=True):
    symbol: str = field(name="-", default="")
    bids: list[Level[N_co]] = field(name="b")
    asks: list[Level[N_co]] = field(name="a")
    exchange_time_ns: Milliseconds = field(name="ts")
    update_id: int = field(name="-id", default=0)


class _BookAnswer(msgspec.Struct, Generic[N], gc=False):
    """The answer to ``orderbook``."""

    data: _Book[N]


@spelled(exchange_time_ns=from_milliseconds)
class _Fill(events.Trade[N_co], gc=False, kw_only=True):
    symbol: str = field(name="-", default="")
    exchange_time_ns: Milliseconds = field(name="ts")
    price: N_co
    quantity: N_co = field(name="size")
    side: Side
    trade_id: int = field(name="execId")


class _Fills(msgspec.Struct, Generic[N], gc=False):
    """The answer to ``fills``."""

    data: list[_Fill[N]]


class _Candles(msgspec.Struct, Generic[N], gc=False):
    """The answer to ``candles`` and ``history-candles``."""

    data: list[wire.ClassicCandleRow[N]]


class _Rate(msgspec.Struct, Generic[N], rename="camel", gc=False):
    """A row of ``history-fund-rate``."""

    funding_rate: N
    funding_rate_timestamp: Milliseconds | None = None
    funding_time: Milliseconds | None = None

    def __post_init__(self) -> None:
        if self.funding_rate_timestamp is None and self.funding_time is None:
            raise ValueError("a funding rate has no time")


class _RatePage(msgspec.Struct, Generic[N], rename="camel", gc=False):
    result_list: list[_Rate[N]]


class _Rates(msgspec.Struct, Generic[N], gc=False):
    """The answer to ``history-fund-rate``."""

    data: _RatePage[N] | list[_Rate[N]]


def requests(market: Market, numbers: NumberType, intervals: Mapping[str, str]) -> PublicRequests:
    """The offered requests.

    Args:
        market: "spot" or "futures".
        numbers: the type of prices and quantities.
        intervals: Bitget's spelling of each interval that a program may use.
    """
    on_wire = ON_WIRE[numbers]
    trades = _trades(market, on_wire)
    return PublicRequests(
        depth=DepthOffer(limits=range(1, _MOST_LEVELS + 1), request=_depth(market, on_wire)),
        recent_trades=TradesOffer(most=_MOST_TRADES, request=trades),
        candles=CandlesOffer(
            intervals={name: decode.length_ms(each) for name, each in intervals.items()},
            most=_MOST_CANDLES,
            request=_candles(market, on_wire, intervals),
            oldest_first=False,
            most_ms=_RECENT_MS,
        ),
        # Ids jump, and that they rise is not documented.
        backfill={
            Trades: BackfillOffer(
                ways=(
                    BackfillWay(
                        reach="newest",
                        most=_MOST_TRADES,
                        request=lambda symbol, _, limit: trades(symbol, limit),
                    ),
                ),
                numbered=False,
            )
        },
        funding_rates=(
            None
            if market == "spot"
            else FundingOffer(
                most=_MOST_RATES, request=_funding(market, on_wire), oldest_first=False, paged=True
            )
        ),
    )


def _target(what: str, market: Market, symbol: str, **query: object) -> str:
    category = inst_type(market, symbol).upper()
    asked = "".join(f"&{name}={value}" for name, value in query.items())
    return f"/api/v3/market/{what}?category={category}&symbol={quote(symbol, safe='')}{asked}"


def _depth(market: Market, numbers: Any) -> Callable[[str, int], RestRequest[Any]]:
    kind: Any = _BookAnswer
    read_book = decoder(kind[numbers])

    def request(symbol: str, levels: int) -> RestRequest[Any]:
        spelled_symbol = symbol.upper()

        def read(body: bytes) -> events.BookSnapshot[Any]:
            book: events.BookSnapshot[Any] = read_book(body).data
            book.symbol = spelled_symbol
            return book

        target = _target("orderbook", market, spelled_symbol, limit=levels)
        return RestRequest(target, 1, read)

    return request


def _trades(market: Market, numbers: Any) -> Callable[[str, int], RestRequest[Any]]:
    kind: Any = _Fills
    read_rows = decoder(kind[numbers])

    def request(symbol: str, limit: int) -> RestRequest[Any]:
        spelled_symbol = symbol.upper()

        def read(body: bytes) -> tuple[events.Trade[Any], ...]:
            rows: list[Any] = read_rows(body).data
            for row in rows:
                row.symbol = spelled_symbol
            return tuple(sorted(rows, key=lambda row: (row.exchange_time_ns, row.trade_id)))

        return RestRequest(_target("fills", market, spelled_symbol, limit=limit), 1, read)

    return request


def _candles(
    market: Market, numbers: Any, intervals: Mapping[str, str]
) -> Callable[[str, str, Span], RestRequest[Any]]:
    kind: Any = _Candles
    read_rows = decoder(kind[numbers])

    def request(symbol: str, interval: str, span: Span) -> RestRequest[Any]:
        spelled_symbol, own = symbol.upper(), intervals[interval]
        recent = span.begin_ms > span.now_ms - _RECENT_MS

        def read(body: bytes) -> tuple[events.Candle[Any], ...]:
            return tuple(
                decode.candle(row, spelled_symbol, own, closed=True) for row in read_rows(body).data
            )

        target = _target(
            "candles" if recent else "history-candles",
            market,
            spelled_symbol,
            interval=own,
            startTime=span.begin_ms - recent,
            endTime=span.end_ms - recent,
            limit=span.limit,
        )
        return RestRequest(target, 1, read)

    return request


def _funding(market: Market, numbers: Any) -> Callable[[str, Span], RestRequest[Any]]:
    kind: Any = _Rates
    read_rates = decoder(kind[numbers])

    def request(symbol: str, span: Span) -> RestRequest[Any]:
        spelled_symbol = symbol.upper()

        def read(body: bytes) -> tuple[events.FundingRate[Any], ...]:
            data: Any = read_rates(body).data
            return tuple(
                events.FundingRate(
                    symbol=spelled_symbol,
                    funding_rate=row.funding_rate,
                    exchange_time_ns=(row.funding_rate_timestamp or row.funding_time) * NS_PER_MS,
                )
                for row in (data if isinstance(data, list) else data.result_list)
            )

        target = _target(
            "history-fund-rate", market, spelled_symbol, limit=span.limit, cursor=span.page
        )
        return RestRequest(target, 1, read)

    return request
