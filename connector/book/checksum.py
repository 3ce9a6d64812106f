"""Verify a local book by the checksums that some exchanges send.

All are CRC32 over the digits of the best levels, exactly as the exchange wrote them. A float loses
trailing zeros, so a level must be a `DigitLevel` or `StrippedLevel`, or contain Decimals.

Source: okx §5, bitget §5, kraken §3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import chain, zip_longest
from typing import Any
from zlib import crc32

import attrs

from connector.book.levels import DigitLevel, StrippedLevel, WrittenLevel
from connector.errors import ConfigError
from connector.events import Level


@attrs.frozen
class Checksum:
    """How an exchange's checksum is made."""

    levels: int
    """Of each side, as far as there are so many."""
    of: Callable[[Sequence[Level[Any]], Sequence[Level[Any]]], int]
    """From the bids and the asks, best first, to what the exchange would write."""
    zero_counts: bool = False
    """Whether 0 is a checksum as any other; if not, it stands for none."""


def interleaved(bids: Sequence[Level[Any]], asks: Sequence[Level[Any]]) -> int:
    """``bid:quantity:ask:quantity:…``, signed. Source: okx §5, bitget §5."""
    pairs = zip_longest(bids, asks)
    levels: list[Any] = [level for level in chain.from_iterable(pairs) if level is not None]
    try:
        text = ":".join([level.written for level in levels])
    except AttributeError:
        text = ":".join(part for level in levels for part in digits(level))
    unsigned = crc32(text.encode())
    return unsigned - (1 << 32) if unsigned >= 1 << 31 else unsigned


def with_text(event: Any) -> tuple[Sequence[Level[Any]], Sequence[Level[Any]]]:
    """Bids and asks of an event of Decimals, with their digits if it has a checksum: then they are
    written once, and not whenever another level changes.
    """
    if not event.checksum:
        return event.bids, event.asks
    bids, asks = (
        [WrittenLevel(price, quantity, f"{price:f}:{quantity:f}") for price, quantity in side]
        for side in (event.bids, event.asks)
    )
    return bids, asks


def asks_then_bids(bids: Sequence[Level[Any]], asks: Sequence[Level[Any]]) -> int:
    """All prices and quantities without points and leading zeros. Source: kraken §3."""
    levels: list[Any] = [*asks, *bids]
    try:
        return crc32(b"".join([level.stripped for level in levels]))
    except AttributeError:
        return crc32(b"".join(map(_stripped, levels)))


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
        "as DigitLevel or with Decimals"
    )


def _stripped(level: Level[Any]) -> bytes:
    return level.stripped if isinstance(level, StrippedLevel) else strip(*digits(level))


def strip(price: str, quantity: str) -> bytes:
    """`StrippedLevel.stripped` of a level whose digits are these."""
    return (price.replace(".", "").lstrip("0") + quantity.replace(".", "").lstrip("0")).encode()


INTERLEAVED = Checksum(25, interleaved)
"""Source: okx §5, bitget §5."""

ASKS_THEN_BIDS = Checksum(10, asks_then_bids, zero_counts=True)
"""Source: kraken §3."""
