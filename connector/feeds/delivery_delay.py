"""How long events waited for their consumer: a histogram that costs a batch one sample.

The time from the read that brought an event (`Event.received_ns`) to the moment at which its
consumer gets it, taken of the first event of each batch: its wait is the longest.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from typing import TYPE_CHECKING

import attrs

from connector.transport.compiled import EXTENSION

NS_PER_SECOND = 1_000_000_000

BOUNDS_SECONDS = (0.0001, 0.00025, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0)
"""Upper bounds of the buckets; one more bucket has no bound."""
_BOUNDS_NS = tuple(round(bound * NS_PER_SECOND) for bound in BOUNDS_SECONDS)


@attrs.frozen
class DelayStatistics:
    """A histogram of delivery delays since the adapter was opened."""

    counts: tuple[int, ...]
    """The number of samples per bucket of `BOUNDS_SECONDS`, and above all of them."""
    sum_seconds: float
    """The sum of all samples, in seconds."""


class HistogramInPython:
    """Counts numbers that `connector.transport.compiled` may count in C.

    Args:
        bounds: the upper bounds of the buckets, at most 15; one more bucket has no bound.
    """

    __slots__ = "_bounds", "_counts", "_sum"

    def __init__(self, bounds: tuple[int, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, ns: int) -> None:
        """Count a delay of `ns`; a clock that was set back makes it none."""
        self._counts[bisect_left(self._bounds, ns)] += 1
        if ns > 0:
            self._sum += ns

    def observe_since(self, since_ns: int) -> None:
        """Count the delay from `since_ns`, wall clock, until now."""
        self.observe(time.time_ns() - since_ns)

    def read(self) -> tuple[tuple[int, ...], float]:
        """What is in each bucket, and the sum of what is not negative."""
        return tuple(self._counts), self._sum


if TYPE_CHECKING:
    Histogram = HistogramInPython
else:
    Histogram = HistogramInPython if EXTENSION is None else EXTENSION.Histogram


class Delays:
    """A histogram that grows."""

    def __init__(self) -> None:
        histogram = Histogram(_BOUNDS_NS)
        self.observe = histogram.observe
        self.observe_since = histogram.observe_since
        self._read = histogram.read

    def statistics(self) -> DelayStatistics:
        """A snapshot."""
        counts, total = self._read()
        return DelayStatistics(counts, total / NS_PER_SECOND)
