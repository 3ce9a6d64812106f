"""Books of Decimals whose levels are kept as they are written: a number is made when it is read.

To make a `Decimal` costs as much as all else that is done with a level, and few programs look at
each level of a book.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from connector import events
from connector.book.digits import read_plain_digits
from connector.exchanges.offers import Reader
from connector.exchanges.okx import wire
from connector.exchanges.spelling import spelled


def _price(level: Any) -> Decimal:
    return Decimal(level.wire_price)


def _quantity(level: Any) -> Decimal:
    return Decimal(level.wire_quantity)


@spelled(price=_price, quantity=_quantity)
class Level(events.Level[Decimal], frozen=True, gc=False):
    """A level. Behind price and size a row has more."""

    price: str  # type: ignore[assignment]
    quantity: str  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Level(price={self.price!r}, quantity={self.quantity!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return events.Level, (self.price, self.quantity)


class BookSnapshot(wire.BookSnapshot[Decimal], gc=False, kw_only=True):
    """A whole book of ``books``."""

    bids: list[Level]  # type: ignore[assignment]
    asks: list[Level]  # type: ignore[assignment]


class BookDelta(wire.BookDelta[Decimal], gc=False, kw_only=True):
    """Changes of ``books``."""

    bids: list[Level]  # type: ignore[assignment]
    asks: list[Level]  # type: ignore[assignment]


class SnapshotFrame(msgspec.Struct, gc=False, tag_field="action", tag="snapshot"):
    """A frame of ``books`` with a whole book."""

    data: tuple[BookSnapshot]


class DeltaFrame(msgspec.Struct, gc=False, tag_field="action", tag="update"):
    """A frame of ``books`` with changes."""

    data: tuple[BookDelta]


_DECODE = msgspec.json.Decoder(SnapshotFrame | DeltaFrame, strict=False).decode


def book(read: Reader, symbol: str) -> Reader:
    """A reader of ``books``.

    Args:
        read: reads what is unusual: numbers with an exponent, several books in one frame.
        symbol: of the book.
    """

    def read_written(frame: bytes) -> Any:
        digits = read_plain_digits(frame, False)
        if digits is None:
            return read(frame)
        (event,) = _DECODE(frame).data
        event.symbol = symbol
        event.digits = digits
        return event

    return read_written
