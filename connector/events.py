"""What a feed yields: normalised market events, the same for every exchange.

An exchange decodes its frames straight into subclasses of these structs (`connector.exchanges`),
in one pass and without intermediate objects; whatever an exchange spells differently (a time in
milliseconds, a maker flag for a side) is a property of the subclass. `received_ns` and `session`
are stamped by the adapter. Treat events as values: the same object goes to every feed. Only a
`BookView` changes by itself.

Prices and quantities are `float`, or `decimal.Decimal` if the exchange was made with
``numbers=Decimal``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, ClassVar, Literal, TypeAlias, cast

import msgspec

from connector.channel import AnyChannel
from connector.errors import ConfigError
from connector.validation import check_count

Number: TypeAlias = float | Decimal
Side: TypeAlias = Literal["buy", "sell"]


class Event(msgspec.Struct, gc=False, kw_only=True):
    """Anything a feed can yield."""

    fields: ClassVar[tuple[str, ...]] = ("symbol", "exchange_time_ns", "received_ns", "session")
    """The public names of this event, in order: what `asdict` and the repr show."""

    symbol: str
    """The exchange's own spelling, upper case where the exchange's is; empty if there is none."""
    received_ns: int = 0
    """Wall clock, nanoseconds since the epoch, one reading per socket read. The exchange's clock
    may be ahead of it: a negative lag is possible and no error."""
    session: int = 0
    """Number of the link's connection that brought it: 1, 2, 3 …"""

    @property
    def exchange_time_ns(self) -> int | None:
        """The exchange's own time of the event, nanoseconds since the epoch; None if not told."""
        return None

    def __repr__(self) -> str:
        body = ", ".join(f"{name}={getattr(self, name, None)!r}" for name in self.fields)
        return f"{_public_name(type(self))}({body})"


def _public_name(kind: type) -> str:
    """Name of the normalised event that an exchange's struct stands for."""
    return next(base.__name__ for base in kind.__mro__ if base.__module__ == __name__)


def asdict(event: Event) -> dict[str, Any]:
    """The public fields of `event` by name; a `Level` stays one."""
    return {name: getattr(event, name) for name in event.fields}


