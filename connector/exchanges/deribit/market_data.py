"""REST requests for market data of Deribit: depth, recent trades, candles, funding rates.

Which end of a span with more candles than the limit is answered is not documented, so a long span
is asked for in parts. How many points an answer has at most is from general knowledge. A rate of
``get_funding_rate_history`` is that of the hour before: ``interest_1h``.

Source: deribit §5, §6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec

from connector import events
from connector.channels import Trades
from connector.errors import ConfigError
from connector.events import Number
from connector.exchanges.deribit import decode, wire
from connector.exchanges.deribit.frames import spell
from connector.exchanges.numbers import ON_WIRE, Milliseconds, decoder
from connector.exchanges.parameters import NumberType
from connector.exchanges.protocol import RestRequest
from connector.exchanges.requests import (
    HOUR_MS,
    BackfillOffer,
    BackfillWay,
    CandlesOffer,
    DepthOffer,
    FundingOffer,
    PublicRequests,
    Span,
    TradesOffer,
)
from connector.exchanges.spelling import NS_PER_MS

N = TypeVar("N", bound=Number)

LEVELS = (1, 5, 10, 20, 50, 100, 1000, 10_000)
_MOST_TRADES, _MOST_CANDLES, _MOST_RATES = 1000, 1000, 500


class _Book(msgspec.Struct, Generic[N], gc=False):
    """The answer to ``get_order_book``."""

    result: wire.WholeBook[N]


class _TradeList(msgspec.Struct, Generic[N], gc=False):
    trades: list[wire.Trade[N]]


class _Trades(msgspec.Struct, Generic[N], gc=False):
    """The answer to ``get_last_trades_by_instrument``."""

    result: _TradeList[N]


class _Columns(msgspec.Struct, Generic[N], gc=False):
    ticks: list[Milliseconds]
    open: list[N]
    high: list[N]
    low: list[N]
    close: list[N]
    volume: list[N]
    cost: list[N]


class _Candles(msgspec.Struct, Generic[N], gc=False):
    """The answer to ``get_tradingview_chart_data``, a list for each column."""

    result: _Columns[N]


class _Rate(msgspec.Struct, Generic[N], gc=False):
    timestamp: Milliseconds
    interest_1h: N


class _Rates(msgspec.Struct, Generic[N], gc=False):
    """The answer to ``get_funding_rate_history``."""

    result: list[_Rate[N]]


def requests(numbers: NumberType, resolutions: Mapping[str, str]) -> PublicRequests:
    """The offered requests.

    Args:
        numbers: the type of prices and quantities.
        resolutions: Deribit's spelling of each interval that a program may use.
    """
    on_wire = ON_WIRE[numbers]
    return PublicRequests(
        depth=DepthOffer(limits=LEVELS, request=_depth(on_wire)),
        recent_trades=TradesOffer(most=_MOST_TRADES, request=_trades(on_wire)),
        candles=CandlesOffer(
            intervals={name: decode.RESOLUTION_MS[each] for name, each in resolutions.items()},
            most=_MOST_CANDLES,
            request=_candles(on_wire, resolutions),
            oldest_first=False,
        ),
        backfill={
            Trades: BackfillOffer(
                ways=(BackfillWay(reach="from", most=_MOST_TRADES, request=_trades_from(on_wire)),),
                dense=True,
            )
        },
        funding_rates=FundingOffer(most=_MOST_RATES, request=_funding(on_wire), oldest_first=True),
    )


def _target(method: str, symbol: str, **query: object) -> str:
    asked = "".join(f"&{name}={value}" for name, value in query.items())
    return f"/api/v2/public/{method}?instrument_name={quote(symbol, safe='')}{asked}"


def _depth(numbers: Any) -> Callable[[str, int], RestRequest[Any]]:
    kind: Any = _Book
    read_book = decoder(kind[numbers])
    return lambda symbol, levels: RestRequest(
        _target("get_order_book", spell(symbol), depth=levels),
        1,
        lambda body: read_book(body).result,
    )


def _trades(numbers: Any) -> Callable[[str, int], RestRequest[Any]]:
    kind: Any = _Trades
    read_rows = decoder(kind[numbers])

    def read(body: bytes) -> tuple[events.Trade[Any], ...]:
        return tuple(sorted(read_rows(body).result.trades, key=lambda trade: trade.trade_id))

    return lambda symbol, limit: RestRequest(
        _target("get_last_trades_by_instrument", spell(symbol), count=limit, sorting="desc"),
        1,
        read,
    )


def _trades_from(numbers: Any) -> Callable[[str, int | None, int], RestRequest[Any]]:
    kind: Any = _Trades
    read_rows = decoder(kind[numbers])

    def read(body: bytes) -> tuple[events.Trade[Any], ...]:
        return tuple(sorted(read_rows(body).result.trades, key=lambda trade: trade.trade_id))

    def request(symbol: str, number: int | None, limit: int) -> RestRequest[Any]:
        begin = {} if number is None else {"start_seq": number}
        target = _target(
            "get_last_trades_by_instrument", spell(symbol), **begin, count=limit, sorting="asc"
        )
        return RestRequest(target, 1, read)

    return request


def _candles(
    numbers: Any, resolutions: Mapping[str, str]
) -> Callable[[str, str, Span], RestRequest[Any]]:
    kind: Any = _Candles
    read_columns = decoder(kind[numbers])

    def request(symbol: str, interval: str, span: Span) -> RestRequest[Any]:
        resolution, spelled = resolutions[interval], spell(symbol)

        def read(body: bytes) -> tuple[events.Candle[Any], ...]:
            said = read_columns(body).result
            columns = (said.ticks, said.open, said.high, said.low, said.close, said.volume,
                       said.cost)  # fmt: skip
            try:
                rows = tuple(zip(*columns, strict=True))
            except ValueError as error:
                raise msgspec.ValidationError(f"columns of different lengths: {error}") from error
            return tuple(
                decode.candle(wire.CandleRow(*row), spelled, resolution, closed=True)
                for row in rows
            )

        target = _target(
            "get_tradingview_chart_data",
            spelled,
            start_timestamp=span.begin_ms,
            end_timestamp=span.end_ms - 1,
            resolution=resolution,
        )
        return RestRequest(target, 1, read)

    return request


def _funding(numbers: Any) -> Callable[[str, Span], RestRequest[Any]]:
    kind: Any = _Rates
    read_rows = decoder(kind[numbers])

    def request(symbol: str, span: Span) -> RestRequest[Any]:
        spelled = spell(symbol)
        if not spelled.endswith("-PERPETUAL"):
            raise ConfigError(f"deribit: {spelled} has no funding; write a perpetual")

        def read(body: bytes) -> tuple[events.FundingRate[Any], ...]:
            return tuple(
                events.FundingRate(
                    symbol=spelled,
                    funding_rate=row.interest_1h,
                    exchange_time_ns=row.timestamp * NS_PER_MS,
                )
                for row in read_rows(body).result
            )

        # As many hours as may come, so that it does not matter which end is cut off.
        end_ms = min(span.end_ms, span.begin_ms + span.limit * HOUR_MS) - 1
        target = _target(
            "get_funding_rate_history",
            spelled,
            start_timestamp=span.begin_ms,
            end_timestamp=end_ms,
        )
        return RestRequest(target, 1, read)

    return request
