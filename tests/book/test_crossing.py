"""A book that stays crossed is given up, ever more rarely where that does not help."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.book import Crossing

SECOND = 1_000_000_000
BEGIN = 1_700_000_000 * SECOND


def renewals(states: list[bool], every_ms: int = 250) -> list[int]:
    """At which of the states, one every so often, the book is given up."""
    watch, found = Crossing(), []
    for index, crossed in enumerate(states):
        now_ns = BEGIN + index * every_ms * 1_000_000
        if watch.is_due(now_ns) and watch.look(now_ns, crossed=crossed) is not None:
            found.append(index * every_ms // 1000)
    return found


def test_it_is_given_up_after_five_seconds_and_then_ever_more_rarely() -> None:
    found = renewals([True] * 4 * 7200)
    waits = [later - earlier for earlier, later in zip([0, *found], found, strict=False)]
    assert waits[:4] == [5, 11, 21, 41]
    assert waits[-1] == 601


@given(st.lists(st.integers(1, 19), max_size=20))
def test_a_book_that_is_crossed_briefly_is_kept(lengths: list[int]) -> None:
    states = [state for length in lengths for state in (*[True] * length, *[False] * 4)]
    assert renewals(states) == []


def test_one_that_was_right_again_is_given_up_as_soon_as_the_first_time() -> None:
    states = [*[True] * 200, *[False] * 40, *[True] * 40]
    assert [each for each in renewals(states) if each > 60] == [65]


def test_it_is_looked_at_once_a_second_and_when_the_clock_is_set_back() -> None:
    watch = Crossing()
    assert watch.is_due(BEGIN)
    assert watch.look(BEGIN, crossed=True) is None
    assert not watch.is_due(BEGIN + SECOND - 1)
    assert watch.is_due(BEGIN + SECOND)
    assert watch.is_due(BEGIN - 3600 * SECOND)
    assert watch.look(BEGIN - 3600 * SECOND, crossed=True) is None
    assert watch.look(BEGIN - 3594 * SECOND, crossed=True) == 6
