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

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, ClassVar, Generic, Literal, TypeAlias, TypeVar, cast

import msgspec
import typing_extensions

from connector.channel import AnyChannel
from connector.errors import ConfigError
from connector.validation import check_count

Number: TypeAlias = float | Decimal
"""What prices and quantities are."""
Side: TypeAlias = Literal["buy", "sell"]
"""Of an order or of a trade's aggressor."""

N_co = typing_extensions.TypeVar("N_co", bound=Number, covariant=True, default=float)
"""The numbers of an event, in the classes of events and in the structs of exchanges."""
_N = TypeVar("_N", float, Decimal)
E = TypeVar("E", bound="Event")


class Event(msgspec.Struct, gc=False, kw_only=True):
    """Anything a feed can yield."""

    fields: ClassVar[tuple[str, ...]] = ("symbol", "exchange_time_ns", "received_ns", "session")
    """The public names of this event, in order: what `asdict`, ``repr`` and ``==`` look at."""

    symbol: str
    """The exchange's own spelling, upper case where the exchange's is; empty if there is none."""
    exchange_time_ns: int | None = None
    """The exchange's own time of the event, nanoseconds since the epoch; None if it sends none."""
    received_ns: int = 0
    """Wall clock, nanoseconds since the epoch, one reading per socket read. The exchange's clock
    may be ahead of it: a negative lag is possible and no error."""
    session: int = 0
    """Number of the link's connection that brought the event: 1, 2, 3 …"""

    def __repr__(self) -> str:
        body = ", ".join(f"{name}={getattr(self, name, None)!r}" for name in self.fields)
        return f"{kind_of(self).__name__}({body})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        return kind_of(self) is kind_of(other) and _values(self) == _values(other)

    __hash__ = None  # type: ignore[assignment]  # the adapter writes into it

    def __reduce__(self) -> tuple[Any, ...]:
        return _build, (kind_of(self), _values(self))

    def __replace__(self, /, **changes: Any) -> Event:
        return _build(kind_of(self), _values(self) | changes)


def kind_of(event: Event) -> type[Event]:
    """The public class that `event` is an instance of, such as `Trade`.

    The class of an event that came from an exchange is the exchange's own subclass of it.
    """
    return next(base for base in type(event).__mro__ if "fields" in vars(base))


def asdict(event: Event) -> dict[str, Any]:
    """The public fields of `event` by name; a `Level` stays one."""
    return {name: getattr(event, name) for name in event.fields}


def plain(event: E) -> E:
    """`event` as an instance of its public class, whose fields have the public names.

    Encode that: ``msgspec.json.encode(plain(trade))`` writes ``symbol`` and ``price``, and
    ``msgspec.json.decode(data, type=Trade)`` reads it. The exchange's own subclass would be
    written in the exchange's words. Of a `BookView` it is a copy, as `BookView.depth`.
    """
    kind = kind_of(event)
    if type(event) is kind and not isinstance(event, BookView):
        return event
    return cast("E", _build(kind, _values(event)))


def _build(kind: type[Event], values: dict[str, Any]) -> Event:
    return kind(**values)


def _values(event: Event) -> dict[str, Any]:
    """The fields of `event`, with nothing in them that an exchange or a live book owns."""
    values = asdict(event)
    for side in ("bids", "asks"):
        if side in values:
            values[side] = [Level(level.price, level.quantity) for level in values[side]]
    return values


class Level(msgspec.Struct, Generic[N_co], array_like=True, frozen=True, gc=False):
    """One price level of a book; in a `BookDelta` a quantity of 0 removes the level.

    ``price, quantity = level`` unpacks it.
    """

    price: N_co
    """In the quote asset."""
    quantity: N_co
    """In the base asset, or in contracts where the exchange counts so."""

    def __iter__(self) -> Iterator[N_co]:
        yield self.price
        yield self.quantity

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Level):
            return NotImplemented
        return bool(self.price == other.price and self.quantity == other.quantity)

    def __hash__(self) -> int:
        return hash((self.price, self.quantity))


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
    """The exchange's number of the trade; it rises by 1 where the exchange counts without holes."""
    off_book: bool = False
    """Whether it was not matched in the order book, but taken over by an insurance fund, say: its
    price may be far from the market's."""
    backfilled: bool = False
    """Whether it was missed by the stream and fetched later (``Trades(…, backfill=True)``)."""


