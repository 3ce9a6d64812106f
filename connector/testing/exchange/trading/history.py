"""A value with its past, so that a query can return an earlier state."""

from __future__ import annotations

from bisect import bisect_right
from typing import Generic, TypeVar

T = TypeVar("T")


class History(Generic[T]):
    """All states of a value, each with the exchange's time at which it began.

    The engine reads `now`; queries that lag read `at`. Source: binance_trading §7 (4).
    """

    def __init__(self, ms: int, value: T) -> None:
        self._since = [ms]
        self._values = [value]

    @property
    def now(self) -> T:
        """The state as the engine has it."""
        return self._values[-1]

    def put(self, ms: int, value: T) -> None:
        """Set a new state; its time must not precede that of the last one."""
        self._since.append(max(ms, self._since[-1]))
        self._values.append(value)

    def at(self, ms: int) -> T | None:
        """The state at a time in milliseconds; None before the first one."""
        place = bisect_right(self._since, ms)
        return self._values[place - 1] if place else None

    @property
    def all(self) -> tuple[T, ...]:
        """Every state, oldest first."""
        return tuple(self._values)
