"""The digits of a book's checksum where it is not known how numbers are written: `LearnedDigits`.

Spot writes each number with all its decimals, and makes the checksum of what it writes. Of
derivatives this is not documented. A server that writes ``87000.5`` or ``87000.50``, as it comes,
makes the checksum of numbers with the decimals of the product, which no frame names. A snapshot has
a checksum, so it shows which of the two it is, and how many decimals there are.

Source: kraken §3, §8b, §10.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain, product
from typing import Any, TypeAlias
from zlib import crc32

import msgspec

from connector.book.checksum import ASKS_THEN_BIDS
from connector.book.digits import read_digits
from connector.exchanges.kraken import v2_wire as wire

VERIFIED_LEVELS = ASKS_THEN_BIDS.levels
MOST_DECIMALS = 12
"""More than any product has: a price of ``PF_PEPEUSD`` has ten."""
_MOST_DIGITS = 40
"""A number of more digits is no price or quantity; written out it could be longer than memory."""

Decimals: TypeAlias = tuple[int, int]
"""How many prices have, and quantities."""
Digits: TypeAlias = tuple[list[bytes], list[bytes]]
"""What each of the bids and asks contributes."""


class _Level(msgspec.Struct, gc=False):
    price: Decimal
    qty: Decimal


class _Row(msgspec.Struct, gc=False):
    bids: list[_Level]
    asks: list[_Level]


class _Frame(msgspec.Struct, gc=False):
    data: tuple[_Row]


_FRAME = msgspec.json.Decoder(_Frame)


class LearnedDigits:
    """Reads the digits of one product's book (`connector.book.rules.ReadDigits`).

    A snapshot whose checksum fits the digits as they are written, or one that fits nothing, leaves
    them so. Otherwise it tells the decimals with which they are read until another snapshot tells
    something else.
    """

    def __init__(self) -> None:
        self._decimals: Decimals | None = None

    def __call__(self, event: Any) -> Digits:
        """What the levels of a snapshot or delta contribute to its checksum."""
        frame: bytes = event.frame
        if isinstance(event, wire.BookSnapshot):
            self._decimals = _learn(frame, event.checksum, self._decimals)
        if self._decimals is None:
            return read_digits(frame, True)
        row = _FRAME.decode(frame).data[0]
        return list(_write(row.bids, self._decimals)), list(_write(row.asks, self._decimals))


def _learn(frame: bytes, checksum: int, known: Decimals | None) -> Decimals | None:
    """The decimals that make `checksum` of a snapshot; None if its digits are to be left alone."""
    bids, asks = read_digits(frame, True)
    if not (bids or asks):
        return known
    if crc32(b"".join((*asks[:VERIFIED_LEVELS], *bids[:VERIFIED_LEVELS]))) == checksum:
        return None
    row = _FRAME.decode(frame).data[0]
    levels = (*row.asks[:VERIFIED_LEVELS], *row.bids[:VERIFIED_LEVELS])
    if not all(_is_usual(each.price) and _is_usual(each.qty) for each in levels):
        return known
    prices = _spellings([each.price for each in levels])
    quantities = _spellings([each.qty for each in levels])
    for (price_decimals, of_prices), (quantity_decimals, of_quantities) in product(
        prices.items(), quantities.items()
    ):
        parts = chain.from_iterable(zip(of_prices, of_quantities, strict=True))
        if crc32(b"".join(parts)) == checksum:
            return price_decimals, quantity_decimals
    return known


def _spellings(numbers: Sequence[Decimal]) -> dict[int, list[bytes]]:
    """The digits of `numbers` with as many decimals as they need, and with each greater number."""
    needed = max(-int(number.normalize().as_tuple().exponent) for number in numbers)
    return {
        decimals: [_digits(number, decimals) for number in numbers]
        for decimals in range(max(needed, 0), MOST_DECIMALS + 1)
    }


def _write(levels: Iterable[_Level], decimals: Decimals) -> Iterator[bytes]:
    price_decimals, quantity_decimals = decimals
    for level in levels:
        yield _digits(level.price, price_decimals) + _digits(level.qty, quantity_decimals)


def _digits(number: Decimal, decimals: int) -> bytes:
    """`number` with so many decimals, without the point and zeros before the first other digit."""
    if not _is_usual(number):
        return str(number).encode()
    return f"{number:.{decimals}f}".replace(".", "").lstrip("0").encode()


def _is_usual(number: Decimal) -> bool:
    return number.is_finite() and abs(number.adjusted()) < _MOST_DIGITS
