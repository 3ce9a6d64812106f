"""The histogram of delays: every sample lies in the bucket that holds it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.feeds.delivery_delay import (
    BOUNDS_SECONDS,
    NS_PER_SECOND,
    Delays,
    Histogram,
    HistogramInPython,
)

EITHER = pytest.mark.parametrize("make", [HistogramInPython, Histogram], ids=["python", "used"])


@given(st.lists(st.integers(-(10**18), 10**18)), st.lists(st.integers(0, 10**12), max_size=15))
def test_both_histograms_count_alike(delays_ns: list[int], bounds: list[int]) -> None:
    ours, other = (make(tuple(sorted(bounds))) for make in (HistogramInPython, Histogram))
    for each in delays_ns:
        ours.observe(each)
        other.observe(each)

    assert ours.read() == other.read()


@EITHER
def test_a_delay_ends_now(make: type[HistogramInPython]) -> None:
    histogram = make((10**15,))
    begin = time.time_ns()
    histogram.observe_since(begin - 10**15)
    histogram.observe_since(begin + 10**15)
    end = time.time_ns()

    counts, total = histogram.read()

    assert counts == (1, 1)
    assert 10**15 <= total <= 10**15 + end - begin


@EITHER
@pytest.mark.parametrize("since_ns", [-1, -(10**18), -(2**63)])
def test_a_clock_set_to_before_1970_stops_nobody(
    make: type[HistogramInPython], since_ns: int
) -> None:
    histogram = make((10**15,))

    histogram.observe_since(since_ns)

    assert histogram.read()[0] == (0, 1)


@EITHER
@pytest.mark.parametrize("wrong", ["1", None])
def test_a_histogram_counts_whole_numbers(make: type[HistogramInPython], wrong: object) -> None:
    for count in (make((1,)).observe, make((1,)).observe_since):
        with pytest.raises(TypeError):
            count(wrong)  # type: ignore[arg-type]


@given(st.lists(st.integers(-(10**9), 20 * 10**9)))
def test_every_sample_is_in_its_bucket(delays_ns: list[int]) -> None:
    delays = Delays()
    for each in delays_ns:
        delays.observe(each)

    found = delays.statistics()

    for index, bound in enumerate(BOUNDS_SECONDS):
        assert sum(found.counts[: index + 1]) == sum(
            each <= bound * NS_PER_SECOND for each in delays_ns
        )
    assert sum(found.counts) == len(delays_ns)
    assert abs(found.sum_seconds - sum(max(each, 0) for each in delays_ns) / 1e9) < 1e-6