class Quote(Event, Generic[N_co], gc=False, kw_only=True):
    """Best bid and ask."""

    fields = (
        *Event.fields, "bid_price", "bid_quantity", "ask_price", "ask_quantity", "update_id",
    )  # fmt: skip

    bid_price: N_co
    """The highest price that somebody pays, in the quote asset."""
    bid_quantity: N_co
    """How much is wanted at that price, in the base asset or in contracts."""
    ask_price: N_co
    """The lowest price that somebody sells at, in the quote asset."""
    ask_quantity: N_co
    """How much is offered at that price, in the base asset or in contracts."""
    update_id: int
    """The exchange's number of the change to the book; it rises."""


class BookSnapshot(Event, Generic[N_co], gc=False, kw_only=True):
    """The best levels of a book, complete in itself: best first on both sides."""

    fields = (*Event.fields, "bids", "asks", "update_id", "checksum")

    bids: list[Level[N_co]]
    """The buyers' levels, the highest price first."""
    asks: list[Level[N_co]]
    """The sellers' levels, the lowest price first."""
    update_id: int
    """The exchange's number of the last change in it."""
    checksum: int | None = None
    """The exchange's checksum of the book, where it sends one."""


class BookDelta(Event, Generic[N_co], gc=False, kw_only=True):
    """Changes to a book: absolute quantities per price, 0 removes the level."""

    fields = (
        *Event.fields, "bids", "asks", "first_update_id", "last_update_id", "previous_update_id",
        "checksum",
    )  # fmt: skip

    bids: list[Level[N_co]]
    """The buyers' levels that changed, in any order."""
    asks: list[Level[N_co]]
    """The sellers' levels that changed, in any order."""
    first_update_id: int
    """The exchange's number of the first change in it."""
    last_update_id: int
    """The exchange's number of the last change in it."""
    previous_update_id: int | None = None
    """`last_update_id` of the delta before, where the exchange sends it."""
    checksum: int | None = None
    """The exchange's checksum of the book after it, where it sends one."""


class BookView(Event, Generic[N_co], gc=False, kw_only=True):
    """A local order book, as it is at the moment at which you look.

    Not a copy but a window: the exchange's next delta changes what it shows, its ids and times
    included. So read what you need before you await again, or keep a copy: `depth`. The copy is a
    value as every other event; a view that you pickle, deepcopy or give to `plain` becomes one.

    While `synced` is False it shows nothing: both sides are empty, and `best_bid` and all that is
    derived from it is None.
    """

    fields = (*Event.fields, "bids", "asks", "update_id", "synced")

    bids: Sequence[Level[N_co]]
    """The buyers' levels, the highest price first."""
    asks: Sequence[Level[N_co]]
    """The sellers' levels, the lowest price first."""
    update_id: int = 0
    """The exchange's number of the last change; 0 where it has none, or while not synced."""
    synced: bool = False
    """Whether this is the exchange's book."""

    @property
    def best_bid(self) -> Level[N_co] | None:
        """The highest price somebody pays; None if nobody does."""
        try:
            return self.bids[0]
        except IndexError:
            return None

    @property
    def best_ask(self) -> Level[N_co] | None:
        """The lowest price somebody sells at; None if nobody does."""
        try:
            return self.asks[0]
        except IndexError:
            return None

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
        """How the quantity of the best `levels` is spread: 1 all bids, -1 all asks, 0 evenly.

        None if there is no quantity at all.
        """
        check_count("imbalance: levels", levels)
        bids = sum(float(level.quantity) for level in islice(self.bids, levels))
        asks = sum(float(level.quantity) for level in islice(self.asks, levels))
        return (bids - asks) / (bids + asks) if bids or asks else None

    def vwap(self: BookView[_N], side: Side, quantity: _N) -> _N | None:
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
                return cast("_N", cost / quantity)
        return None

    def depth(self, levels: int | None = None) -> BookView[N_co]:
        """A copy of the best `levels`, None for all, that stays as it is."""
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
    """A candle (kline); it is repeated, changed, until `closed` is true."""

    fields = (
        *Event.fields, "interval", "open_time_ns", "close_time_ns", "open", "high", "low", "close",
        "volume", "quote_volume", "trades", "closed",
    )  # fmt: skip

    interval: str
    """Its length in the exchange's spelling, such as "1m"."""
    open_time_ns: int
    """Its begin, nanoseconds since the epoch."""
    close_time_ns: int
    """Its end as the exchange writes it, nanoseconds since the epoch."""
    open: N_co
    """The price of the first trade."""
    high: N_co
    """The highest price."""
    low: N_co
    """The lowest price."""
    close: N_co
    """The price of the latest trade."""
    volume: N_co
    """What was traded, in the base asset or in contracts."""
    quote_volume: N_co
    """What was paid for it, in the quote asset."""
    trades: int
    """How many trades."""
    closed: bool
    """Whether it is over and will not change any more."""


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
    """What was traded, in the base asset or in contracts."""
    quote_volume: N_co
    """What was paid for it, in the quote asset."""
    price_change: N_co
    """`last` minus `open`."""
    price_change_percent: N_co
    """The same in percent of `open`."""


