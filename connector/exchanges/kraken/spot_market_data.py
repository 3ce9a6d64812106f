"""REST requests for market data of Kraken spot: depth, recent trades, candles.

A pair is named as REST does, ``XBTUSD``. Only the newest 720 candles of an interval can be had. The
form of recent trades is not in the notes: assumed from Kraken's documentation as it is generally
known.

Source: kraken §7, and stored answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Generic, Literal
from urllib.parse import quote

import msgspec

from connector import events
from connector.channels import Trades
from connector.errors import ConfigError
from connector.exchanges.kraken.spot_rest import NEW_NAMES, spell
from connector.exchanges.kraken.v2_decode import NS_PER_MINUTE
from connector.exchanges.kraken.v2_wire import N
from connector.exchanges.numbers import ON_WIRE, decoder
from connector.exchanges.parameters import NumberType
from connector.exchanges.requests import (
    MINUTE_MS,
    BackfillOffer,
    BackfillWay,
    CandlesOffer,
    DepthOffer,
    PublicRequests,
    Span,
    TradesOffer,
)
from connector.exchanges.rest_service import RestRequest

NS_PER_SECOND = 1_000_000_000
MOST_LEVELS, MOST_TRADES, MOST_CANDLES = 500, 1000, 720
_OLD_NAMES = {new: old for old, new in NEW_NAMES.items()}


class Answer(msgspec.Struct):
    """The envelope: one entry of `result` is named as the pair, in one of its spellings."""

    result: dict[str, msgspec.Raw]


class Sides(msgspec.Struct, Generic[N], gc=False):
    """A book. Behind price and quantity a row has a time."""

    bids: list[events.Level[N]]
    asks: list[events.Level[N]]


class TradeRow(msgspec.Struct, Generic[N], array_like=True, gc=False):
    """A row of ``Trades``."""

    price: N
    quantity: N
    seconds: Decimal
    side: Literal["b", "s"]
    order_type: str
    more: str
    trade_id: int


class CandleRow(msgspec.Struct, Generic[N], array_like=True, gc=False):
    """A row of ``OHLC``."""

    seconds: int
    open: N
    high: N
    low: N
    close: N
    vwap: N
    volume: N
    trades: int


_ANSWER = msgspec.json.Decoder(Answer)


def _of_pair(body: bytes) -> bytes:
    """What a reply has of its pair.

    Raises:
        msgspec.ValidationError: it is of none, or of several.
    """
    found = [each for name, each in _ANSWER.decode(body).result.items() if name != "last"]
    if len(found) != 1:
        raise msgspec.ValidationError(f"a reply about {len(found)} pairs")
    return bytes(found[0])


def _pair(symbol: str) -> str:
    """How REST calls a pair.

    Raises:
        ConfigError: it is none.
    """
    base, slash, quoted = symbol.partition("/")
    if not (base and slash and quoted):
        raise ConfigError(f"kraken: {symbol!r} is not a symbol; write it as 'BTC/USD'")
    return quote(_OLD_NAMES.get(base, base) + _OLD_NAMES.get(quoted, quoted), safe="")


def requests(numbers: NumberType, intervals: Mapping[str, int]) -> PublicRequests:
    """The offered requests.

    Args:
        numbers: the type of prices and quantities.
        intervals: minutes, by what a program may write.
    """
    trades = _trades(numbers)
    return PublicRequests(
        depth=DepthOffer(limits=range(1, MOST_LEVELS + 1), request=_depth(numbers)),
        recent_trades=TradesOffer(most=MOST_TRADES, request=trades),
        candles=CandlesOffer(
            intervals={name: minutes * MINUTE_MS for name, minutes in intervals.items()},
            most=MOST_CANDLES,
            request=_candles(numbers, intervals),
            # One reply has all that can be had, whatever is asked for.
            oldest_first=True,
        ),
        backfill={
            Trades: BackfillOffer(
                ways=(
                    BackfillWay(
                        reach="newest",
                        most=MOST_TRADES,
                        request=lambda symbol, _, limit: trades(symbol, limit),
                    ),
                ),
                dense=True,
            )
        },
    )


def _depth(numbers: NumberType) -> Callable[[str, int], RestRequest[Any]]:
    kind: Any = Sides
    decode = decoder(kind[ON_WIRE[numbers]])

    def request(symbol: str, levels: int) -> RestRequest[Any]:
        spelled = spell(symbol)

        def read(body: bytes) -> events.BookSnapshot[Any]:
            sides = decode(_of_pair(body))
            return events.BookSnapshot(
                symbol=spelled, bids=sides.bids, asks=sides.asks, update_id=0
            )

        target = f"/0/public/Depth?pair={_pair(spelled)}&count={levels}"
        return RestRequest(target, 1, read)

    return request


def _trades(numbers: NumberType) -> Callable[[str, int], RestRequest[Any]]:
    row: Any = TradeRow
    many: Any = list
    decode = decoder(many[row[ON_WIRE[numbers]]])

    def request(symbol: str, limit: int) -> RestRequest[Any]:
        spelled = spell(symbol)

        def read(body: bytes) -> tuple[events.Trade[Any], ...]:
            return tuple(
                events.Trade(
                    symbol=spelled,
                    price=row.price,
                    quantity=row.quantity,
                    side="buy" if row.side == "b" else "sell",
                    trade_id=row.trade_id,
                    exchange_time_ns=int(row.seconds * NS_PER_SECOND),
                )
                for row in decode(_of_pair(body))
            )

        target = f"/0/public/Trades?pair={_pair(spelled)}&count={limit}"
        return RestRequest(target, 1, read)

    return request


def _candles(
    numbers: NumberType, intervals: Mapping[str, int]
) -> Callable[[str, str, Span], RestRequest[Any]]:
    row: Any = CandleRow
    many: Any = list
    decode = decoder(many[row[ON_WIRE[numbers]]])
    names = {minutes: name for name, minutes in reversed(tuple(intervals.items()))}

    def request(symbol: str, interval: str, span: Span) -> RestRequest[Any]:
        spelled, minutes = spell(symbol), intervals[interval]

        def read(body: bytes) -> tuple[events.Candle[Any], ...]:
            return tuple(
                events.Candle(
                    symbol=spelled,
                    interval=names[minutes],
                    open_time_ns=row.seconds * NS_PER_SECOND,
                    close_time_ns=row.seconds * NS_PER_SECOND + minutes * NS_PER_MINUTE - 1,
                    open=row.open,
                    high=row.high,
                    low=row.low,
                    close=row.close,
                    volume=row.volume,
                    quote_volume=row.volume * row.vwap,
                    trades=row.trades,
                    closed=True,
                )
                for row in decode(_of_pair(body))
            )

        # Whether candles of that very moment come is not documented.
        since = span.begin_ms // 1000 - 1
        target = f"/0/public/OHLC?pair={_pair(spelled)}&interval={minutes}&since={max(since, 0)}"
        return RestRequest(target, 1, read)

    return request
