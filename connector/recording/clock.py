"""Detect by how much the wall clock was set, by comparison with the monotonic clock.

Frames carry the time of the wall clock. If that clock is set, the difference between two frames is
not the time that passed, and a replay would pause for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from connector.link.raw_frames import FrameItem, RawFrame
from connector.recording.format import CLOCK_SET, AnyMark, Mark

LEAST_NS = 250_000_000
"""Smaller differences come from the slow correction of the clock, or from the scheduler."""


class ClockWatch:
    """Measures by how much the wall clock was set since the last call.

    Args:
        wall: nanoseconds since the epoch.
        steady: nanoseconds of a clock that nobody sets.
    """

    def __init__(
        self,
        wall: Callable[[], int] = time.time_ns,
        steady: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._ahead_ns = wall() - steady()

    def moved_ns(self) -> int:
        """By how much the wall clock was set forward since the last call; 0 if it was not."""
        ahead_ns = self._wall() - self._steady()
        by_ns = ahead_ns - self._ahead_ns
        if abs(by_ns) < LEAST_NS:
            # Told as one step when it comes to so much, however slowly.
            return 0
        self._ahead_ns = ahead_ns
        return by_ns

    def marked(
        self, items: Sequence[FrameItem | AnyMark], by_ns: int, last_ns: int
    ) -> list[FrameItem | AnyMark]:
        """`items`, with a mark between the two frames that the step lies between.

        Args:
            items: what came since the last call of `moved_ns`.
            by_ns: its answer.
            last_ns: when the last frame before them was received; 0 if there was none.
        """
        forward = 1 if by_ns > 0 else -1
        place, widest, mark_ns = len(items), 0, self._wall()
        for index, item in enumerate(items):
            if not isinstance(item, RawFrame):
                continue
            apart_ns = (item.received_ns - last_ns) * forward if last_ns else 0
            if apart_ns > widest:
                place, widest, mark_ns = index, apart_ns, item.received_ns
            last_ns = item.received_ns
        mark = Mark(CLOCK_SET, "", 0, mark_ns, {"by_ns": by_ns})
        return [*items[:place], mark, *items[place:]]
