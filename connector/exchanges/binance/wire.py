"""What Binance writes, as structs: subclasses of the normalised events, decoded in one pass.

Each is generic in the number type, so that one definition gives both variants: ``Trade[float]``
and ``Trade[Decimal]``. The tag is Binance's ``e``; msgspec checks it at no measurable cost, and a
payload without it (spot ``bookTicker``) passes. Fields nobody reads are left out: msgspec skips
them faster than it stores them. Times are milliseconds on the wire (``timeUnit`` is not used), and
one that cannot be does not decode.

Source: binance_spot §5, binance_usdm §4.
"""

# The fields of an event are narrowed here (a Number to a float, a Level to its variant), which is
# sound because events are values: nobody assigns to them.
# pyright: reportIncompatibleVariableOverride=false, reportUnnecessaryTypeIgnoreComment=false

from __future__ import annotations

from types import MappingProxyType
from typing import Generic, Literal, TypeVar

import msgspec
from msgspec import field

from connector import events
from connector.events import Number, Side
from connector.exchanges.numbers import Milliseconds

N = TypeVar("N", bound=Number)

NS_PER_MS = 1_000_000

_OFF_BOOK = frozenset({"INSURANCE_FUND", "ADL"})
"""Values of ``X`` of a trade. Source: binance_usdm §4."""
_SIDES = MappingProxyType[str, Side]({"BUY": "buy", "SELL": "sell"})


class Level(events.Level, Generic[N], array_like=True, frozen=True, gc=False):
    """``["61837.63", "3.788"]``."""

    price: N
    quantity: N


class Trade(events.Trade, Generic[N], gc=False, kw_only=True, tag_field="e", tag="trade"):
    """``<symbol>@trade``."""

    symbol: str = field(name="s")
    trade_time_ms: Milliseconds = field(name="T")
    price: N = field(name="p")
    quantity: N = field(name="q")
    trade_id: int = field(name="t")
    buyer_is_maker: bool = field(name="m")

    @property
    def exchange_time_ns(self) -> int:
        return self.trade_time_ms * NS_PER_MS

    @property
    def side(self) -> Side:
        return "sell" if self.buyer_is_maker else "buy"


class FuturesTrade(Trade[N], gc=False, kw_only=True, tag_field="e", tag="trade"):
    """``<symbol>@trade`` of futures, where not everything was traded in the order book."""

    order_type: str = field(name="X", default="MARKET")
    previous_id: int = 0
    """The id that this one follows, where it is not the one before: that stood for nothing."""

    @property
    def off_book(self) -> bool:
        return self.order_type in _OFF_BOOK


class AggregateTrade(Trade[N], gc=False, kw_only=True, tag_field="e", tag="aggTrade"):
    """``<symbol>@aggTrade``."""

    trade_id: int = field(name="a")


class Quote(events.Quote, Generic[N], gc=False, kw_only=True, tag_field="e", tag="bookTicker"):
    """``<symbol>@bookTicker`` of spot, which has neither ``e`` nor any time."""

    symbol: str = field(name="s")
    bid_price: N = field(name="b")
    bid_quantity: N = field(name="B")
    ask_price: N = field(name="a")
    ask_quantity: N = field(name="A")
    update_id: int = field(name="u")


class TimedQuote(Quote[N], gc=False, kw_only=True):
    """``<symbol>@bookTicker`` of futures."""

    transaction_time_ms: Milliseconds = field(name="T")

    @property
    def exchange_time_ns(self) -> int:
        return self.transaction_time_ms * NS_PER_MS


class SpotPartialBook(events.BookSnapshot, Generic[N], gc=False, kw_only=True):
    """``<symbol>@depth5`` of spot: neither ``e`` nor symbol nor time."""

    symbol: str = field(name="s", default="")
    bids: list[Level[N]]  # type: ignore[assignment]
    asks: list[Level[N]]  # type: ignore[assignment]
    update_id: int = field(name="lastUpdateId")


