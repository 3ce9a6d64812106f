"""The levels of one side of a book, sorted by price, and the checksum of the best of them.

`connector.transport.compiled` may have it in C (`connector/book/_rows.c`); this says what it does.
In Python it is a dict of levels and a sorted list of their prices: a change of
quantity touches only the dict, a new or deleted price is a bisection. In C it is one sorted array.
Either is sorted so that the best price is last, where changes are cheapest:

.. code-block:: text

    keys      [ worst … … floor … … … … … best ]
                   ▲       ▲
      incomplete ──┘       └── from here on every level of the exchange's book is here

Below the floor levels are missing: those outside the snapshot, and those that were pruned. A best
level below the floor would be wrong.

What a level contributes to a checksum, its *digits*, stands beside it: floats have lost them, and
of Decimals they would be written anew for each checksum.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import chain, repeat, zip_longest
from typing import TYPE_CHECKING, Any, TypeAlias, overload
from zlib import crc32

from connector.events import Level, Number
from connector.transport.compiled import load

Digits: TypeAlias = "list[bytes] | None"
"""What each of several levels contributes to a checksum, or None where that is not known."""

_BOTTOM = float("-inf")
_NEVER = sys.maxsize


class RowsInPython:
    """The levels of one side.

    Args:
        is_bids: whether the highest price is best.
        shown: what is indexed and counted at most.
        needed: of so few levels without a hole the side is running out.
        kept: what is left by pruning; `sys.maxsize` never prunes.
        most: with more levels it is pruned.
        truncates: whether the exchange says again what was pruned and comes back.
    """

    __slots__ = (
        "_digits",
        "_floor",
        "_is_bids",
        "_kept",
        "_keys",
        "_levels",
        "_most",
        "_needed",
        "_prunes",
        "_shown",
        "_stored_from",
        "_truncates",
        "is_running_out",
        "version",
    )

    def __init__(  # noqa: PLR0917  # as the compiled part has it
        self, is_bids: bool, shown: int, needed: int, kept: int, most: int, truncates: bool
    ) -> None:
        self._is_bids = is_bids
        self._shown = shown
        self._needed = needed
        self._kept = kept
        self._most = most
        self._truncates = truncates
        self._prunes = kept < _NEVER
        self.is_running_out = False
        """Whether fewer levels than needed are known without a hole."""
        self.version = 0
        """Counts the changes, also those that failed: by then the levels may be others."""
        self.clear()

    # What a program reads.

    def __len__(self) -> int:
        return min(self._shown, len(self._keys))

    @overload
    def __getitem__(self, index: int) -> Level[Any]: ...

    @overload
    def __getitem__(self, index: slice) -> list[Level[Any]]: ...

    def __getitem__(self, index: int | slice) -> Level[Any] | list[Level[Any]]:
        keys = self._keys
        if index == 0 and keys:
            return self._levels[self._price(keys[-1])]
        count = len(self)
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(count))]
        if index < 0:
            index += count
        if not 0 <= index < count:
            raise IndexError(f"level {index} of a side with {count} levels")
        return self._levels[self._price(keys[-1 - index])]

    # What the book does with it.

    def clear(self) -> None:
        """Forget every level: nothing is known."""
        self.version += 1
        self._levels: dict[Number, Level[Any]] = {}
        self._digits: dict[Number, bytes] = {}
        self._keys: list[Any] = []
        self._floor: Any = _BOTTOM
        self._stored_from: Any = _BOTTOM
        self._settle()

    def fill(self, levels: list[Level[Any]], digits: Digits, complete: bool) -> None:
        """Begin anew with `levels`, which are sorted, the worst first, and unlike in their prices.

        Args:
            levels: none of them is empty.
            digits: of each level, or None.
            complete: whether these are all that the exchange has.
        """
        self.version += 1
        self._levels = {level.price: level for level in levels}
        self._digits = {}
        if digits is not None:
            self._digits.update(zip(self._levels, digits, strict=True))
        self._keys = [self._key(level.price) for level in levels]
        self._floor = self._stored_from = _BOTTOM
        if not complete and self._keys:
            self._raise_floor()
        self._settle()

    def apply(self, changes: Sequence[Level[Any]], digits: Digits = None) -> None:
        """Take absolute quantities per price; 0 removes a level, also one that is not known.

        Args:
            changes: in their order.
            digits: of each change, or None.
        """
        if digits is not None and len(changes) != len(digits):
            raise ValueError("there are digits of each level")
        self.version += 1
        levels, keys, stored_from = self._levels, self._keys, self._stored_from
        for level in changes:
            price = level.price
            if level.quantity:
                if price in levels:
                    levels[price] = level
                    continue
                key = self._key(price)
                if key >= stored_from:
                    levels[price] = level
                    insort(keys, key)
            elif price in levels:
                del levels[price]
                del keys[bisect_left(keys, self._key(price))]
        if digits is not None or self._digits:
            self._note_digits(changes, repeat(None) if digits is None else digits)
        self._settle()

    def top(self, count: int) -> list[Level[Any]]:
        """The best levels, also those that are kept but not shown."""
        levels, price = self._levels, self._price
        return [levels[price(key)] for key in self._keys[: -max(count, 0) - 1 : -1]]

    @property
    def top_is_known(self) -> bool:
        """Whether the best level is the exchange's best level."""
        if self._floor == _BOTTOM:
            return True
        return bool(self._keys) and bool(self._keys[-1] >= self._floor)

    @property
    def stored(self) -> int:
        """Levels in memory, shown or not."""
        return len(self._keys)

    def digits(self, count: int) -> list[bytes | None]:
        """Of the best levels; None of those that have none."""
        return [self._digits.get(self._price(key)) for key in self._keys[: -count - 1 : -1]]

    # Inside.

    def _note_digits(self, changes: Iterable[Level[Any]], written: Iterable[bytes | None]) -> None:
        """Remember the digits of the levels that are there after the changes."""
        levels, kept = self._levels, self._digits
        for level, digits in zip(changes, written, strict=False):
            price = level.price
            now = levels.get(price)
            if now is level and digits is not None:
                kept[price] = digits
            elif now is None or now is level:
                kept.pop(price, None)

    def _settle(self) -> None:
        """What every change ends with: cut what is too much, look at what is left."""
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
        if self._prunes:
            self._stored_from = self._floor

    def _prune(self) -> None:
        """Cut the side to the levels that are kept."""
        keys = self._keys
        excess = len(keys) - self._kept
        for key in keys[:excess]:
            price = self._price(key)
            del self._levels[price]
            self._digits.pop(price, None)
        del keys[:excess]
        if not self._truncates and keys:
            self._raise_floor()

    def _key(self, price: Any) -> Any:
        """What a price is sorted by: greater is better."""
        if self._is_bids:
            return price
        # The minus of a Decimal rounds to the context's precision, which is the program's.
        return price.copy_negate() if isinstance(price, Decimal) else -price

    _price = _key
    """The price that is sorted by a key: twice negated is itself."""


