"""A checksum over digits that stand beside the levels is that over the Decimals themselves."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.book import Asks, Bids, Extent
from connector.book.checksum import ASKS_THEN_BIDS, INTERLEAVED, Checksum
from connector.book.digits import read_digits, strip
from connector.events import Level

numbers = st.decimals(min_value=0, max_value=10**9, places=9) | st.sampled_from(
    [Decimal("1E+3"), Decimal("1E-9"), Decimal("0.10"), Decimal(0)]
)
sides = st.lists(st.builds(Level, numbers, numbers), max_size=12)


def digits(level: Level[Decimal], form: Checksum) -> bytes:
    price, quantity = f"{level.price:f}", f"{level.quantity:f}"
    return f"{price}:{quantity}".encode() if form.interleaved else strip(price) + strip(quantity)


@given(st.sampled_from([INTERLEAVED, ASKS_THEN_BIDS]), sides, sides)
def test_digits_beside_the_levels(
    form: Checksum, bids: list[Level[Decimal]], asks: list[Level[Decimal]]
) -> None:
    with_digits = Bids(Extent()), Asks(Extent())
    without = Bids(Extent()), Asks(Extent())
    for index, levels in enumerate((bids, asks)):
        with_digits[index].load(
            levels, complete=True, digits=[digits(level, form) for level in levels]
        )
        without[index].load(levels, complete=True)

    expected = form.of(*without)
    assert form.of(*with_digits) == expected
    # A level from before there was a checksum may be among them.
    assert form.of(without[0], with_digits[1]) == expected


@pytest.mark.parametrize("form", [INTERLEAVED, ASKS_THEN_BIDS])
def test_floats_without_digits_have_no_checksum(form: Checksum) -> None:
    bids, asks = Bids(Extent()), Asks(Extent())
    level: Any = Level(1.0, 2.0)
    bids.load([level], complete=True)
    assert form.of(bids, asks) is None
    bids.load([level], complete=True, digits=[b"12"])
    assert form.of(bids, asks) is not None


@pytest.mark.parametrize(
    ("quantity", "digits"),
    [
        ("1e-7", b"1"), ("1.50e2", b"150"), ("5e-324", b"5"), ("1e300", b"1" + b"0" * 300),
        ("0e-99999999999999999999", None), ("1e-99999999999999999999", None),
        ("1e-999999999999", None), ("1e999999999999", None),
    ],
)  # fmt: skip
def test_a_number_is_not_written_out_beyond_reason(quantity: str, digits: bytes | None) -> None:
    # As a float each of them but the last is a number: 0, where it is too small.
    frame = b'{"data":[{"bids":[{"price":2.5,"qty":%s}],"asks":[]}]}' % quantity.encode()
    written = b"25" + (strip(quantity) if digits is None else digits)
    assert read_digits(frame, True) == ([written], [])
