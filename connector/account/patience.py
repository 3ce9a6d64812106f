"""Limit how long `place` waits for the outcome, with one timer for all orders that wait.

All orders wait equally long, so they form a queue, and only the first one needs a timer. A cancel
scope for each order would cost as much CPU time as the checks of the order.
"""

from __future__ import annotations

from collections import deque

import trio

from connector.account.late_timers import sleep_until_read
from connector.account.order import Order


class Patience:
    """The orders whose outcome a caller awaits.

    Args:
        seconds: how long each of them.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: deque[tuple[float, Order]] = deque()
        self._more = trio.Event()
        self._over = False

    def begin(self, order: Order) -> None:
        """Its time runs, from when it was made: it has been submitted just now."""
        if self._over:
            order._lose_patience()
            return
        if not self._waiting:
            self._more.set()
        self._waiting.append((order._record.made_at + self._seconds, order))

    async def run(self) -> None:
        """Tell those that wait when their time is up.

        Cancellation: the time of all is up.
        """
        try:
            while True:
                await self._more.wait()
                self._more = trio.Event()
                while self._waiting:
                    until, order = self._waiting[0]
                    if not order._is_known():
                        await sleep_until_read(until)
                        order._lose_patience()
                    self._waiting.popleft()
        finally:
            self._over = True
            for _, order in self._waiting:
                order._lose_patience()
            self._waiting.clear()
