"""What can be subscribed to: frozen values, the same for every exchange.

Pass channels to `connector.Adapter.subscribe`. Write symbols in any case. The type parameters are
the event that a feed of the channel yields, with float numbers and with Decimals.
"""

# The symbol of most channels is a field in place of the property of all.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs

from connector.bases.channel import AnyChannel, Channel
from connector.errors import ConfigError
from connector.events import (
    BookDelta,
    BookSnapshot,
    BookView,
    Candle,
    Liquidation,
    MarkPrice,
    Quote,
    RawMessage,
    Ticker,
    Trade,
)


def _check_symbol(instance: object, attribute: attrs.Attribute[Any], symbol: object) -> None:
    if symbol is None and attribute.default is None:
        return
    if not isinstance(symbol, str) or not symbol or not symbol.isprintable() or " " in symbol:
        raise ConfigError(
            f"{type(instance).__name__}: {symbol!r} is not a symbol; write it as the exchange "
            'does, such as "ETHUSDC"'
        )


def _check_flag(instance: object, attribute: attrs.Attribute[Any], flag: object) -> None:
    if not isinstance(flag, bool):
        raise ConfigError(f"{type(instance).__name__}: {attribute.name} is {flag!r}; True or False")


@attrs.frozen
class Trades(Channel[Trade[float], Trade[Decimal]]):
    """Every single trade of `symbol`.

    Binance's futures also report trades that were not matched in the order book. They are marked
    with `Trade.off_book`.

    With ``backfill=True``, the adapter fetches the trades that the stream missed and delivers them
    in their place, marked with `Trade.backfilled`. You then receive a `Gap` only for trades that
    could not be fetched.
    """

    symbol: str = attrs.field(validator=_check_symbol)
    """The symbol, in any case."""
    backfill: bool = attrs.field(default=False, validator=_check_flag, repr=False, kw_only=True)
    """Whether to fetch trades that the stream missed."""


@attrs.frozen
class AggregateTrades(Channel[Trade[float], Trade[Decimal]]):
    """The trades of one taker order at one price, as one event. `backfill` works as in `Trades`."""

    symbol: str = attrs.field(validator=_check_symbol)
    """The symbol, in any case."""
    backfill: bool = attrs.field(default=False, validator=_check_flag, repr=False, kw_only=True)
    """Whether to fetch trades that the stream missed."""


@attrs.frozen
class BestQuote(Channel[Quote[float], Quote[Decimal]]):
    """The best bid and the best ask of `symbol`, at every change."""

    symbol: str = attrs.field(validator=_check_symbol)
    """The symbol, in any case."""


@attrs.frozen
class PartialBook(Channel[BookSnapshot[float], BookSnapshot[Decimal]]):
    """A snapshot of the best `levels` of both sides, every `interval_ms` milliseconds."""

    symbol: str = attrs.field(validator=_check_symbol)
    """The symbol, in any case."""
    levels: int = 5
    """Levels per side; each exchange offers a few numbers."""
    interval_ms: int = 100
    """Milliseconds between two snapshots."""


@attrs.frozen
class BookDeltas(Channel[BookDelta[float], BookDelta[Decimal]]):
    """Changes of the whole book, every `interval_ms` milliseconds.

    0 means real time, on exchanges that offer it. To get a complete book, use `OrderBook`.
    """

    symbol: str = attrs.field(validator=_check_symbol)
    """The symbol, in any case."""
    interval_ms: int = 100
    """Milliseconds between two deltas; 0 is real time."""


def _check_depth(instance: object, _: attrs.Attribute[Any], depth: object) -> None:
    if depth is not None and (not isinstance(depth, int) or isinstance(depth, bool) or depth < 1):
        raise ConfigError(
            f"{type(instance).__name__}: depth is {depth!r}; write the "
            "number of levels per side that you "
            "want to see, such as 20, or None for all"
        )


@attrs.frozen
class OrderBook(Channel[BookView[float], BookView[Decimal]]):
    """A local order book, built from a snapshot and deltas. It is correct while it is `synced`.

    `depth` is the number of levels per side (None: all known levels); a small depth saves memory.
    `interval_ms` is the interval of the deltas, in milliseconds. With ``synced_only=True``, the
    feed leaves out the event for a book that is not synced any more. A feed with ``gaps=True``
    still yields the `Gap`.
    """

    symbol: str = attrs.field(validator=_check_symbol)
    """The symbol, in any case."""
    depth: int | None = attrs.field(default=None, validator=_check_depth)
    """Levels per side; None for all known levels."""
    interval_ms: int = attrs.field(default=100, kw_only=True)
    """Milliseconds between two deltas."""
    synced_only: bool = attrs.field(default=False, kw_only=True)
    """Whether to leave out events of a book that is not synced."""


@attrs.frozen
class Candles(Channel[Candle[float], Candle[Decimal]]):
    """Candles of one `interval`, written as the exchange does: "1m", "4h", …"""

    symbol: str = attrs.field(validator=_check_symbol)
    """The symbol, in any case."""
    interval: str = "1m"
    """The length of a candle, as the exchange writes it."""


@attrs.frozen
class Tickers(Channel[Ticker[float], Ticker[Decimal]]):
    """Statistics of the last 24 hours, of one symbol or of all that changed (None)."""

    symbol: str | None = attrs.field(default=None, validator=_check_symbol)
    """The symbol, in any case; None for all symbols."""


@attrs.frozen
class MarkPrices(Channel[MarkPrice[float], MarkPrice[Decimal]]):
    """Mark price and funding of one symbol, or of all symbols (None)."""

    symbol: str | None = attrs.field(default=None, validator=_check_symbol)
    """The symbol, in any case; None for all symbols."""
    interval_ms: int = 1000
    """Milliseconds between two events."""


@attrs.frozen
class Liquidations(Channel[Liquidation[float], Liquidation[Decimal]]):
    """Liquidation orders of one symbol, or of all symbols (None)."""

    symbol: str | None = attrs.field(default=None, validator=_check_symbol)
    """The symbol, in any case; None for all symbols."""


@attrs.frozen
class RawStream(Channel[RawMessage, RawMessage]):
    """A stream by its name on the wire, undecoded. Use it for streams without a channel."""

    name: str = attrs.field(validator=_check_symbol)
    """The exchange's name of the stream."""


__all__ = [
    "AggregateTrades",
    "AnyChannel",
    "BestQuote",
    "BookDeltas",
    "Candles",
    "Channel",
    "Liquidations",
    "MarkPrices",
    "OrderBook",
    "PartialBook",
    "RawStream",
    "Tickers",
    "Trades",
]
