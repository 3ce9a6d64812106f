"""How long events waited for their consumer: a histogram that costs a batch one sample.

The time from the read that brought an event (`Event.received_ns`) to the moment at which its
consumer gets it, taken of the first event of each batch: its wait is the longest.
"""

from __future__ import annotations

from bisect import bisect_left

import attrs

NS_PER_SECOND = 1_000_000_000

BOUNDS_SECONDS = (0.0001, 0.00025, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0)
"""Upper bounds of the buckets; one more bucket has no bound."""
_BOUNDS_NS = tuple(round(bound * NS_PER_SECOND) for bound in BOUNDS_SECONDS)
_FIRST_BOUND_NS = _BOUNDS_NS[0]


@attrs.frozen
class DelayStatistics:
    """A histogram of delivery delays since the adapter was opened."""

    counts: tuple[int, ...]
    """The number of samples per bucket of `BOUNDS_SECONDS`, and above all of them."""
    sum_seconds: float
    """The sum of all samples, in seconds."""


class Delays:
    """A histogram that grows."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS_NS) + 1)
        self._sum_ns = 0

    def observe(self, ns: int) -> None:
        """Count a delay of `ns`; a clock that was set back makes it none."""
        self._counts[bisect_left(_BOUNDS_NS, ns) if ns > _FIRST_BOUND_NS else 0] += 1
        if ns > 0:
            self._sum_ns += ns

    def statistics(self) -> DelayStatistics:
        """A snapshot."""
        return DelayStatistics(tuple(self._counts), self._sum_ns / NS_PER_SECOND)
