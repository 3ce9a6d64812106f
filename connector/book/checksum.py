"""Verify a local book by the checksums that some exchanges send.

All are CRC32 over the digits of the best levels, exactly as the exchange wrote them. A float loses
trailing zeros, so the digits stand beside the levels of a book (`connector.book.rows`). Where they
do not, each level must be a `DigitLevel` or contain Decimals.

Source: okx §5, bitget §5, kraken §3.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import chain, zip_longest
from typing import Any
from zlib import crc32

import attrs

from connector.book.digits import strip
from connector.book.levels import BookSide, DigitLevel
from connector.book.rows import checksum, signed
from connector.errors import ConfigError
from connector.events import Level


@attrs.frozen
class Checksum:
    """The way in which an exchange computes its checksum."""

    levels: int
    """Number of levels per side, or all if there are fewer."""
    interleaved: bool
    """Whether it is ``bid:quantity:ask:quantity:…``, signed; else all prices and quantities without
    points and leading zeros, those of asks first."""
    zero_counts: bool = False
    """Whether 0 is a valid checksum. If not, it means that there is none."""

    def of(self, bids: BookSide, asks: BookSide) -> int | None:
        """What the exchange would write; None if a level holds floats, and its digits are not
        known.
        """
        found = checksum(bids, asks, self.levels, self.interleaved)
        if found is not None:
            return found
        make = interleaved if self.interleaved else asks_then_bids
        try:
            return make(bids.top(self.levels), asks.top(self.levels))
        except ConfigError:
            return None


def interleaved(bids: Sequence[Level[Any]], asks: Sequence[Level[Any]]) -> int:
    """``bid:quantity:ask:quantity:…``, signed. Source: okx §5, bitget §5."""
    levels = [each for each in chain.from_iterable(zip_longest(bids, asks)) if each is not None]
    return signed(crc32(":".join(part for level in levels for part in digits(level)).encode()))


def asks_then_bids(bids: Sequence[Level[Any]], asks: Sequence[Level[Any]]) -> int:
    """All prices and quantities without points and leading zeros. Source: kraken §3."""
    return crc32(b"".join(strip(part) for level in (*asks, *bids) for part in digits(level)))


def digits(level: Level[Any]) -> tuple[str, str]:
    """Price and quantity of `level` as the exchange wrote them.

    Raises:
        ConfigError: the level holds floats, whose digits are not the exchange's.
    """
    if isinstance(level, DigitLevel):
        return level.price_digits, level.quantity_digits
    if isinstance(level.price, Decimal) and isinstance(level.quantity, Decimal):
        return f"{level.price:f}", f"{level.quantity:f}"
    raise ConfigError(
        f"{level!r} has lost the digits that the exchange sent, and "
        "the checksum needs them; decode levels "
        "as DigitLevel or with Decimals, or let BookRules.read_digits read them"
    )


INTERLEAVED = Checksum(25, interleaved=True)
"""Source: okx §5, bitget §5."""

ASKS_THEN_BIDS = Checksum(10, interleaved=False, zero_counts=True)
"""Source: kraken §3."""
