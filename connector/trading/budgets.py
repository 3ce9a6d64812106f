"""Track the remaining orders and request weight, to stay below the exchange's limits.

An order limit never delays a cancel. Quotes leave a fifth of each limit to the orders that a
program places itself. During a ban nothing is sent.

The exchange counts in fixed windows of its own clock. These budgets count in sliding windows, which
is at least as strict, because each fixed window is also a sliding one.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from connector.trading.venue import LimitUse, Window

_TICK = 0.001
"""The shortest wait: a clock cannot measure a wait that rounding has reduced further."""
QUOTES_SHARE = 0.8
"""Share of each limit for quotes; the rest is for `place`."""


class OrderBudget:
    """The limits of new orders of one account at one exchange.

    Args:
        windows: the exchange's limits.
    """

    def __init__(self, windows: Sequence[Window]) -> None:
        self.windows = tuple(windows)
        self._sent: dict[Window, deque[tuple[float, int]]] = {each: deque() for each in windows}
        self._sums: dict[Window, int] = dict.fromkeys(windows, 0)
        self._closed_until = -math.inf

    def take(self, now: float, orders: int = 1) -> None:
        """Count orders that are about to be sent."""
        for window in self.windows:
            self._sent[window].append((now, orders))
            self._sums[window] += orders

    def observe(self, window: Window, used: int, now: float) -> None:
        """Take the used part of a window from the exchange, which includes other programs."""
        if window in self._sent:
            self._forget(window, now)
            surplus = used - self._sums[window]
            if surplus > 0:
                self._sent[window].append((now, surplus))
                self._sums[window] += surplus

    def adopt(self, uses: Sequence[LimitUse], now: float) -> None:
        """The exchange's limits are these, and so much of each is used."""
        if not uses:
            return
        sent, sums = self._sent, self._sums
        lengths = {window.seconds: window for window in sent}
        self.windows = tuple(window for window, _ in uses)
        self._sent, self._sums = {}, {}
        for window, used in uses:
            known = lengths.get(window.seconds)
            self._sent[window] = deque() if known is None else sent[known]
            self._sums[window] = 0 if known is None else sums[known]
            self.observe(window, used, now)

    def close_until(self, moment: float) -> None:
        """Send no order before `moment`, as the exchange demands."""
        self._closed_until = max(self._closed_until, moment)

    def wait_seconds(self, now: float, *, quotes: bool = False, orders: int = 1) -> float:
        """Seconds that `orders` new orders must wait; 0 if none."""
        wait = self._closed_until - now
        for window in self.windows:
            sent = self._sent[window]
            if sent and sent[0][0] <= now - window.seconds:
                self._forget(window, now)
            limit = self._limit(window, quotes=True) if quotes else window.limit
            excess = self._sums[window] + orders - limit
            if excess <= 0:
                continue
            for moment, count in sent:
                if excess <= 0:
                    break
                excess -= count
                wait = max(wait, moment + window.seconds - now)
            if excess > 0:
                wait = max(wait, window.seconds)
        return max(wait, _TICK) if wait > 0 else 0.0

    def room(self, now: float, *, quotes: bool = False) -> int:
        """Number of new orders that may be sent now."""
        if now < self._closed_until:
            return 0
        rooms = []
        for window in self.windows:
            self._forget(window, now)
            rooms.append(self._limit(window, quotes=quotes) - self._sums[window])
        return max(min(rooms, default=2**31), 0)

    def used(self, now: float) -> dict[Window, int]:
        """The used part of each limit, for statistics."""
        for window in self.windows:
            self._forget(window, now)
        return dict(self._sums)

    def _limit(self, window: Window, *, quotes: bool) -> int:
        return int(window.limit * QUOTES_SHARE) if quotes else window.limit

    def _forget(self, window: Window, now: float) -> None:
        sent = self._sent[window]
        while sent and sent[0][0] <= now - window.seconds:
            self._sums[window] -= sent.popleft()[1]