def checksum_in_python(
    bids: RowsInPython, asks: RowsInPython, levels: int, interleaved: bool
) -> int | None:
    """The CRC32 over the digits of the best levels; None if one of them has none.

    Args:
        bids: one side.
        asks: the other.
        levels: of each side, as far as there are so many.
        interleaved: whether it is ``bid:ask:bid:…`` and signed; else asks, then bids.
    """
    of_bids, of_asks = bids.digits(levels), asks.digits(levels)
    if None in of_bids or None in of_asks:
        return None
    if not interleaved:
        return crc32(b"".join(map(bytes, [*of_asks, *of_bids])))  # type: ignore[arg-type]
    pairs = chain.from_iterable(zip_longest(of_bids, of_asks))
    return signed(crc32(b":".join([each for each in pairs if each is not None])))


def signed(unsigned: int) -> int:
    """A number of 32 bits, of which the first is its sign."""
    return unsigned - (1 << 32) if unsigned >= 1 << 31 else unsigned


EXTENSION = load("connector.book._rows", ("Rows", "checksum", "read_digits"))

if TYPE_CHECKING or EXTENSION is None:
    Rows = RowsInPython
    checksum = checksum_in_python
else:
    Rows = EXTENSION.Rows
    checksum = EXTENSION.checksum
