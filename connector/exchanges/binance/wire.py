"""Structs of Binance's messages: subclasses of the normalised events, decoded in one pass.

Each is generic in the number type, so that one definition gives both variants: ``Trade[float]``
and ``Trade[Decimal]``. The tag is Binance's ``e``; msgspec checks it at no measurable cost, and a
payload without it (spot ``bookTicker``) passes. Unused fields are not declared, because msgspec
skips a field faster than it stores one. Times are milliseconds on the wire (``timeUnit`` is not
used); an impossible time does not decode.

A field that needs a conversion (a time in milliseconds, the maker flag for a side) is stored as
Binance sends it and converted when it is read (`connector.exchanges.spelling`).

Source: binance_spot §5, binance_usdm §4.
"""

# The stored type of a `spelled` field differs from the type that is read.
# pyright: reportIncompatibleVariableOverride=false, reportUnnecessaryTypeIgnoreComment=false

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Generic, Literal, TypeVar

import msgspec
from msgspec import field

from connector import events
from connector.events import Level, N_co, Number, Side
from connector.exchanges.numbers import Milliseconds
from connector.exchanges.spelling import NS_PER_MS, from_milliseconds, spelled

N = TypeVar("N", bound=Number)

_OFF_BOOK = frozenset({"INSURANCE_FUND", "ADL"})
"""Values of ``X`` of a trade. Source: binance_usdm §4."""
_SIDES = MappingProxyType[str, Side]({"BUY": "buy", "SELL": "sell"})


def _side_of_taker(trade: Any) -> Side:
    return "sell" if trade.wire_side else "buy"


def _is_off_book(trade: Any) -> bool:
    return trade.wire_off_book in _OFF_BOOK


def _time_of_funding(price: Any) -> int | None:
    # 0 for a contract that expires and has no funding.
    return price.wire_next_funding_time_ns * NS_PER_MS or None


@spelled(exchange_time_ns=from_milliseconds, side=_side_of_taker)
class Trade(events.Trade[N_co], gc=False, kw_only=True, tag_field="e", tag="trade"):
    """``<symbol>@trade``."""

    symbol: str = field(name="s")
    exchange_time_ns: Milliseconds = field(name="T")
    price: N_co = field(name="p")
    quantity: N_co = field(name="q")
    trade_id: int = field(name="t")
    side: bool = field(name="m")  # type: ignore[assignment]  # whether the buyer is the maker


@spelled(off_book=_is_off_book)
class FuturesTrade(Trade[N_co], gc=False, kw_only=True, tag_field="e", tag="trade"):
    """``<symbol>@trade`` of futures, where not everything was traded in the order book."""

    off_book: str = field(name="X", default="MARKET")  # type: ignore[assignment]
    previous_id: int = 0
    """The id of the previous trade, if it is not the id before: blank entries took the ids
    between."""


class AggregateTrade(Trade[N_co], gc=False, kw_only=True, tag_field="e", tag="aggTrade"):
    """``<symbol>@aggTrade``."""

    trade_id: int = field(name="a")


class Quote(events.Quote[N_co], gc=False, kw_only=True, tag_field="e", tag="bookTicker"):
    """``<symbol>@bookTicker`` of spot, which has neither ``e`` nor any time."""

    symbol: str = field(name="s")
    bid_price: N_co = field(name="b")
    bid_quantity: N_co = field(name="B")
    ask_price: N_co = field(name="a")
    ask_quantity: N_co = field(name="A")
    update_id: int = field(name="u")


@spelled(exchange_time_ns=from_milliseconds)
class TimedQuote(Quote[N_co], gc=False, kw_only=True):
    """``<symbol>@bookTicker`` of futures."""

    exchange_time_ns: Milliseconds = field(name="T")


class SpotPartialBook(events.BookSnapshot[N_co], gc=False, kw_only=True):
    """``<symbol>@depth5`` of spot: neither ``e`` nor symbol nor time."""

    symbol: str = field(name="s", default="")
    bids: list[Level[N_co]]
    asks: list[Level[N_co]]
    update_id: int = field(name="lastUpdateId")


@spelled(exchange_time_ns=from_milliseconds)
class PartialBook(
    events.BookSnapshot[N_co], gc=False, kw_only=True, tag_field="e", tag="depthUpdate"
):
    """``<symbol>@depth5`` of futures: the form of a delta, but the sides are complete."""

    symbol: str = field(name="s")
    exchange_time_ns: Milliseconds = field(name="E")
    bids: list[Level[N_co]] = field(name="b")
    asks: list[Level[N_co]] = field(name="a")
    update_id: int = field(name="u")


class PartialBookGlance(events.Event, gc=False, kw_only=True, tag_field="e", tag="depthUpdate"):
    """The fields that show whether a partial book of futures is newer."""

    symbol: str = field(name="s")
    update_id: int = field(name="u")


