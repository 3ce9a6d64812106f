"""Timed actions, run in one task: ordered by due time, then by the time they were added."""

from __future__ import annotations

import heapq
from collections.abc import Callable

import trio


class Timers:
    """Actions by the time at which they are due; `run` does them."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._changed = trio.lowlevel.ParkingLot()

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Schedule an action after some seconds."""
        self.at(trio.current_time() + seconds, act)

    def at(self, moment: float, act: Callable[[], None]) -> None:
        """Schedule an action at exactly this time, as `trio.current_time()`."""
        self._count += 1
        heapq.heappush(self._due, (moment, self._count, act))
        self._changed.unpark_all()

    def clear(self) -> None:
        """Remove all pending actions."""
        self._due.clear()

    async def run(self) -> None:
        """Run the actions when they are due, until cancelled."""
        while True:
            while self._due and self._due[0][0] <= trio.current_time():
                heapq.heappop(self._due)[2]()
            with trio.move_on_at(self._due[0][0] if self._due else float("inf")):
                await self._changed.park()
