"""A side of a book equals a naive dict, whatever happens, and never shows a false top."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.book import Asks, Bids, BookSide, Extent
from connector.book.levels import DigitLevel
from connector.events import Level

PRICES = st.integers(1, 60)
QUANTITIES = st.sampled_from([0, 0, 1, 2, 3])
CHANGES = st.lists(st.tuples(PRICES, QUANTITIES), max_size=8)
NUMBERS = st.sampled_from([float, Decimal])
SIDES = st.sampled_from([Bids, Asks])


def levels(changes: list[tuple[int, int]], number: Any) -> list[Level]:
    return [Level(number(price) / 10, number(quantity)) for price, quantity in changes]


class Naive:
    """What the exchange has: every level, in a dict."""

    def __init__(self, kind: type[BookSide]) -> None:
        self.quantities: dict[Any, Any] = {}
        self._reverse = kind is Bids

    def apply(self, changes: list[Level]) -> None:
        for level in changes:
            self.quantities.pop(level.price, None)
            if level.quantity:
                self.quantities[level.price] = level.quantity

    def best(self, count: int | None = None) -> list[tuple[Any, Any]]:
        return sorted(self.quantities.items(), reverse=self._reverse)[:count]


def pairs(side: BookSide) -> list[tuple[Any, Any]]:
    return [(level.price, level.quantity) for level in side]


@given(SIDES, NUMBERS, CHANGES, st.lists(CHANGES, max_size=10))
def test_a_side_equals_a_dict(
    kind: type[BookSide], number: Any, start: list[Any], steps: list[list[Any]]
) -> None:
    naive, side = Naive(kind), kind(Extent())
    naive.apply(levels(start, number))
    side.load([Level(price, quantity) for price, quantity in naive.best()], complete=True)

    for step in steps:
        naive.apply(levels(step, number))
        side.apply(levels(step, number))

        assert pairs(side) == naive.best()
        assert len(side) == len(naive.quantities)
        assert side.top_is_known
        assert not side.is_running_out


@given(
    SIDES,
    st.lists(st.tuples(PRICES, st.integers(1, 3)), min_size=1, max_size=60),
    st.lists(CHANGES, max_size=20),
    st.integers(1, 6),
    st.integers(0, 8),
)
def test_a_pruned_side_shows_nothing_false(
    kind: type[BookSide],
    start: list[Any],
    steps: list[list[Any]],
    shown: int,
    more: int,
) -> None:
    naive = Naive(kind)
    naive.apply(levels(start, float))
    side = kind(Extent(shown=shown, needed=shown, kept=shown + more))
    snapshot = [Level(price, quantity) for price, quantity in naive.best(shown + more)]
    side.load(snapshot, complete=len(snapshot) < shown + more)

    for step in steps:
        naive.apply(levels(step, float))
        side.apply(levels(step, float))

        best = naive.best(shown)
        assert pairs(side) == best[: len(side)]
        assert side.stored <= (shown + more) * 5 // 4 + 17
        if not side.is_running_out:
            assert pairs(side) == best
        if side.top_is_known:
            assert (len(side) > 0) == (len(best) > 0)


@given(
    SIDES,
    st.lists(st.tuples(PRICES, st.integers(1, 3)), min_size=3, max_size=60),
    st.lists(CHANGES, max_size=20),
)
def test_an_incomplete_side_knows_when_its_top_is_not_the_top(
    kind: type[BookSide], start: list[Any], steps: list[list[Any]]
) -> None:
    naive = Naive(kind)
    naive.apply(levels(start, float))
    snapshot = naive.best(3)
    side = kind(Extent(needed=1))
    side.load([Level(*pair) for pair in snapshot], complete=len(naive.quantities) == len(snapshot))

    for step in steps:
        naive.apply(levels(step, float))
        side.apply(levels(step, float))

        if side.top_is_known:
            assert pairs(side)[:1] == naive.best(1)


def test_truncation_loses_what_the_exchange_does_not_count_either() -> None:
    side = Asks(Extent(truncated=2))
    side.load(levels([(10, 1), (20, 1), (30, 1)], float), complete=True)

    assert pairs(side) == [(1.0, 1.0), (2.0, 1.0)]

    side.apply(levels([(5, 1)], float))
    assert pairs(side) == [(0.5, 1.0), (1.0, 1.0)]
    # The exchange says again what comes back.
    side.apply(levels([(5, 0), (20, 4)], float))
    assert pairs(side) == [(1.0, 1.0), (2.0, 4.0)]
    assert side.top_is_known and not side.is_running_out


def test_it_reads_like_a_list() -> None:
    side = Bids(Extent(shown=3))
    side.load(levels([(1, 1), (2, 2), (3, 3), (4, 4)], float), complete=True)

    assert len(side) == 3
    assert [level.price for level in side[:2]] == [0.4, 0.3]
    assert side[-1].price == 0.2
    assert side.index(Level(0.3, 3.0)) == 1
    assert Level(0.1, 1.0) not in side
    assert side.top(9) == [*side, Level(0.1, 1.0)]
    assert repr(side) == "<Bids of 3 levels: 0.4: 4.0, 0.3: 3.0, 0.2: 2.0>"
    with pytest.raises(IndexError, match="level 3 of a side with 3 levels"):
        side[3]
    with pytest.raises(IndexError):
        side[-4]


def test_a_book_that_changes_while_it_is_iterated_says_so() -> None:
    side = Bids(Extent())
    side.load(levels([(1, 1), (2, 2), (3, 3)], float), complete=True)
    iteration = iter(side)
    next(iteration)

    side.apply([Level(0.5, 1.0)])

    with pytest.raises(RuntimeError, match="changed during the iteration"):
        next(iteration)


def test_asks_of_decimals_are_exact_whatever_the_context() -> None:
    prices = [Decimal("1.0000001"), Decimal("1.0000002"), Decimal("1.0000003")]
    side = Asks(Extent())
    with localcontext(Context(prec=3)):
        side.load([Level(price, Decimal(1)) for price in prices], complete=True)
        side.apply([Level(prices[1], Decimal(0)), Level(prices[0], Decimal(2))])

        assert pairs(side) == [(prices[0], Decimal(2)), (prices[2], Decimal(1))]


def test_the_digits_come_with_the_level() -> None:
    side = Bids(Extent())
    side.apply([DigitLevel(0.1, 2.0, "0.100", "2.00")])

    assert side[0] == DigitLevel(0.1, 2.0, "0.100", "2.00")