class SpotPartialBookGlance(events.Event, gc=False, kw_only=True):
    """The fields that show whether a partial book of spot is newer."""

    symbol: str = field(name="s", default="")
    update_id: int = field(name="lastUpdateId")


@spelled(exchange_time_ns=from_milliseconds)
class BookDelta(events.BookDelta[N_co], gc=False, kw_only=True, tag_field="e", tag="depthUpdate"):
    """``<symbol>@depth`` of spot."""

    symbol: str = field(name="s")
    exchange_time_ns: Milliseconds = field(name="E")
    bids: list[Level[N_co]] = field(name="b")
    asks: list[Level[N_co]] = field(name="a")
    first_update_id: int = field(name="U")
    last_update_id: int = field(name="u")


class ChainedBookDelta(BookDelta[N_co], gc=False, kw_only=True):
    """``<symbol>@depth`` of futures: each names the one before."""

    previous_update_id: int = field(name="pu")


@spelled(exchange_time_ns=from_milliseconds)
class Ticker(events.Ticker[N_co], gc=False, kw_only=True, tag_field="e", tag="24hrTicker"):
    """``<symbol>@ticker`` and an element of ``!ticker@arr``."""

    symbol: str = field(name="s")
    exchange_time_ns: Milliseconds = field(name="E")
    last: N_co = field(name="c")
    open: N_co = field(name="o")
    high: N_co = field(name="h")
    low: N_co = field(name="l")
    volume: N_co = field(name="v")
    quote_volume: N_co = field(name="q")
    price_change: N_co = field(name="p")
    price_change_percent: N_co = field(name="P")


@spelled(exchange_time_ns=from_milliseconds, next_funding_time_ns=_time_of_funding)
class MarkPrice(
    events.MarkPrice[N_co], gc=False, kw_only=True, tag_field="e", tag="markPriceUpdate"
):
    """``<symbol>@markPrice`` and an element of ``!markPrice@arr``; before 2020 without ``i``."""

    symbol: str = field(name="s")
    exchange_time_ns: Milliseconds = field(name="E")
    mark_price: N_co = field(name="p")
    index_price: N_co | None = field(name="i", default=None)
    funding_rate: N_co | None = field(name="r", default=None)
    next_funding_time_ns: Milliseconds = field(name="T", default=0)


class KlineBody(msgspec.Struct, Generic[N], gc=False):
    """The ``k`` of a kline."""

    interval: str = field(name="i")
    open_time_ms: Milliseconds = field(name="t")
    close_time_ms: Milliseconds = field(name="T")
    open: N = field(name="o")
    high: N = field(name="h")
    low: N = field(name="l")
    close: N = field(name="c")
    volume: N = field(name="v")
    quote_volume: N = field(name="q")
    trades: int = field(name="n")
    closed: bool = field(name="x")


class Kline(msgspec.Struct, Generic[N], gc=False, tag_field="e", tag="kline"):
    """``<symbol>@kline_<interval>``."""

    symbol: str = field(name="s")
    event_time_ms: Milliseconds = field(name="E")
    body: KlineBody[N] = field(name="k")

    def event(self) -> events.Candle[N]:
        """The event with its fields on one level."""
        body = self.body
        return events.Candle(
            symbol=self.symbol,
            exchange_time_ns=self.event_time_ms * NS_PER_MS,
            interval=body.interval,
            open_time_ns=body.open_time_ms * NS_PER_MS,
            close_time_ns=body.close_time_ms * NS_PER_MS,
            open=body.open,
            high=body.high,
            low=body.low,
            close=body.close,
            volume=body.volume,
            quote_volume=body.quote_volume,
            trades=body.trades,
            closed=body.closed,
        )


class ForceOrderBody(msgspec.Struct, Generic[N], gc=False):
    """The ``o`` of a force order."""

    symbol: str = field(name="s")
    side: Literal["BUY", "SELL"] = field(name="S")
    price: N = field(name="p")
    average_price: N = field(name="ap")
    quantity: N = field(name="q")
    filled_quantity: N = field(name="z")


class ForceOrder(msgspec.Struct, Generic[N], gc=False, tag_field="e", tag="forceOrder"):
    """``<symbol>@forceOrder`` and ``!forceOrder@arr``."""

    event_time_ms: Milliseconds = field(name="E")
    body: ForceOrderBody[N] = field(name="o")

    def event(self) -> events.Liquidation[N]:
        """The event with its fields on one level."""
        body = self.body
        return events.Liquidation(
            symbol=body.symbol,
            exchange_time_ns=self.event_time_ms * NS_PER_MS,
            side=_SIDES[body.side],
            price=body.price,
            average_price=body.average_price,
            quantity=body.quantity,
            filled_quantity=body.filled_quantity,
        )