class Level(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One price level of a book; in a `BookDelta` a quantity of 0 removes the level."""

    price: Number
    quantity: Number

    def __iter__(self) -> Iterator[Number]:
        yield self.price
        yield self.quantity


class Trade(Event, gc=False, kw_only=True):
    """One trade, or one aggregate of trades at the same price and side."""

    fields = (*Event.fields, "price", "quantity", "side", "trade_id")

    price: Number
    quantity: Number
    trade_id: int

    @property
    def side(self) -> Side:
        """The aggressor's side: "buy" if the taker bought."""
        raise AttributeError(f"{type(self).__name__} does not say which side was aggressor")

    @property
    def off_book(self) -> bool:
        """Whether it was not matched in the order book, but taken over by an insurance fund, say:
        its price may be far from the market's.
        """
        return False


class Quote(Event, gc=False, kw_only=True):
    """Best bid and ask."""

    fields = (
        *Event.fields, "bid_price", "bid_quantity", "ask_price", "ask_quantity", "update_id",
    )  # fmt: skip

    bid_price: Number
    bid_quantity: Number
    ask_price: Number
    ask_quantity: Number
    update_id: int


class BookSnapshot(Event, gc=False, kw_only=True):
    """The best levels of a book, complete in itself: best first on both sides."""

    fields = (*Event.fields, "bids", "asks", "update_id")

    bids: list[Level]
    asks: list[Level]
    update_id: int

    @property
    def checksum(self) -> int | None:
        """The exchange's checksum of the book, where it sends one; else None."""
        return None


class BookDelta(Event, gc=False, kw_only=True):
    """Changes to a book: absolute quantities per price, 0 removes the level."""

    fields = (
        *Event.fields, "bids", "asks", "first_update_id", "last_update_id", "previous_update_id",
    )  # fmt: skip

    bids: list[Level]
    asks: list[Level]
    first_update_id: int
    last_update_id: int

    @property
    def previous_update_id(self) -> int | None:
        """`last_update_id` of the delta before, where the exchange says it; else None."""
        return None

    @property
    def checksum(self) -> int | None:
        """The exchange's checksum of the book after it, where it sends one; else None."""
        return None


class BookView(Event, gc=False, kw_only=True):
    """A local order book, as it is at the moment at which you look.

    Not a copy but a window: the exchange's next delta changes what it shows, its ids and times
    included. So read what you need before you await again, or keep a copy: `depth`.

    While `synced` is False it shows nothing: both sides are empty, and `best_bid` and all that is
    derived from it is None.
    """

    fields = (*Event.fields, "bids", "asks", "update_id", "synced")

    bids: Sequence[Level]
    """Best first."""
    asks: Sequence[Level]
    update_id: int = 0
    """The exchange's id of the last change; 0 where it has none, or while not synced."""
    synced: bool = False
    """Whether this is the exchange's book."""
    changed_ns: int | None = None

    @property
    def exchange_time_ns(self) -> int | None:
        """The exchange's time of the last change."""
        return self.changed_ns

    @property
    def best_bid(self) -> Level | None:
        """The highest price somebody pays; None if nobody does."""
        try:
            return self.bids[0]
        except IndexError:
            return None

    @property
    def best_ask(self) -> Level | None:
        """The lowest price somebody sells at; None if nobody does."""
        try:
            return self.asks[0]
        except IndexError:
            return None

    @property
    def mid(self) -> Number | None:
        """Halfway between best bid and best ask; None without both."""
        bid, ask = self.best_bid, self.best_ask
        return None if bid is None or ask is None else _half(bid.price, ask.price)

    @property
    def spread(self) -> Number | None:
        """Best ask minus best bid; None without both."""
        bid, ask = self.best_bid, self.best_ask
        return None if bid is None or ask is None else _minus(ask.price, bid.price)

    def imbalance(self, levels: int = 1) -> float | None:
        """How the quantity of the best `levels` is spread: 1 all bids, -1 all asks, 0 evenly.

        None if there is no quantity at all.
        """
        check_count("imbalance: levels", levels)
        bids = sum(float(level.quantity) for level in islice(self.bids, levels))
        asks = sum(float(level.quantity) for level in islice(self.asks, levels))
        return (bids - asks) / (bids + asks) if bids or asks else None

    def vwap(self, side: Side, quantity: Number) -> Number | None:
        """The average price at which an order of `quantity` would trade at once.

        Args:
            side: of the order: a "buy" takes asks, a "sell" takes bids.
            quantity: in the units of the book; above 0.

        None if the book does not hold so much.

        Raises:
            ConfigError: there is no such side, or it is no quantity above 0 of the book's type.
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
                return cast("Number", cost / quantity)
        return None

    def depth(self, levels: int | None = None) -> BookView:
        """A copy of the best `levels`, None for all, that stays as it is."""
        if levels is not None:
            check_count("depth: levels", levels)
        return BookView(
            symbol=self.symbol,
            received_ns=self.received_ns,
            session=self.session,
            bids=tuple(islice(self.bids, levels)),
            asks=tuple(islice(self.asks, levels)),
            update_id=self.update_id,
            synced=self.synced,
            changed_ns=self.changed_ns,
        )


def _half(low: Any, high: Any) -> Number:
    return cast("Number", (low + high) / 2)


def _minus(high: Any, low: Any) -> Number:
    return cast("Number", high - low)


class Candle(Event, gc=False, kw_only=True):
    """A candle (kline); it is repeated, changed, until `closed` is true."""

    fields = (
        *Event.fields, "interval", "open_time_ns", "close_time_ns", "open", "high", "low", "close",
        "volume", "quote_volume", "trades", "closed",
    )  # fmt: skip

    interval: str
    open_time_ns: int
    close_time_ns: int
    open: Number
    high: Number
    low: Number
    close: Number
    volume: Number
    quote_volume: Number
    trades: int
    closed: bool


class Ticker(Event, gc=False, kw_only=True):
    """Statistics of a rolling 24 hours."""

    fields = (
        *Event.fields, "last", "open", "high", "low", "volume", "quote_volume", "price_change",
        "price_change_percent",
    )  # fmt: skip

    last: Number
    open: Number
    high: Number
    low: Number
    volume: Number
    quote_volume: Number
    price_change: Number
    price_change_percent: Number


class MarkPrice(Event, gc=False, kw_only=True):
    """Mark price, index price and funding of a perpetual or future."""

    fields = (
        *Event.fields, "mark_price", "index_price", "funding_rate", "next_funding_time_ns",
    )  # fmt: skip

    mark_price: Number
    index_price: Number | None
    funding_rate: Number | None

    @property
    def next_funding_time_ns(self) -> int | None:
        """When the next funding is exchanged, nanoseconds since the epoch; None if never."""
        return None


class Liquidation(Event, gc=False, kw_only=True):
    """A liquidation order that the exchange placed for somebody."""

    fields = (*Event.fields, "side", "price", "average_price", "quantity", "filled_quantity")

    side: Side
    price: Number
    average_price: Number
    quantity: Number
    filled_quantity: Number


class RawMessage(Event, gc=False, kw_only=True):
    """The payload of a stream as it came, undecoded JSON text in bytes."""

    fields = (*Event.fields, "stream", "data")

    stream: str
    data: bytes


class Gap(Event, gc=False, kw_only=True):
    """Data of these channels was, or may have been, lost between the events around it.

    Yielded by feeds opened with ``gaps=True``, at the place in the stream where the loss is.
    """

    fields = (*Event.fields, "channels", "reason", "dropped", "since_ns")

    channels: tuple[AnyChannel, ...]
    reason: str
    """"disconnected", "overflow", "conflated" (with ``gaps="all"``), "sequence", "decode error"
    or "resubscribed"; of a local order book also "checksum", "crossed" or "depth" (the price left
    what is known)."""
    dropped: int | None = None
    """How many events were lost, if that is known."""
    since_ns: int | None = None
    """When the link last read something before the loss was noticed, as `received_ns`; None if
    that is not known."""


__all__ = [
    "BookDelta",
    "BookSnapshot",
    "BookView",
    "Candle",
    "Event",
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
]
