"""What a feed yields: normalised market events, the same for every exchange.

Events are values. Build them by keyword, compare, copy, pickle and encode them; treat them as
immutable, because the same object goes to every feed. Only a `BookView` changes by itself.

An event is generic in its numbers: ``Trade`` is short for ``Trade[float]``, and an exchange made
with ``numbers=Decimal`` yields ``Trade[Decimal]``.

An exchange decodes its frames straight into subclasses of these structs, in one pass. What it
spells in its own way (a time in milliseconds, a maker flag instead of a side) is converted when you
read it. `plain` turns such an event into the class of this module; the two are equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, Generic, Literal, TypeAlias, TypeVar, cast

from connector.bases.channel import AnyChannel
from connector.bases.event import Event, Level, Number, asdict, kind_of, plain
from connector.bases.event import N_co as N_co  # noqa: PLC0414  # for the structs of exchanges
from connector.errors import ConfigError
from connector.inputs.validation import check_count

Side: TypeAlias = Literal["buy", "sell"]
"""Of an order or of a trade's aggressor."""

_N = TypeVar("_N", float, Decimal)


class Trade(Event, Generic[N_co], gc=False, kw_only=True):
    """One trade, or one aggregate of trades at the same price and side."""

    fields = (*Event.fields, "price", "quantity", "side", "trade_id", "off_book", "backfilled")

    price: N_co
    """In the quote asset."""
    quantity: N_co
    """In the base asset, or in contracts where the exchange counts so."""
    side: Side
    """The aggressor's side: "buy" if the taker bought."""
    trade_id: int
    """The exchange's number of the trade. On most exchanges it rises by 1."""
    off_book: bool = False
    """Whether the trade was not matched in the order book, for example a takeover by an insurance
    fund. Its price may be far from the market's."""
    backfilled: bool = False
    """Whether the stream missed it and the adapter fetched it (``Trades(…, backfill=True)``)."""


class Quote(Event, Generic[N_co], gc=False, kw_only=True):
    """Best bid and ask."""

    fields = (
        *Event.fields, "bid_price", "bid_quantity", "ask_price", "ask_quantity", "update_id",
    )  # fmt: skip

    bid_price: N_co
    """The highest price of a buy order, in the quote asset."""
    bid_quantity: N_co
    """The quantity of all buy orders at `bid_price`, in the base asset or in contracts."""
    ask_price: N_co
    """The lowest price of a sell order, in the quote asset."""
    ask_quantity: N_co
    """The quantity of all sell orders at `ask_price`, in the base asset or in contracts."""
    update_id: int
    """The exchange's number of the change to the book. It rises."""


class BookLevels(Event, Generic[N_co], gc=False, kw_only=True):
    """The two sides of a book, and what they say: the base of `BookSnapshot` and `BookView`."""

    fields = (*Event.fields, "bids", "asks")

    bids: Sequence[Level[N_co]]
    """The buyers' levels, the highest price first."""
    asks: Sequence[Level[N_co]]
    """The sellers' levels, the lowest price first."""

    @property
    def best_bid(self) -> Level[N_co] | None:
        """The highest buy level; None if there is none."""
        return self.bids[0] if self.bids else None

    @property
    def best_ask(self) -> Level[N_co] | None:
        """The lowest sell level; None if there is none."""
        return self.asks[0] if self.asks else None

    @property
    def mid(self) -> N_co | None:
        """Halfway between best bid and best ask; None without both."""
        bid, ask = self.best_bid, self.best_ask
        return None if bid is None or ask is None else cast("N_co", _half(bid.price, ask.price))

    @property
    def spread(self) -> N_co | None:
        """Best ask minus best bid; None without both."""
        bid, ask = self.best_bid, self.best_ask
        return None if bid is None or ask is None else cast("N_co", _minus(ask.price, bid.price))

    def imbalance(self, levels: int = 1) -> float | None:
        """The share of bids minus the share of asks in the quantity of the best `levels`.

        1 means only bids, -1 only asks, 0 an equal quantity of both. None if both sides are empty.
        """
        check_count("imbalance: levels", levels)
        bids = sum(float(level.quantity) for level in islice(self.bids, levels))
        asks = sum(float(level.quantity) for level in islice(self.asks, levels))
        return (bids - asks) / (bids + asks) if bids or asks else None

    def vwap(self: BookLevels[_N], side: Side, quantity: _N) -> _N | None:
        """The average price at which an order of `quantity` would trade at once.

        Args:
            side: of the order: a "buy" takes asks, a "sell" takes bids.
            quantity: in the units of the book; above 0.

        None if the book holds less than `quantity`.

        Raises:
            ConfigError: `side` or `quantity` is wrong, or `quantity` is not of the book's type.
        """
        if side not in ("buy", "sell") or not quantity > 0:
            raise ConfigError(
                f'vwap({side!r}, {quantity!r}): write "buy" or "sell", and a quantity above 0'
            )
        left: Any = quantity
        cost: Any = 0
        for level in self.asks if side == "buy" else self.bids:
            taken = min(left, level.quantity)
            try:
                cost += taken * level.price
                left -= taken
            except TypeError:
                kind = type(level.price).__name__
                raise ConfigError(
                    f"vwap({side!r}, {quantity!r}): the numbers of this book are {kind}; write "
                    f"the quantity as {kind}, too"
                ) from None
            if not left:
                return cast("_N", cost / quantity)
        return None


