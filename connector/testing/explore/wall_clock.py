"""The wall clock of a run: it follows trio's clock, and can jump as real clocks do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import trio

EPOCH_SECONDS = 1_785_000_000.0
"""The time when a run begins; the simulated exchange's clock starts at the same time."""


class WallClock:
    """The clock that `time.time` and `time.time_ns` read within `installed`."""

    def __init__(self) -> None:
        self._seconds = EPOCH_SECONDS
        self._started: float | None = None

    def jump(self, seconds: float) -> None:
        """Change the clock: forward as after a suspend, back as an operator or NTP may do."""
        self._seconds += seconds

    def time(self) -> float:
        """Seconds since 1970."""
        try:
            now = trio.current_time()
        except RuntimeError:
            return self._seconds
        if self._started is None:
            self._started = now
        return self._seconds + now - self._started

    def time_ns(self) -> int:
        """Nanoseconds since 1970."""
        return round(self.time() * 1e9)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Replace `time.time` and `time.time_ns` by this clock within the block."""
        before = time.time, time.time_ns
        time.time, time.time_ns = self.time, self.time_ns
        try:
            yield
        finally:
            time.time, time.time_ns = before
