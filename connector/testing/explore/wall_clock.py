"""The wall clock of a run: it follows trio's clock, and can jump as real ones do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import trio

EPOCH_SECONDS = 1_785_000_000.0
"""What a clock on the wall shows when a run begins: as the simulated exchange's own."""


class WallClock:
    """What `time.time` and `time.time_ns` say within `installed`."""

    def __init__(self) -> None:
        self._seconds = EPOCH_SECONDS
        self._started: float | None = None

    def jump(self, seconds: float) -> None:
        """Set the clock: forward after a suspend, back by an operator or NTP."""
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
        """Let `time.time` and `time.time_ns` be this clock for the length of the block."""
        before = time.time, time.time_ns
        time.time, time.time_ns = self.time, self.time_ns
        try:
            yield
        finally:
            time.time, time.time_ns = before