class BookSnapshot(BookLevels[N_co], Generic[N_co], gc=False, kw_only=True):
    """The best levels of a book. Each snapshot is complete and replaces the previous one."""

    fields = (*Event.fields, "bids", "asks", "update_id", "checksum")

    # Nobody assigns to an event, so the narrower type is safe.
    bids: list[Level[N_co]]  # pyright: ignore[reportIncompatibleVariableOverride]
    """The buyers' levels, the highest price first."""
    asks: list[Level[N_co]]  # pyright: ignore[reportIncompatibleVariableOverride]
    """The sellers' levels, the lowest price first."""
    update_id: int
    """The exchange's number of the last change in this snapshot."""
    checksum: int | None = None
    """The exchange's checksum of the book; None if it sends none."""


class BookDelta(Event, Generic[N_co], gc=False, kw_only=True):
    """Changes to a book. Each level has the new quantity at its price; 0 removes the level."""

    fields = (
        *Event.fields, "bids", "asks", "first_update_id", "last_update_id", "previous_update_id",
        "checksum",
    )  # fmt: skip

    bids: list[Level[N_co]]
    """The buyers' levels that changed, in any order."""
    asks: list[Level[N_co]]
    """The sellers' levels that changed, in any order."""
    first_update_id: int
    """The exchange's number of the first change in this delta."""
    last_update_id: int
    """The exchange's number of the last change in this delta."""
    previous_update_id: int | None = None
    """`last_update_id` of the previous delta; None if the exchange does not send it."""
    checksum: int | None = None
    """The exchange's checksum of the book after this delta; None if it sends none."""


class BookView(BookLevels[N_co], Generic[N_co], gc=False, kw_only=True):
    """A live view of a local order book.

    The view is not a copy: the exchange's next delta changes it, including its ids and times. Read
    the values that you need before the next ``await``, or call `depth` for a copy. Pickling and
    `plain` also give you a copy.

    While `synced` is False, the view is empty: both sides have no levels, and `best_bid`,
    `best_ask`, `mid` and `spread` are None.
    """

    fields = (*Event.fields, "bids", "asks", "update_id", "synced")
    _live = True

    update_id: int = 0
    """The exchange's number of the last change; 0 if it has none, or while not synced."""
    synced: bool = False
    """Whether the view equals the exchange's book."""

    def depth(self, levels: int | None = None) -> BookView[N_co]:
        """A copy of the best `levels` (None: of all) that later deltas do not change."""
        if levels is not None:
            check_count("depth: levels", levels)
        return BookView(
            symbol=self.symbol,
            exchange_time_ns=self.exchange_time_ns,
            received_ns=self.received_ns,
            session=self.session,
            bids=tuple(islice(self.bids, levels)),
            asks=tuple(islice(self.asks, levels)),
            update_id=self.update_id,
            synced=self.synced,
        )


def _half(low: Any, high: Any) -> Any:
    return (low + high) / 2


def _minus(high: Any, low: Any) -> Any:
    return high - low


class Candle(Event, Generic[N_co], gc=False, kw_only=True):
    """A candle (kline). The feed repeats it with new values until `closed` is True."""

    fields = (
        *Event.fields, "interval", "open_time_ns", "close_time_ns", "open", "high", "low", "close",
        "volume", "quote_volume", "trades", "closed",
    )  # fmt: skip

    interval: str
    """The length of the candle as the exchange writes it, such as "1m"."""
    open_time_ns: int
    """Time at which the candle begins, nanoseconds since the epoch."""
    close_time_ns: int
    """Time at which the candle ends, as the exchange writes it, nanoseconds since the epoch."""
    open: N_co
    """The price of the first trade."""
    high: N_co
    """The highest price."""
    low: N_co
    """The lowest price."""
    close: N_co
    """The price of the latest trade."""
    volume: N_co
    """The traded quantity, in the base asset or in contracts."""
    quote_volume: N_co
    """The traded value, in the quote asset."""
    trades: int
    """The number of trades."""
    closed: bool
    """Whether the candle has ended and will not change any more."""


