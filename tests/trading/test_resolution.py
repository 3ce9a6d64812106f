"""The rule for an unknown place is never wrong; absence by query is (TRADING §4, §7)."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.trading.resolution import Resolution
from tests.trading import unknown_place
from tests.trading.unknown_place import ENGINE, SETTLE, WINDOW, World, judge

WORLDS = st.builds(
    World,
    arrives=st.none() | st.floats(0, WINDOW + 1),
    queued=st.floats(0, ENGINE + WINDOW),
    filled_after=st.none() | st.floats(0, 20),
    query_lag=st.floats(0, 300),
    stream_lag=st.floats(0, SETTLE * 0.99),
    trades_lag=st.floats(0, SETTLE * 0.99),
    hole=st.none()
    | st.tuples(st.floats(0, 15), st.floats(0, 15)).map(lambda pair: tuple(sorted(pair))),
    failures=st.frozensets(st.integers(1, 12), max_size=6),
    trip=st.floats(0.001, 0.5),
)


def worlds(count: int) -> list[World]:
    """The same thousands each time, with corners more often than chance has them."""
    chance = random.Random(12)

    def some(low: float, high: float) -> float:
        return chance.choice([low, high, chance.uniform(low, high)])

    return [
        World(
            arrives=chance.choice([None, some(0, WINDOW + 0.5), some(0, WINDOW)]),
            queued=some(0, ENGINE + WINDOW),
            filled_after=chance.choice([None, some(0, 15)]),
            query_lag=some(0, 300),
            stream_lag=some(0, SETTLE * 0.99),
            trades_lag=some(0, SETTLE * 0.99),
            hole=chance.choice([None, (0.0, some(0, 15)), (some(0, 5), some(5, 15))]),
            failures=frozenset(chance.sample(range(1, 12), chance.randint(0, 5))),
            trip=some(0.001, 0.5),
        )
        for _ in range(count)
    ]


@settings(max_examples=500, deadline=None)
@given(WORLDS)
def test_the_rule_is_right(world: World) -> None:
    verdict, right = judge(unknown_place.by_window_fence_and_fills, world)

    assert right
    assert verdict != "unknown"


def test_the_rule_is_right_in_thousands_of_worlds_and_says_both() -> None:
    verdicts = [judge(unknown_place.by_window_fence_and_fills, each) for each in worlds(8000)]

    assert all(right for _, right in verdicts)
    said = [verdict for verdict, _ in verdicts]
    assert said.count("absent") > 1000
    assert said.count("found") > 1000
    assert "unknown" not in said


@pytest.mark.parametrize(
    "rule",
    [
        unknown_place.by_query,
        unknown_place.by_patient_query,
        unknown_place.by_fence_alone,
        unknown_place.by_fence_before_the_window_ends,
    ],
)
def test_every_shortcut_is_wrong_somewhere(rule: unknown_place.Rule) -> None:
    wrong = [each for each in worlds(2000) if not judge(rule, each)[1]]

    assert wrong


def test_a_failed_question_is_no_answer() -> None:
    resolution = Resolution(10**9, 1.0)
    for _ in range(20):
        step, due = resolution.next(1000.0)
        if step == "ask":
            resolution.failed(1000.0)
        assert due > 1000.0 or step == "ask"
    assert resolution.next(1005.0)[0] == "ask"


def test_an_answer_inside_the_window_leads_to_no_fence() -> None:
    resolution = Resolution(5 * 10**9, 1.0)

    resolution.not_found(4 * 10**9, 0.0)

    assert resolution.next(0.5)[0] == "wait"
    assert resolution.next(1.0)[0] == "ask"
    resolution.not_found(5 * 10**9 + 1, 1.1)
    assert resolution.next(1.1)[0] == "fence"


@pytest.mark.parametrize(
    ("stamp_ns", "seconds"),
    [(3_000_000_000, 1.0), (4_000_000_000, 1.0), (4_800_000_000, 0.201), (5 * 10**9, 0.01)],
)
def test_the_next_question_comes_when_the_window_is_over_or_after_a_second(
    stamp_ns: int, seconds: float
) -> None:
    resolution = Resolution(5 * 10**9, 1.0)

    resolution.not_found(stamp_ns, 100.0)

    step, due = resolution.next(100.0)
    assert (step, due) == ("wait", pytest.approx(100.0 + seconds))


def test_failed_questions_come_ever_later_until_one_has_an_answer() -> None:
    resolution, now, waits = Resolution(10**9, 1.0), 0.0, []
    for _ in range(7):
        resolution.failed(now)
        _, due = resolution.next(now)
        waits.append(due - now)
        now = due
    resolution.not_found(1, now)
    _, now = resolution.next(now)
    resolution.failed(now)

    assert waits == pytest.approx([0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0])
    assert resolution.next(now) == ("wait", pytest.approx(now + 0.2))


def test_without_a_hole_nothing_is_read() -> None:
    resolution = Resolution(0, 1.0)
    resolution.not_found(1, 0.0)
    resolution.fenced(0.1)

    assert resolution.next(0.5) == ("wait", 1.1)
    assert resolution.next(1.1)[0] == "absent"


def test_with_a_hole_position_and_trades_are_read_twice() -> None:
    resolution = Resolution(0, 1.0)
    resolution.not_found(1, 0.0)
    resolution.fenced(0.0)
    resolution.broken()

    assert resolution.next(1.0)[0] == "read"
    assert not resolution.read("flat", 1.0, agrees=True)
    assert resolution.next(1.5)[0] == "wait"
    assert not resolution.read("long", 2.0, agrees=True)
    assert resolution.next(2.9) == ("wait", 3.0)
    assert resolution.next(3.0)[0] == "read"
    assert resolution.read("long", 3.0, agrees=True)


def test_a_reading_ends_the_row_of_failed_questions() -> None:
    resolution = Resolution(0, 0.0)
    resolution.not_found(1, 0.0)
    resolution.fenced(0.0)
    resolution.broken()
    resolution.next(0.0)
    for _ in range(4):
        resolution.failed(0.0)
    resolution.read("flat", 10.0, agrees=True)

    resolution.failed(10.0)

    assert resolution.next(10.0) == ("wait", 10.2)


def test_readings_that_disagree_begin_again() -> None:
    resolution = Resolution(0, 1.0)
    resolution.not_found(1, 0.0)
    resolution.fenced(0.0)
    resolution.broken()
    resolution.next(1.0)

    assert not resolution.read("a fill nobody knows", 1.0, agrees=False)
    assert resolution.next(1.9) == ("wait", 2.0)
    assert resolution.next(2.0)[0] == "ask"
