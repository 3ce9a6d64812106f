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
"""The shortest wait: what rounding leaves of one, no clock can measure."""
QUOTES_SHARE = 0.8
"""Of each limit; the rest is for `place`."""


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
        """The exchange says how much of a window is used: what is not ours counts, too."""
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
        """No order before `moment`: the exchange said so."""
        self._closed_until = max(self._closed_until, moment)

    def wait_seconds(self, now: float, *, quotes: bool = False, orders: int = 1) -> float:
        """How long `orders` new ones must wait; 0 for not at all."""
        wait = self._closed_until - now
        for window in self.windows:
            self._forget(window, now)
            excess = self._sums[window] + orders - self._limit(window, quotes=quotes)
            for moment, count in self._sent[window]:
                if excess <= 0:
                    break
                excess -= count
                wait = max(wait, moment + window.seconds - now)
            if excess > 0:
                wait = max(wait, window.seconds)
        return max(wait, _TICK) if wait > 0 else 0.0

    def room(self, now: float, *, quotes: bool = False) -> int:
        """How many new ones may go now."""
        if now < self._closed_until:
            return 0
        rooms = []
        for window in self.windows:
            self._forget(window, now)
            rooms.append(self._limit(window, quotes=quotes) - self._sums[window])
        return max(min(rooms, default=2**31), 0)

    def used(self, now: float) -> dict[Window, int]:
        """How much of each limit is used, for statistics."""
        for window in self.windows:
            self._forget(window, now)
        return dict(self._sums)

    def _limit(self, window: Window, *, quotes: bool) -> int:
        return int(window.limit * QUOTES_SHARE) if quotes else window.limit

    def _forget(self, window: Window, now: float) -> None:
        sent = self._sent[window]
        while sent and sent[0][0] <= now - window.seconds:
            self._sums[window] -= sent.popleft()[1]
