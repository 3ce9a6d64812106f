"""One side of an order book: levels by price, best first, and how far down they are known.

A dict of levels and a sorted list of their prices: a change of quantity touches only the dict, a
new or deleted price is a bisection. The list is sorted so that the best price is last, where
changes are cheapest: bids by price, asks by the negated price.

.. code-block:: text

    keys      [ worst … … floor … … … … … best ]
                   ▲       ▲
      incomplete ──┘       └── from here on every level of the exchange's book is here

Below the floor levels are missing: those outside the snapshot, and those that were pruned. A best
level below the floor would be wrong.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, overload

import attrs

from connector.events import Level, N_co, Number

_BOTTOM = float("-inf")
_NEVER = 1 << 62


class DigitLevel(Level[N_co], frozen=True, gc=False):
    """A level with the digits that the exchange wrote, as its checksum needs them."""

    price_digits: str
    quantity_digits: str


class WrittenLevel(Level[N_co], frozen=True, gc=False):
    """A level with the digits that the exchange wrote, as the checksum of OKX wants them."""

    written: str
    """The price, a colon, the quantity."""

    def __repr__(self) -> str:
        return f"Level(price={self.price!r}, quantity={self.quantity!r})"


class StrippedLevel(Level[N_co], frozen=True, gc=False):
    """A level with the digits that the exchange wrote, as Kraken's checksum wants them."""

    stripped: bytes
    """Of the price, then of the quantity, without points and leading zeros."""

    def __repr__(self) -> str:
        return f"Level(price={self.price!r}, quantity={self.quantity!r})"


@attrs.frozen(kw_only=True)
class Extent:
    """How much of a book is shown and kept, in levels per side."""

    shown: int | None = None
    """What a view shows at most; None for all."""
    needed: int = 20
    """What is to be known without a hole; with less, the book is running out of levels."""
    kept: int | None = None
    """What is left by pruning; None never prunes."""
    truncated: int | None = None
    """What the exchange itself keeps: it says again what comes back from below, so that cutting
    after every event loses nothing; None if it does not."""


class BookSide(Sequence[Level[Any]]):
    """A live side of a book: `len`, indices, slices and iteration, best first.

    It changes as the book does. Iterating over a side that changes meanwhile raises RuntimeError;
    `BookView.depth` gives a copy that stays.
    """

    __slots__ = (
        "_floor",
        "_kept",
        "_keys",
        "_levels",
        "_most",
        "_needed",
        "_shown",
        "_stored_from",
        "_truncated",
        "_version",
        "is_running_out",
    )  # fmt: skip

    def __init__(self, extent: Extent) -> None:
        self._shown = _NEVER if extent.shown is None else extent.shown
        self._needed = extent.needed
        self._truncated = extent.truncated is not None
        self._kept = _NEVER if extent.kept is None else extent.kept
        # Pruning costs a walk over what is cut: not at every event.
        self._most = self._kept if extent.kept is None else self._kept + self._kept // 4 + 16
        if extent.truncated is not None:
            self._most = self._kept = extent.truncated
        self._version = 0
        self.is_running_out = False
        """Whether fewer levels than needed are known without a hole."""
        self.clear()

    # What a program reads.

    def __len__(self) -> int:
        count = len(self._keys)
        return min(self._shown, count)

    @overload
    def __getitem__(self, index: int) -> Level[Any]: ...

    @overload
    def __getitem__(self, index: slice) -> list[Level[Any]]: ...

    def __getitem__(self, index: int | slice) -> Level[Any] | list[Level[Any]]:
        if index == 0 and self._keys:
            return self._at(0)
        count = len(self)
        if isinstance(index, slice):
            return [self._at(each) for each in range(*index.indices(count))]
        if index < 0:
            index += count
        if not 0 <= index < count:
            raise IndexError(f"level {index} of a side with {count} levels")
        return self._at(index)

    def __iter__(self) -> Iterator[Level[Any]]:
        version = self._version
        for index in range(len(self)):
            if self._version != version:
                raise RuntimeError(
                    "the book changed during the iteration; iterate without awaiting, or over a "
                    "copy: view.depth(levels)"
                )
            yield self._at(index)

    def __repr__(self) -> str:
        best = ", ".join(f"{level.price}: {level.quantity}" for level in islice(self, 3))
        more = ", …" if len(self) > 3 else ""
        return f"<{type(self).__name__} of {len(self)} levels: {best}{more}>"

    # What the book does with it.

    def clear(self) -> None:
        """Forget every level: nothing is known."""
        self._levels: dict[Number, Level[Any]] = {}
        self._keys: list[Any] = []
        self._floor: Any = _BOTTOM
        self._stored_from: Any = _BOTTOM
        self._settle()

    def load(self, levels: Iterable[Level[Any]], *, complete: bool) -> None:
        """Begin anew with the levels of a snapshot.

        Args:
            complete: whether these are all that the exchange has.
        """
        self.clear()
        self._levels = {level.price: level for level in levels if level.quantity}
        self._keys = sorted(map(self._key, self._levels))
        if not complete and self._keys:
            self._raise_floor()
        self._settle()

    @abstractmethod
    def apply(self, changes: Iterable[Level[Any]]) -> None:
        """Take absolute quantities per price; 0 removes a level, also one that is not known."""

    @abstractmethod
    def top(self, count: int) -> list[Level[Any]]:
        """The best levels, also those that are kept but not shown."""

    @property
    def top_is_known(self) -> bool:
        """Whether the best level is the exchange's best level."""
        if self._floor == _BOTTOM:
            return True
        return bool(self._keys) and self._keys[-1] >= self._floor

    @property
    def stored(self) -> int:
        """Levels in memory, shown or not."""
        return len(self._keys)

    @abstractmethod
    def _key(self, price: Number) -> Any:
        """What a price is sorted by: greater is better."""

    @abstractmethod
    def _at(self, index: int) -> Level[Any]:
        """The level at `index`, 0 is the best; only when there is one."""

    @abstractmethod
    def _price(self, key: Any) -> Number:
        """The price that is sorted by `key`."""

    def _settle(self) -> None:
        """What every change ends with: cut what is too much, look at what is left."""
        self._version += 1
        keys, floor = self._keys, self._floor
        count = len(keys)
        if count > self._most:
            self._prune()
            floor, count = self._floor, len(keys)
        needed = self._needed
        self.is_running_out = floor != _BOTTOM and (count < needed or keys[-needed] < floor)

    def _raise_floor(self) -> None:
        """What is known ends at the worst level that there is."""
        self._floor = self._keys[0]
        if self._kept != _NEVER:
            self._stored_from = self._floor

    def _prune(self) -> None:
        """Cut the side to the levels that are kept."""
        keys = self._keys
        excess = len(keys) - self._kept
        for key in keys[:excess]:
            del self._levels[self._price(key)]
        del keys[:excess]
        if not self._truncated:
            self._raise_floor()


