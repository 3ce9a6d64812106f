"""A running fault plan: which fault strikes which connection, and how often it has struck."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import trio

from connector.testing.exchange.event_log import Log
from connector.testing.faults.faults import HANDSHAKE_KINDS, Fault, FaultKind


@attrs.define(eq=False)
class _Planned:
    fault: Fault
    struck: int = 0
    done: bool = False
    """Whether the time of the fault has passed, if it has one."""

    @property
    def left(self) -> float:
        times = self.fault.times
        return float("inf") if times is None else times - self.struck

    def strike(self, connection: int, route: str | None = None) -> bool:
        if self.left <= 0 or not self.fault.when.includes(connection, route):
            return False
        self.struck += 1
        return True


class RunningPlan:
    """The faults of an exchange, with the number of times that each has struck.

    Args:
        log: the exchange's log, which knows when the exchange was opened.
    """

    def __init__(self, log: Log) -> None:
        self._opened = log.started
        self._planned: list[_Planned] = []
        self._changed = trio.lowlevel.ParkingLot()

    def add(self, fault: Fault) -> _Planned:
        """Append a fault; if several could strike, the first one does."""
        planned = _Planned(fault)
        self._planned.append(planned)
        self._changed.unpark_all()
        return planned

    def clear(self) -> None:
        """Remove all faults."""
        self._planned.clear()
        self._changed.unpark_all()

    async def wait_change(self, until: float) -> None:
        """Wait for a new fault, or until a time (`trio.current_time()`)."""
        with trio.move_on_at(until):
            await self._changed.park()

    def _span(self, fault: Fault) -> tuple[float, float]:
        begins = fault.when.seconds or 0.0
        ends = fault.when.until_seconds
        return self._opened + begins, float("inf") if ends is None else self._opened + ends

    def handshake_fault(
        self, connection: int, kinds: frozenset[FaultKind] = HANDSHAKE_KINDS
    ) -> Fault | None:
        """Find the fault of one of `kinds` that strikes this handshake, and count it."""
        now = trio.current_time()
        for planned in self._planned:
            if planned.fault.kind in kinds:
                begins, ends = self._span(planned.fault)
                if begins <= now < ends and planned.strike(connection):
                    return planned.fault
        return None

    def of_new_connection(self, connection: int, route: str) -> Iterator[Fault]:
        """The faults that strike a new connection at an age or message count, or at once."""
        for planned in tuple(self._planned):
            fault = planned.fault
            if (
                not fault.is_handshake_fault
                and fault.when.seconds is None
                and planned.strike(connection, route)
            ):
                yield fault

    def next_moment(self) -> float:
        """When the next fault with a fixed time is due; infinity if there is none."""
        return min((self._span(p.fault)[0] for p in self._timed()), default=float("inf"))

    def take_due(self) -> list[_Planned]:
        """The faults that are due by now, each once, earliest first."""
        now = trio.current_time()
        due = [planned for planned in self._timed() if self._span(planned.fault)[0] <= now]
        due.sort(key=lambda planned: self._span(planned.fault)[0])
        for planned in due:
            planned.done = True
        return due

    def _timed(self) -> Iterator[_Planned]:
        for planned in self._planned:
            fault = planned.fault
            if not fault.is_handshake_fault and fault.when.seconds is not None and not planned.done:
                yield planned
