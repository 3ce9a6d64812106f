"""Detect a book that is wrong because its best bid stays at or above its best ask.

A book may be crossed for a moment between two deltas. If it stays crossed, it contains a level that
the exchange does not have, and must be fetched again. If that does not help, the exchange's own
book is crossed (an auction, a halt), and the fetches become rarer.

The check runs at most once per second, so it costs nothing per delta.
"""

from __future__ import annotations

_EVERY_NS = 1_000_000_000
_PATIENCE_SECONDS = (5.0, 600.0)
"""The first and the largest number of seconds that a book may stay crossed."""


class Crossing:
    """Watches one book."""

    def __init__(self) -> None:
        self._quiet_from_ns = self._look_at_ns = 0
        self._since_ns: int | None = None
        self._patience = _PATIENCE_SECONDS[0]

    def is_due(self, now_ns: int) -> bool:
        """Whether to check now; also if the clock was set back."""
        return not self._quiet_from_ns <= now_ns < self._look_at_ns

    def look(self, now_ns: int, *, crossed: bool) -> float | None:
        """Seconds for which the book has been crossed, if that is too long; otherwise None."""
        self._quiet_from_ns, self._look_at_ns = now_ns - _EVERY_NS, now_ns + _EVERY_NS
        if not crossed:
            self._since_ns, self._patience = None, _PATIENCE_SECONDS[0]
            return None
        if self._since_ns is None or now_ns < self._since_ns:
            self._since_ns = now_ns
        seconds = (now_ns - self._since_ns) / 1e9
        if seconds < self._patience:
            return None
        self._since_ns = None
        self._patience = min(self._patience * 2, _PATIENCE_SECONDS[1])
        return seconds
