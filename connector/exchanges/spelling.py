"""Fields whose wire form differs from the event's: stored as sent, converted when read.

Most fields of an event need only another name on the wire. A time in milliseconds, or a maker flag
instead of a side, needs a conversion. Converting all of them would cost time for every message, and
few programs read every field of every message. The struct of an exchange therefore declares the
event's field with the type on the wire, and `spelled` puts a property over it. The attribute
``wire_NAME`` has the stored value:

.. code-block:: python

    @spelled(exchange_time_ns=from_milliseconds, side=lambda trade: trade.wire_side.lower())
    class Trade(events.Trade[N_co], gc=False, kw_only=True):
        symbol: str = field(name="s")
        exchange_time_ns: int = field(name="T")
        price: N_co = field(name="p")
        quantity: N_co = field(name="q")
        side: str = field(name="S")  # type: ignore[assignment]
        trade_id: int = field(name="i")

The struct has no additional fields, so decoding costs nothing extra. msgspec's own functions (such
as encoding, or `msgspec.structs.replace`) see the stored values; call `connector.events.plain`
first.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MemberDescriptorType
from typing import Any, TypeVar

import msgspec

S = TypeVar("S", bound=msgspec.Struct)

NS_PER_MS = 1_000_000
NS_PER_US = 1_000


def spelled(**conversions: Callable[[Any], Any]) -> Callable[[type[S]], type[S]]:
    """Convert the fields named when they are read, each by a function of the event."""

    def decorate(kind: type[S]) -> type[S]:
        for name, convert in conversions.items():
            setattr(kind, f"wire_{name}", _stored(kind, name))
            setattr(kind, name, property(convert))
        return kind

    return decorate


def _stored(kind: type[msgspec.Struct], name: str) -> MemberDescriptorType:
    """Return the reader of the stored field `name`, even under a property."""
    found = (vars(base).get(name) for base in kind.__mro__)
    return next(each for each in found if isinstance(each, MemberDescriptorType))


def from_milliseconds(event: Any) -> int:
    """`Event.exchange_time_ns` of an exchange whose times are milliseconds."""
    return event.wire_exchange_time_ns * NS_PER_MS  # type: ignore[no-any-return]


def from_microseconds(event: Any) -> int:
    """`Event.exchange_time_ns` of an exchange whose times are microseconds."""
    return event.wire_exchange_time_ns * NS_PER_US  # type: ignore[no-any-return]


__all__ = ["from_microseconds", "from_milliseconds", "spelled"]