class Bids(BookSide):
    """The buyers' side: the highest price is best."""

    __slots__ = ()

    def apply(self, changes: Iterable[Level[Any]]) -> None:
        """Take absolute quantities per price; 0 removes a level, also one that is not known."""
        levels, keys, stored_from = self._levels, self._keys, self._stored_from
        for level in changes:
            price = level.price
            if level.quantity:
                if price in levels:
                    levels[price] = level
                elif price >= stored_from:
                    levels[price] = level
                    insort(keys, price)
            elif price in levels:
                del levels[price]
                del keys[bisect_left(keys, price)]
        self._settle()

    def top(self, count: int) -> list[Level[Any]]:
        """The best levels, also those that are kept but not shown."""
        levels = self._levels
        return [levels[price] for price in self._keys[: -count - 1 : -1]]

    def _key(self, price: Number) -> Any:
        return price

    def _price(self, key: Any) -> Any:
        return key

    def _at(self, index: int) -> Level[Any]:
        return self._levels[self._keys[-1 - index]]


class Asks(BookSide):
    """The sellers' side: the lowest price is best, so prices are sorted by their negation."""

    __slots__ = ()

    def apply(self, changes: Iterable[Level[Any]]) -> None:
        """Take absolute quantities per price; 0 removes a level, also one that is not known."""
        levels, keys, stored_from = self._levels, self._keys, self._stored_from
        for level in changes:
            price = level.price
            if level.quantity:
                if price in levels:
                    levels[price] = level
                    continue
                key = -price if type(price) is float else self._key(price)
                if key >= stored_from:
                    levels[price] = level
                    insort(keys, key)
            elif price in levels:
                del levels[price]
                key = -price if type(price) is float else self._key(price)
                del keys[bisect_left(keys, key)]
        self._settle()

    def top(self, count: int) -> list[Level[Any]]:
        """The best levels, also those that are kept but not shown."""
        levels, price = self._levels, self._price
        best = self._keys[: -count - 1 : -1]
        return [levels[-key if type(key) is float else price(key)] for key in best]

    def _key(self, price: Number) -> Any:
        # The minus of a Decimal rounds to the context's precision, which is the program's.
        return price.copy_negate() if isinstance(price, Decimal) else -price

    def _price(self, key: Any) -> Any:
        return self._key(key)

    def _at(self, index: int) -> Level[Any]:
        return self._levels[self._key(self._keys[-1 - index])]
