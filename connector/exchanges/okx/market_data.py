"""REST requests for market data of OKX: depth, recent trades, candles, funding rates.

Everything comes newest first, so a long span is asked for in parts, by what is older than a moment.
Candles of the newest 1,440 bars and older ones have requests of their own; that of the older ones
may answer 100 at most, so no more are asked for. ``realizedRate`` is what was paid, and
``fundingRate`` what was expected: assumed from OKX's documentation as it is generally known, for
the notes do not tell the fields.

Aggregate trades cannot be fetched. The stream sends one row per taker order, price and source. What
is fetched are single trades with number, price, size, side and time, and nothing that two trades of
one order have in common. Neighbours with the same price, side and millisecond may be one order or
several, so a run of n of them could have been sent in 2 ** (n - 1) ways. In a recording of 69
consecutive trades of BTC-USDT, 39 are in such runs. Whatever one makes of them is a guess, so
`connector.channels.AggregateTrades` has no backfill. `connector.channels.Trades` has.

Source: okx §4, §5, §6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from connector import channels, events
from connector.errors import ConfigError
from connector.exchanges.numbers import ON_WIRE, Milliseconds, number
from connector.exchanges.okx import decode
from connector.exchanges.parameters import NumberType
from connector.exchanges.protocol import RestRequest
from connector.exchanges.requests import (
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

_MOST_LEVELS, _MOST_TRADES, _MOST_CANDLES, _MOST_RATES = 400, 500, 100, 400
_PAGE = 100
"""Of old trades."""
_NO_AGGREGATES = (
    "OKX tells past trades one by one, and not which of them were one order; subscribe to "
    "Trades(…, backfill=True)"
)
_RECENT_BARS = 1440 - _MOST_CANDLES
"""Candles that are not older are asked for where the newest are."""


class Funding(msgspec.Struct, rename="camel", gc=False):
    """A row of ``funding-rate-history``."""

    inst_id: str
    funding_time: Milliseconds
    funding_rate: str = ""
    realized_rate: str = ""


class FundingRates(msgspec.Struct, gc=False):
    """The reply to ``funding-rate-history``."""

    data: list[Funding]


def requests(numbers: NumberType, bars: Mapping[str, str]) -> PublicRequests:
    """The offered requests.

    Args:
        numbers: the type of prices and quantities.
        bars: OKX's spelling of each interval that a program may use.
    """
    return PublicRequests(
        depth=DepthOffer(limits=range(1, _MOST_LEVELS + 1), request=_depth(numbers)),
        recent_trades=TradesOffer(most=_MOST_TRADES, request=_trades(numbers)),
        candles=CandlesOffer(
            intervals={name: decode.BAR_MS[bar] for name, bar in bars.items()},
            most=_MOST_CANDLES,
            request=_candles(numbers, bars),
            oldest_first=False,
        ),
        backfill={
            channels.Trades: BackfillOffer(
                ways=(BackfillWay(reach="before", most=_PAGE, request=_old_trades(numbers)),)
            )
        },
        reasons={channels.AggregateTrades: _NO_AGGREGATES},
        funding_rates=FundingOffer(most=_MOST_RATES, request=_funding(numbers), oldest_first=False),
    )


def _target(path: str, symbol: str, **query: object) -> str:
    asked = "".join(f"&{name}={value}" for name, value in query.items())
    return f"/api/v5/{path}?instId={quote(symbol, safe='')}{asked}"


def _depth(numbers: NumberType) -> Callable[[str, int], RestRequest[Any]]:
    def request(symbol: str, levels: int) -> RestRequest[Any]:
        spelled = symbol.upper()
        target = _target("market/books", spelled, sz=levels)
        return RestRequest(target, 1, decode.fetched_book(ON_WIRE[numbers], spelled))

    return request


def _trades(numbers: NumberType) -> Callable[[str, int], RestRequest[Any]]:
    read_rows = decode.trades(ON_WIRE[numbers], "")

    def read(body: bytes) -> tuple[events.Trade[Any], ...]:
        return tuple(reversed(read_rows(body)))

    return lambda symbol, limit: RestRequest(
        _target("market/trades", symbol.upper(), limit=limit), 1, read
    )


def _old_trades(numbers: NumberType) -> Callable[[str, int | None, int], RestRequest[Any]]:
    read_rows = decode.trades(ON_WIRE[numbers], "")

    def request(symbol: str, number: int | None, limit: int) -> RestRequest[Any]:
        older = {} if number is None else {"after": number}
        target = _target("market/history-trades", symbol.upper(), type=1, **older, limit=limit)
        return RestRequest(target, 1, lambda body: tuple(reversed(read_rows(body))))

    return request


def _candles(
    numbers: NumberType, bars: Mapping[str, str]
) -> Callable[[str, str, Span], RestRequest[Any]]:
    def request(symbol: str, interval: str, span: Span) -> RestRequest[Any]:
        bar = bars[interval]
        spelled = symbol.upper()
        read_rows = decode.candles_of(bar)(ON_WIRE[numbers], spelled)
        recent = span.begin_ms > span.now_ms - _RECENT_BARS * decode.BAR_MS[bar]
        target = _target(
            "market/candles" if recent else "market/history-candles",
            spelled,
            bar=bar,
            after=span.end_ms,
            limit=span.limit,
        )
        return RestRequest(target, 1, lambda body: tuple(read_rows(body)))

    return request


def _funding(numbers: NumberType) -> Callable[[str, Span], RestRequest[Any]]:
    read_rows = msgspec.json.Decoder(FundingRates, strict=False).decode

    def read(body: bytes) -> tuple[events.FundingRate[Any], ...]:
        return tuple(
            events.FundingRate(
                symbol=row.inst_id,
                funding_rate=number(row.realized_rate or row.funding_rate, numbers),
                exchange_time_ns=row.funding_time * NS_PER_MS,
            )
            for row in read_rows(body).data
        )

    def request(symbol: str, span: Span) -> RestRequest[Any]:
        spelled = symbol.upper()
        if not spelled.endswith("-SWAP"):
            raise ConfigError(f"okx: {spelled} has no funding; write a swap, as BTC-USDT-SWAP")
        target = _target(
            "public/funding-rate-history", spelled, after=span.end_ms, limit=span.limit
        )
        return RestRequest(target, 2, read)

    return request