class Ticker(Event, Generic[N_co], gc=False, kw_only=True):
    """Statistics of a rolling 24 hours."""

    fields = (
        *Event.fields, "last", "open", "high", "low", "volume", "quote_volume", "price_change",
        "price_change_percent",
    )  # fmt: skip

    last: N_co
    """The price of the latest trade."""
    open: N_co
    """The price 24 hours ago."""
    high: N_co
    """The highest price."""
    low: N_co
    """The lowest price."""
    volume: N_co
    """The traded quantity, in the base asset or in contracts."""
    quote_volume: N_co
    """The traded value, in the quote asset."""
    price_change: N_co
    """`last` minus `open`, in the quote asset."""
    price_change_percent: N_co
    """`price_change` in percent of `open`: 1.5 is 1.5 %."""


class MarkPrice(Event, Generic[N_co], gc=False, kw_only=True):
    """Mark price, index price and funding of a perpetual or future."""

    fields = (
        *Event.fields, "mark_price", "index_price", "funding_rate", "next_funding_time_ns",
    )  # fmt: skip

    mark_price: N_co
    """The price at which the exchange values and liquidates positions, in the quote asset."""
    index_price: N_co | None
    """The price of the underlying on spot markets; None if the exchange sends none."""
    funding_rate: N_co | None
    """The rate that longs pay to shorts next: 0.0001 is 0.01 %. None without funding."""
    next_funding_time_ns: int | None = None
    """Time of the next funding, nanoseconds since the epoch; None without funding."""


class FundingRate(Event, Generic[N_co], gc=False, kw_only=True):
    """The rate that longs paid to shorts at `exchange_time_ns`."""

    fields = (*Event.fields, "funding_rate", "mark_price")

    funding_rate: N_co
    """A fraction of the position's value: 0.0001 is 0.01 %. If it is negative, shorts paid."""
    mark_price: N_co | None = None
    """The mark price at that time; None if the exchange does not send it."""


class Liquidation(Event, Generic[N_co], gc=False, kw_only=True):
    """An order that the exchange placed to liquidate a position."""

    fields = (*Event.fields, "side", "price", "average_price", "quantity", "filled_quantity")

    side: Side
    """The side of the order: "sell" if a long position was liquidated."""
    price: N_co
    """The limit price of the order, in the quote asset."""
    average_price: N_co
    """The average price of its fills, in the quote asset."""
    quantity: N_co
    """The quantity of the order, in the base asset or in contracts."""
    filled_quantity: N_co
    """The quantity that has been filled so far."""


class RawMessage(Event, gc=False, kw_only=True):
    """The payload of a stream, undecoded: JSON text in bytes."""

    fields = (*Event.fields, "stream", "data")

    stream: str
    """The exchange's name of the stream."""
    data: bytes
    """The payload, byte for byte."""


class Gap(Event, gc=False, kw_only=True):
    """Data was lost, or may have been lost, between the events before and after the gap.

    Feeds opened with ``gaps=True`` yield it in place of the lost data. `symbol` is empty if several
    symbols may be affected. `received_ns` is the time at which the loss was detected.
    """

    fields = (
        *Event.fields, "channels", "reason", "dropped", "since_ns", "begin_ns", "end_ns",
        "first_id", "last_id",
    )  # fmt: skip

    channels: tuple[AnyChannel, ...]
    """The channels that lost data; ``channel.symbol`` is the symbol of each."""
    reason: str
    """The cause: "disconnected", "overflow", "conflated" (with ``gaps="all"``), "sequence",
    "decode error" or "resubscribed". A local order book also has "checksum", "crossed" and "depth"
    (the price left the known levels)."""
    dropped: int | None = None
    """The number of lost events; None if it is not known."""
    since_ns: int | None = None
    """Time of the last read before the loss was detected, by this machine's clock, nanoseconds
    since the epoch; None if it is not known."""
    begin_ns: int | None = None
    """Begin of the missing data by the exchange's clock, in nanoseconds; None if unknown."""
    end_ns: int | None = None
    """End of the missing data by the exchange's clock, in nanoseconds; None if unknown."""
    first_id: int | None = None
    """The first missing trade id; None for other channels, or if it is not known."""
    last_id: int | None = None
    """The last missing trade id; None for other channels, or if it is not known."""


__all__ = [
    "BookDelta",
    "BookLevels",
    "BookSnapshot",
    "BookView",
    "Candle",
    "Event",
    "FundingRate",
    "Gap",
    "Level",
    "Liquidation",
    "MarkPrice",
    "Number",
    "Quote",
    "RawMessage",
    "Side",
    "Ticker",
    "Trade",
    "asdict",
    "kind_of",
    "plain",
]
