"""However numbers are written, the digits are those that the checksum was made of."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.channels import BookDeltas, OrderBook
from connector.exchanges import kraken
from connector.exchanges.kraken.learned_digits import LearnedDigits

SYMBOL = "PF_XBTUSD"
EXACT = kraken.Unified(numbers=Decimal, book_levels=10).stream(BookDeltas(SYMBOL)).decode

Side = list[tuple[int, int]]
"""Ticks and lots."""
sides = st.lists(
    st.tuples(st.integers(1, 10**9), st.integers(1, 10**7)), min_size=1, max_size=12
)  # fmt: skip


def whole(count: int, decimals: int) -> str:
    return f"{Decimal(count).scaleb(-decimals):.{decimals}f}"


def short(count: int, decimals: int) -> str:
    """As JSON encoders of floats write it: ``1`` is ``1.0``, ``0.00000010`` is ``1e-07``."""
    return repr(float(whole(count, decimals)))


def frame(  # noqa: PLR0917
    kind: str, bids: Side, asks: Side, checksum: int, of: tuple[int, int], write: Any
) -> Any:
    levels = [
        ",".join(
            f'{{"price":{write(price, of[0])},"qty":{write(quantity, of[1])}}}'
            for price, quantity in side
        )
        for side in (bids, asks)
    ]
    return EXACT(
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{SYMBOL}","bids":[{levels[0]}],'
        f'"asks":[{levels[1]}],"checksum":{checksum}}}]}}'.encode()
    )


def checksum(bids: Side, asks: Side) -> int:
    return crc32("".join(f"{p}{q}" for side in (asks, bids) for p, q in side[:10]).encode())


def contributions(*sides: Side) -> tuple[list[bytes], ...]:
    return tuple([f"{price}{quantity}".encode() for price, quantity in side] for side in sides)


@settings(max_examples=30)
@given(sides, sides, st.integers(0, 10), st.integers(0, 6), st.sampled_from([whole, short]))
def test_the_digits_are_those_of_the_checksum(
    bids: Side, asks: Side, price_decimals: int, quantity_decimals: int, write: Any
) -> None:
    of = (price_decimals, quantity_decimals)
    read = LearnedDigits()
    made = checksum(bids, asks)
    assert read(frame("snapshot", bids, asks, made, of, write)) == contributions(bids, asks)
    assert read._decimals in ((None,) if write is whole else (of, None))
    if write is whole or read._decimals == of:
        # Zeros at the end, too.
        change = [(10**price_decimals, 10**quantity_decimals)]
        assert read(frame("update", change, [], 1, of, write)) == contributions(change, [])


def test_what_is_learned_is_kept_while_nothing_better_is_known() -> None:
    read = LearnedDigits()
    bids, asks = [(870005, 40)], [(870010, 50)]
    right = checksum(bids, asks)
    shorts = ("snapshot", bids, asks, right, (1, 4), short)
    assert read(frame(*shorts)) == contributions(bids, asks)
    assert read._decimals == (1, 4)
    # A wrong checksum shows nothing.
    read(frame("snapshot", bids, asks, right + 1, (1, 4), short))
    assert read._decimals == (1, 4)
    # Nor does an empty book, whose checksum is that of nothing.
    assert read(frame("snapshot", [], [], 0, (1, 4), short)) == ([], [])
    assert read._decimals == (1, 4)
    # The product has other decimals now.
    assert read(frame("snapshot", bids, asks, right, (3, 2), short)) == contributions(bids, asks)
    assert read._decimals == (3, 2)
    # And now it is written as on spot.
    assert read(frame("snapshot", bids, asks, right, (3, 2), whole)) == contributions(bids, asks)
    assert read._decimals is None


@pytest.mark.parametrize("number", ["1e300", "1e-300", "0.0000000000001", "-1e41", "0e-99"])
def test_a_hostile_number_costs_nothing(number: str) -> None:
    read = LearnedDigits()
    hostile = frame("snapshot", [(1, 1)], [(2, 1)], 5, (0, 0), lambda *_: number)
    digits = read(hostile)
    assert read._decimals is None
    assert all(len(each) < 1000 for side in digits for each in side)


def test_each_book_learns_for_itself() -> None:
    venue = kraken.Unified()
    readers = [venue.stream(OrderBook(name)).book for name in (SYMBOL, SYMBOL, "PF_ETHUSD")]
    assert len({id(each.rules.read_digits) for each in readers if each is not None}) == 3
    assert all(isinstance(each.rules.read_digits, LearnedDigits) for each in readers if each)