class MarkPrice(Event, Generic[N_co], gc=False, kw_only=True):
    """Mark price, index price and funding of a perpetual or future."""

    fields = (
        *Event.fields, "mark_price", "index_price", "funding_rate", "next_funding_time_ns",
    )  # fmt: skip

    mark_price: N_co
    """The price by which positions are valued and liquidated."""
    index_price: N_co | None
    """The price of the underlying on spot markets; None if the exchange sends none."""
    funding_rate: N_co | None
    """What longs pay to shorts at the next funding, as a fraction; None without funding."""
    next_funding_time_ns: int | None = None
    """When the next funding is exchanged, nanoseconds since the epoch; None if never."""


class FundingRate(Event, Generic[N_co], gc=False, kw_only=True):
    """What longs paid to shorts at one moment: `exchange_time_ns`."""

    fields = (*Event.fields, "funding_rate", "mark_price")

    funding_rate: N_co
    """As a fraction of the value of a position; below 0 shorts paid."""
    mark_price: N_co | None = None
    """The mark price at that moment; None if the exchange does not say."""


class Liquidation(Event, Generic[N_co], gc=False, kw_only=True):
    """A liquidation order that the exchange placed for somebody."""

    fields = (*Event.fields, "side", "price", "average_price", "quantity", "filled_quantity")

    side: Side
    """Of the order: "sell" if a long position was liquidated."""
    price: N_co
    """The limit of the order."""
    average_price: N_co
    """The average price at which it traded."""
    quantity: N_co
    """Of the order, in the base asset or in contracts."""
    filled_quantity: N_co
    """How much of it has traded so far."""


class RawMessage(Event, gc=False, kw_only=True):
    """The payload of a stream, undecoded: JSON text in bytes."""

    fields = (*Event.fields, "stream", "data")

    stream: str
    """The exchange's name of the stream."""
    data: bytes
    """The payload, byte for byte."""


class Gap(Event, gc=False, kw_only=True):
    """Data of these channels was, or may have been, lost between the events around it.

    Yielded by feeds opened with ``gaps=True``, at the place in the stream where the loss is.
    `symbol` is that of the lost data, or empty if several symbols may be concerned.
    """

    fields = (
        *Event.fields, "channels", "reason", "dropped", "since_ns", "begin_ns", "end_ns",
        "first_id", "last_id",
    )  # fmt: skip

    channels: tuple[AnyChannel, ...]
    """Whose data was lost; ``channel.symbol`` is the symbol that each was subscribed for."""
    reason: str
    """Why, in one or two words. "disconnected", "overflow", "conflated" (with ``gaps="all"``),
    "sequence", "decode error" or "resubscribed"; of a local order book also "checksum", "crossed"
    or "depth" (the price left what is known)."""
    dropped: int | None = None
    """How many events were lost, if that is known."""
    since_ns: int | None = None
    """When the link last read something before the loss was noticed, as `received_ns`; None if
    that is not known."""
    begin_ns: int | None = None
    """From when on data is missing, by the exchange's time; None if that is not known."""
    end_ns: int | None = None
    """Until when data is missing, by the exchange's time; None if that is not known."""
    first_id: int | None = None
    """Of trades: the first number that is missing, where that is known."""
    last_id: int | None = None
    """Of trades: the last number that is missing, where that is known."""


__all__ = [
    "BookDelta",
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
