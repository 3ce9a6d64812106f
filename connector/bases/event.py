"""The base of all events, and its public fields: by name, compared, copied and encoded.

An exchange decodes into subclasses of its own, with its own names. `kind_of` finds the public class
of such an event, `asdict` its public fields, and `plain` turns it into the public class.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar, cast

import msgspec
import typing_extensions

Number: TypeAlias = float | Decimal
"""What prices and quantities are."""

N_co = typing_extensions.TypeVar("N_co", bound=Number, covariant=True, default=float)
"""The numbers of an event, in the classes of events and in the structs of exchanges."""
E = TypeVar("E", bound="Event")


class Event(msgspec.Struct, gc=False, kw_only=True):
    """Anything a feed can yield."""

    fields: ClassVar[tuple[str, ...]] = ("symbol", "exchange_time_ns", "received_ns", "session")
    """The public names of this event, in order. `asdict`, ``repr`` and ``==`` use them."""
    _live: ClassVar[bool] = False
    """Whether it changes by itself, so that `plain` copies it."""

    symbol: str
    """The symbol as the exchange writes it, such as "ETHUSDC"; empty if there is none."""
    exchange_time_ns: int | None = None
    """Time by the exchange's clock, nanoseconds since the epoch; None if it sends none."""
    received_ns: int = 0
    """Time of arrival by this machine's clock, nanoseconds since the epoch. The clock is read once
    per socket read. A negative lag is possible: the exchange's clock may be ahead of yours."""
    session: int = 0
    """Number of the connection on which the event arrived: 1, 2, 3 … for each link."""

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

    Events from an exchange are instances of the exchange's own subclasses of these classes.
    """
    return next(base for base in type(event).__mro__ if "fields" in vars(base))


def asdict(event: Event) -> dict[str, Any]:
    """The public fields of `event` by name; a `Level` stays one."""
    return {name: getattr(event, name) for name in event.fields}


def plain(event: E) -> E:
    """Convert `event` to its public class, whose fields have the public names.

    Use it to encode events: ``msgspec.json.encode(plain(trade))`` writes ``symbol`` and
    ``price``, and ``msgspec.json.decode(data, type=Trade)`` reads them. The exchange's own
    subclass would be encoded with the exchange's names. A `BookView` becomes a copy, as with
    `BookView.depth`.
    """
    kind = kind_of(event)
    if type(event) is kind and not kind._live:
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
