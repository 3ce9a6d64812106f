"""Order limits: never passed in any window, with room for those that are placed by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.trading.budgets import OrderBudget
from connector.trading.venue import Window

WINDOWS = (Window(10, 10.0), Window(30, 60.0))


@given(
    st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=200),
    st.sampled_from(WINDOWS),
    st.floats(0, 10),
)
def test_no_fixed_window_holds_more_than_its_limit(
    steps: list[tuple[float, bool]], window: Window, offset: float
) -> None:
    budget, now, sent = OrderBudget(WINDOWS), 0.0, list[float]()
    quotes_within = 0
    for pause, quotes in steps:
        now += pause
        if budget.wait_seconds(now, quotes=quotes) <= 0:
            budget.take(now)
            sent.append(now)
            quotes_within += quotes
            assert sum(each > now - 10 for each in sent) <= (8 if quotes else 10)

    for number in range(int(now // window.seconds) + 2):
        begin = number * window.seconds - offset
        inside = [each for each in sent if begin <= each < begin + window.seconds]
        assert len(inside) <= window.limit


@given(st.lists(st.floats(0, 5), max_size=60), st.booleans())
def test_after_the_wait_it_may_go(pauses: list[float], quotes: bool) -> None:
    budget, now = OrderBudget(WINDOWS), 0.0
    for pause in pauses:
        now += pause
        wait = budget.wait_seconds(now, quotes=quotes)
        assert (wait == 0) == (budget.room(now, quotes=quotes) > 0)
        now += wait + 1e-6 * (wait > 0)
        assert budget.wait_seconds(now, quotes=quotes) == 0
        budget.take(now)


def test_what_others_use_counts() -> None:
    budget = OrderBudget(WINDOWS)
    budget.take(0.0)

    budget.observe(WINDOWS[0], 10, 0.0)

    assert budget.room(0.0) == 0
    assert budget.wait_seconds(0.0) == 10.0
    assert budget.room(10.0) == 10
    assert budget.used(0.0)[WINDOWS[0]] == 0


def test_a_ban_closes_everything() -> None:
    budget = OrderBudget(())
    budget.close_until(5.0)

    assert budget.room(4.9) == 0
    assert budget.wait_seconds(4.0) == 1.0
    assert budget.wait_seconds(5.0) == 0.0
    assert budget.room(5.0) > 0
