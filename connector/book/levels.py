"""One side of an order book: levels by price, best first, and how far down they are known.

`connector.book.rows` keeps them; this is what a program sees of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import attrs

from connector.book.rows import Digits, Rows
from connector.events import Level, N_co

_NEVER = sys.maxsize


class DigitLevel(Level[N_co], frozen=True, gc=False):
    """A level with the digits that the exchange wrote, as its checksum needs them."""

    price_digits: str
    quantity_digits: str


@attrs.frozen(kw_only=True)
class Extent:
    """The number of levels per side that a book shows and keeps."""

    shown: int | None = None
    """The most levels that a view shows; None for all."""
    needed: int = 20
    """Levels to know without a hole. With fewer, the book is running out of levels."""
    kept: int | None = None
    """Levels that pruning keeps; None never prunes."""
    truncated: int | None = None
    """Levels per side that the exchange keeps: it sends a level again that re-enters them, so that
    cutting after every event loses nothing; None if it does not."""


class BookSide(Rows, Sequence[Level[Any]]):
    """A live side of a book: `len`, indices, slices and iteration, best first.

    It changes as the book does. Iterating over a side that changes meanwhile raises RuntimeError;
    `BookView.depth` gives a copy that stays.
    """

    __slots__ = ()

    is_bids = True

    def __init__(self, extent: Extent) -> None:
        shown = _NEVER if extent.shown is None else extent.shown
        if extent.truncated is not None:
            kept = most = extent.truncated
        elif extent.kept is not None:
            # Pruning costs a walk over what is cut: not at every event.
            kept, most = extent.kept, extent.kept + extent.kept // 4 + 16
        else:
            kept = most = _NEVER
        super().__init__(
            self.is_bids, shown, extent.needed, kept, most, extent.truncated is not None
        )

    def __iter__(self) -> Iterator[Level[Any]]:
        version = self.version
        for index in range(len(self)):
            if self.version != version:
                raise RuntimeError(
                    "the book changed during the iteration; iterate without awaiting, or over a "
                    "copy: view.depth(levels)"
                )
            yield self[index]

    def __repr__(self) -> str:
        best = ", ".join(f"{level.price}: {level.quantity}" for level in islice(self, 3))
        more = ", …" if len(self) > 3 else ""
        return f"<{type(self).__name__} of {len(self)} levels: {best}{more}>"

    def load(self, levels: Iterable[Level[Any]], *, complete: bool, digits: Digits = None) -> None:
        """Begin anew with the levels of a snapshot.

        Args:
            levels: in any order; of two with one price, the second is right.
            complete: whether these are all that the exchange has.
            digits: what each level contributes to a checksum, or None.
        """
        found = {level.price: level for level in levels if level.quantity}
        prices = sorted(found, reverse=not self.is_bids)
        written: Digits = None
        if digits is not None:
            of_price = {
                level.price: each
                for level, each in zip(levels, digits, strict=True)
                if level.quantity
            }
            written = [of_price[price] for price in prices]
        self.fill([found[price] for price in prices], written, complete)


class Bids(BookSide):
    """The buyers' side: the highest price is best."""

    __slots__ = ()


class Asks(BookSide):
    """The sellers' side: the lowest price is best."""

    __slots__ = ()

    is_bids = False
