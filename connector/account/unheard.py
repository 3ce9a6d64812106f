"""Detect a mute private stream: the exchange accepts orders, but sends no events about them.

Every accepted order causes a private event. The reply to a place request is therefore a probe: if
no event arrives within the venue's settle time, the stream does not work any more. Market data and
pongs do not prove that it works (INVARIANTS, fault 66).
"""

from __future__ import annotations

from collections import deque

from connector.trading.order_record import OrderRecord


class Unheard:
    """Orders that were accepted, and that the private stream has not mentioned yet.

    Args:
        seconds: how long its events may lag.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: deque[tuple[float, OrderRecord]] = deque()

    def accepted(self, record: OrderRecord, now: float) -> None:
        """The exchange has accepted an order."""
        while self._waiting and self._waiting[0][1].heard:
            self._waiting.popleft()
        if not record.heard:
            self._waiting.append((now + self._seconds, record))

    def forget(self) -> None:
        """The stream is another one, and the account was read since."""
        self._waiting.clear()

    def overdue(self, now: float) -> OrderRecord | None:
        """The first that the stream should have mentioned."""
        while self._waiting and self._waiting[0][1].heard:
            self._waiting.popleft()
        if self._waiting and self._waiting[0][0] <= now:
            return self._waiting[0][1]
        return None
