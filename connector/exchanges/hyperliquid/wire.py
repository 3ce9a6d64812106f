"""What Hyperliquid writes, as structs: subclasses of the normalised events where they can be.

Prices and sizes are strings, times milliseconds. The numbers of a level have names.

Source: hyperliquid §5.
"""

# The stored type of a `spelled` field differs from the type that is read.
# pyright: reportIncompatibleVariableOverride=false, reportUnnecessaryTypeIgnoreComment=false

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

import msgspec
from msgspec import field

from connector import events
from connector.events import N_co, Number, Side
from connector.exchanges.numbers import Milliseconds
from connector.exchanges.spelling import from_milliseconds, spelled

N = TypeVar("N", bound=Number)


def _side(trade: Any) -> Side:
    """``B`` and ``A`` are sides of the book, and that of the taker's order."""
    return "buy" if trade.wire_side == "B" else "sell"


@spelled(exchange_time_ns=from_milliseconds, side=_side)
class Trade(events.Trade[N_co], gc=False, kw_only=True):
    """A row of ``trades``. Its id is a hash: unique together with the time, and in no order."""

    symbol: str = field(name="coin")
    exchange_time_ns: Milliseconds = field(name="time")
    price: N_co = field(name="px")
    quantity: N_co = field(name="sz")
    side: Literal["A", "B"]  # type: ignore[assignment]
    trade_id: int = field(name="tid")
    seen: tuple[int, ...] = field(name="-", default=())
    """Ids of the trades of its time that have been delivered, its own included."""


class Trades(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``trades``."""

    data: list[Trade[N]]


class Row(msgspec.Struct, Generic[N], gc=False):
    """A price level; ``n``, the number of its orders, is not read."""

    px: N
    sz: N


class Level(events.Level[N_co], array_like=False, frozen=True, gc=False):
    """The same in a book."""

    price: N_co = field(name="px")
    quantity: N_co = field(name="sz")


class Book(msgspec.Struct, Generic[N], gc=False):
    """The ``data`` of ``l2Book``: bids and asks, best first."""

    coin: str
    time: Milliseconds
    levels: tuple[list[Level[N]], list[Level[N]]]
    fast: bool | None = None


class BookFrame(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``l2Book``."""

    data: Book[N]


@spelled(exchange_time_ns=from_milliseconds)
class BookSnapshot(events.BookSnapshot[N_co], gc=False, kw_only=True):
    """A whole book. There are no ids: its time stands for one."""

    exchange_time_ns: Milliseconds = 0


class Best(msgspec.Struct, Generic[N], gc=False):
    """The ``data`` of ``bbo``: best bid and ask, null or absent where there is none."""

    coin: str
    time: Milliseconds
    bbo: list[Row[N] | None]


class BestFrame(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``bbo``."""

    data: Best[N]


@spelled(exchange_time_ns=from_milliseconds)
class Quote(events.Quote[N_co], gc=False, kw_only=True):
    """Best bid and ask. There are no ids: its time stands for one."""

    exchange_time_ns: Milliseconds = 0


class Context(msgspec.Struct, Generic[N], rename="camel", gc=False):
    """What is known of a coin; the last four are those of perpetuals, or of newer versions."""

    prev_day_px: N
    day_ntl_vlm: N
    mark_px: N
    day_base_vlm: N | None = None
    funding: N | None = None
    oracle_px: N | None = None


class CoinContext(msgspec.Struct, Generic[N], gc=False):
    """The ``data`` of ``activeAssetCtx`` and ``activeSpotAssetCtx``."""

    coin: str
    ctx: Context[N]


class ContextFrame(msgspec.Struct, Generic[N], gc=False):
    """A frame of either."""

    data: CoinContext[N]


class Candle(msgspec.Struct, Generic[N], gc=False):
    """The ``data`` of ``candle``."""

    begin: Milliseconds = field(name="t")
    end: Milliseconds = field(name="T")
    symbol: str = field(name="s")
    interval: str = field(name="i")
    open: N = field(name="o")
    high: N = field(name="h")
    low: N = field(name="l")
    close: N = field(name="c")
    volume: N = field(name="v")
    trades: int = field(name="n")


class CandleFrame(msgspec.Struct, Generic[N], gc=False):
    """A frame of ``candle``."""

    data: Candle[N]
