"""Choose the numbers on the axis of a plot: round ones, with only the necessary digits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

_STEPS = (1.0, 2.0, 5.0, 10.0)
_SECONDS = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200,
)  # fmt: skip
_DAY = 86400


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, at most `most`, each a multiple of their distance."""
    step = _step(high - low, most)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _step(extent: float, most: int) -> float:
    """The smallest of 1, 2 and 5 times a power of ten of which `extent` has fewer than `most`."""
    least = max(extent, 1e-12) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(least))
    return next(each * power for each in _STEPS if each * power >= least * (1 - 1e-9))


def labels(values: Sequence[float]) -> list[str]:
    """`values` as text, all with the digits that their distance needs."""
    step = min((b - a for a, b in pairwise(values)), default=1.0)
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    # Rounded, a number just below 0 is -0.0.
    return [f"{round(value, digits) + 0.0:,.{digits}f}" for value in values]


def moments(begin: float, end: float, most: int = 6) -> list[tuple[float, str]]:
    """Round times of day from `begin` to `end`, seconds since the epoch, as UTC.

    Whole days show their date.
    """
    span = max(end - begin, 1e-9)
    if span < 2:
        found = ticks(begin, end, most)
        return [(each, f"{datetime.fromtimestamp(each, UTC):%H:%M:%S.%f}"[:-3]) for each in found]
    step = next((each for each in _SECONDS if span / each < most), 0)
    if not step:
        step = _DAY * math.ceil(span / _DAY / most)
    form = "%Y-%m-%d" if step >= _DAY else "%H:%M" if step >= 60 else "%H:%M:%S"
    numbers = range(math.ceil(begin / step), math.floor(end / step) + 1)
    return [(n * step, f"{datetime.fromtimestamp(n * step, UTC):{form}}") for n in numbers]
