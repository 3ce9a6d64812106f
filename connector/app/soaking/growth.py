"""Detect growth in samples of a program at rest, by pure arithmetic.

Counts must equal the baseline: a program at rest has exactly the tasks, sockets and descriptors
that it had when it was first at rest. Memory and traffic are noisy, so their trend is judged: the
median of the slopes between all pairs of samples (Theil and Sen), which a few odd ones cannot bend,
over the time after a warm-up.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence

import msgspec

WARM_UP = 0.25
"""This part of a run does not count for trends: caches fill, code is loaded."""
FEWEST = 4
"""Samples after the warm-up, without which nothing is said about trends."""
RSS_ALLOWANCE_BYTES = 4 << 20
RSS_ALLOWANCE = 0.05
"""Memory may rise by 4 MB and this part of it in a run, however long: fragments, bounded logs."""
TRAFFIC_ALLOWANCE = 0.5
"""Traffic may rise by this part of it in a run: breaks fall into some intervals and not others."""


class Rest(msgspec.Struct, frozen=True, kw_only=True):
    """The process at one moment at which everything was connected and nothing was broken."""

    seconds: float
    tasks: int
    """The number of tasks in the process, as trio counts them."""
    sockets: int
    """The number of open connections of the adapter."""
    descriptors: int | None
    """The number of descriptors of the process; None if the system does not list them."""
    rss_bytes: int | None
    """The memory of the process in bytes; None if the system does not report it."""
    bytes_per_second: float
    """WebSocket bytes received, since the sample before."""


def growth(samples: Sequence[Rest]) -> list[str]:
    """One sentence for each number that has grown. The first sample is the baseline."""
    if not samples:
        return ["the program was never at rest"]
    return [*_counts(samples), *_memory(samples), *_traffic(samples)]


def trend(points: Sequence[tuple[float, float]]) -> float:
    """By how much the second number rises per unit of the first, robustly (Theil and Sen)."""
    slopes = [
        (y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in itertools.combinations(points, 2) if x2 > x1
    ]
    return statistics.median(slopes) if slopes else 0.0


def _counts(samples: Sequence[Rest]) -> list[str]:
    found = []
    for name in ("tasks", "sockets", "descriptors"):
        first = getattr(samples[0], name)
        for sample in samples[1:]:
            now = getattr(sample, name)
            if now != first:
                last = getattr(samples[-1], name)
                found.append(
                    f"{name} at rest were {first}, after {sample.seconds:.0f} s {now}, "
                    f"at the end {last}"
                )
                break
    return found


def _memory(samples: Sequence[Rest]) -> list[str]:
    points = [
        (each.seconds, float(each.rss_bytes))
        for each in _warm(samples)
        if each.rss_bytes is not None
    ]
    rise = _rise(points)
    if rise is None:
        return []
    allowed = RSS_ALLOWANCE_BYTES + RSS_ALLOWANCE * points[0][1]
    if rise <= allowed:
        return []
    rose, seconds = f"{rise / 1e6:.1f} MB", _span(points)
    return [f"memory rises: by {rose} in {seconds:.0f} s, {allowed / 1e6:.1f} MB are allowed"]


def _traffic(samples: Sequence[Rest]) -> list[str]:
    points = [(each.seconds, each.bytes_per_second) for each in _warm(samples[1:])]
    rise = _rise(points)
    if rise is None:
        return []
    usual = statistics.median(rate for _, rate in points)
    if rise <= TRAFFIC_ALLOWANCE * usual:
        return []
    rose, seconds = f"{rise / 1e3:.1f} KB/s", _span(points)
    return [f"traffic rises: by {rose} in {seconds:.0f} s, from about {usual / 1e3:.1f} KB/s"]


def _warm(samples: Sequence[Rest]) -> list[Rest]:
    if not samples:
        return []
    begin = samples[0].seconds + WARM_UP * (samples[-1].seconds - samples[0].seconds)
    return [each for each in samples if each.seconds >= begin]


def _rise(points: Sequence[tuple[float, float]]) -> float | None:
    """By how much it has risen over the whole span; None if there are too few points to say."""
    return trend(points) * _span(points) if len(points) >= FEWEST else None


def _span(points: Sequence[tuple[float, float]]) -> float:
    return points[-1][0] - points[0][0]