class PartialBook(
    events.BookSnapshot, Generic[N], gc=False, kw_only=True, tag_field="e", tag="depthUpdate"
):
    """``<symbol>@depth5`` of futures: the form of a delta, but the sides are complete."""

    symbol: str = field(name="s")
    event_time_ms: Milliseconds = field(name="E")
    bids: list[Level[N]] = field(name="b")  # type: ignore[assignment]
    asks: list[Level[N]] = field(name="a")  # type: ignore[assignment]
    update_id: int = field(name="u")

    @property
    def exchange_time_ns(self) -> int:
        return self.event_time_ms * NS_PER_MS


class PartialBookGlance(events.Event, gc=False, kw_only=True, tag_field="e", tag="depthUpdate"):
    """What tells whether a partial book of futures is newer."""

    symbol: str = field(name="s")
    update_id: int = field(name="u")


class SpotPartialBookGlance(events.Event, gc=False, kw_only=True):
    """What tells whether a partial book of spot is newer."""

    symbol: str = field(name="s", default="")
    update_id: int = field(name="lastUpdateId")


class BookDelta(
    events.BookDelta, Generic[N], gc=False, kw_only=True, tag_field="e", tag="depthUpdate"
):
    """``<symbol>@depth`` of spot."""

    symbol: str = field(name="s")
    event_time_ms: Milliseconds = field(name="E")
    bids: list[Level[N]] = field(name="b")  # type: ignore[assignment]
    asks: list[Level[N]] = field(name="a")  # type: ignore[assignment]
    first_update_id: int = field(name="U")
    last_update_id: int = field(name="u")

    @property
    def exchange_time_ns(self) -> int:
        return self.event_time_ms * NS_PER_MS


class ChainedBookDelta(BookDelta[N], gc=False, kw_only=True):
    """``<symbol>@depth`` of futures: each names the one before."""

    previous: int = field(name="pu")

    @property
    def previous_update_id(self) -> int:
        return self.previous


class Ticker(events.Ticker, Generic[N], gc=False, kw_only=True, tag_field="e", tag="24hrTicker"):
    """``<symbol>@ticker`` and an element of ``!ticker@arr``."""

    symbol: str = field(name="s")
    event_time_ms: Milliseconds = field(name="E")
    last: N = field(name="c")
    open: N = field(name="o")
    high: N = field(name="h")
    low: N = field(name="l")
    volume: N = field(name="v")
    quote_volume: N = field(name="q")
    price_change: N = field(name="p")
    price_change_percent: N = field(name="P")

    @property
    def exchange_time_ns(self) -> int:
        return self.event_time_ms * NS_PER_MS


class MarkPrice(
    events.MarkPrice, Generic[N], gc=False, kw_only=True, tag_field="e", tag="markPriceUpdate"
):
    """``<symbol>@markPrice`` and an element of ``!markPrice@arr``; before 2020 without ``i``."""

    symbol: str = field(name="s")
    event_time_ms: Milliseconds = field(name="E")
    mark_price: N = field(name="p")
    index_price: N | None = field(name="i", default=None)
    funding_rate: N | None = field(name="r", default=None)
    next_funding_time_ms: Milliseconds = field(name="T", default=0)

    @property
    def exchange_time_ns(self) -> int:
        return self.event_time_ms * NS_PER_MS

    @property
    def next_funding_time_ns(self) -> int | None:
        # 0 for a contract that expires and has no funding.
        return self.next_funding_time_ms * NS_PER_MS or None


class Candle(events.Candle, gc=False, kw_only=True):
    """A candle with the time of its event."""

    event_time_ms: Milliseconds

    @property
    def exchange_time_ns(self) -> int:
        return self.event_time_ms * NS_PER_MS


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

    def event(self) -> Candle:
        """The same, flat."""
        body = self.body
        return Candle(
            symbol=self.symbol,
            event_time_ms=self.event_time_ms,
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


class Liquidation(events.Liquidation, gc=False, kw_only=True):
    """A liquidation with the time of its event."""

    event_time_ms: Milliseconds

    @property
    def exchange_time_ns(self) -> int:
        return self.event_time_ms * NS_PER_MS


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

    def event(self) -> Liquidation:
        """The same, flat."""
        body = self.body
        return Liquidation(
            symbol=body.symbol,
            event_time_ms=self.event_time_ms,
            side=_SIDES[body.side],
            price=body.price,
            average_price=body.average_price,
            quantity=body.quantity,
            filled_quantity=body.filled_quantity,
        )
