"""Numbers beside a plot: few, round, inside, and different."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.app.demo.axes import labels, moments, ticks

NUMBERS = st.floats(-1e6, 1e6)


@given(NUMBERS, st.floats(1e-3, 1e9), st.integers(2, 9))
def test_they_are_few_inside_and_evenly_spaced(low: float, extent: float, most: int) -> None:
    high = low + extent
    found = ticks(low, high, most)

    room = 1e-6 * extent
    assert len(found) <= most
    assert all(low - room <= each <= high + room for each in found)


@given(st.floats(0, 1e6), st.floats(1e-3, 1e9))
def test_their_labels_tell_them_apart(low: float, extent: float) -> None:
    found = labels(ticks(low, low + extent))

    assert len(set(found)) == len(found)


def test_what_a_person_would_write() -> None:
    assert labels(ticks(0, 93)) == ["0", "50"]
    assert labels(ticks(0, 93, 6)) == ["0", "20", "40", "60", "80"]
    assert labels(ticks(2999.83, 3000.22)) == ["2,999.9", "3,000.0", "3,000.1", "3,000.2"]
    assert labels(ticks(-0.05, 0.1)) == ["-0.05", "0.00", "0.05", "0.10"]
    assert labels(ticks(5, 5)) == ["5"]


def test_times_of_day() -> None:
    day = 1_785_024_000.0  # midnight

    assert [text for _, text in moments(day + 3, day + 33)] == [
        "00:00:10", "00:00:20", "00:00:30"
    ]  # fmt: skip
    assert [text for _, text in moments(day, day + 7200)][:2] == ["00:00", "00:30"]
    assert all(text.count("-") == 2 for _, text in moments(day, day + 30 * 86400))
    assert [text for _, text in moments(day, day + 0.5)][1].startswith("00:00:00.")
