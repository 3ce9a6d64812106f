"""The backlog of a pump: events that wait while its sink fails, and a count of lost ones.

A sink that has failed must hold back no connection, whatever the policy of its group: so its pump
goes on to read, keeps as much as the group's ``buffer``, and then loses the oldest. The loss is
counted, and shows as a gap in its place when the sink works again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from connector.events import BookView

T = TypeVar("T")


class Backlog(Generic[T]):
    """Items in order, the oldest first.

    Args:
        capacity: that are kept.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.items: list[T] = []
        self.lost = 0
        """Since `clear`; they were before `items`."""

    def __len__(self) -> int:
        return len(self.items)

    def add(self, items: Sequence[T]) -> int:
        """Append `items`; how many of all were lost for it."""
        self.items += items
        views = {id(each): each for each in self.items if isinstance(each, BookView)}
        if views:
            # A view is a window, and shows later what the book is then: once is enough.
            kept = [
                each
                for each in reversed(self.items)
                if not isinstance(each, BookView) or views.pop(id(each), None) is not None
            ]
            self.items = kept[::-1]
        excess = max(len(self.items) - self.capacity, 0)
        del self.items[:excess]
        self.lost += excess
        return excess

    def clear(self) -> None:
        """Empty the backlog: everything was written, and the loss reported."""
        self.items, self.lost = [], 0
