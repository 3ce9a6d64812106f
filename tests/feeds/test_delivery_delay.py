"""The histogram of delays: every sample lies in the bucket that holds it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.feeds.delivery_delay import BOUNDS_SECONDS, NS_PER_SECOND, Delays


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
