"""A window of a book's best levels: what a stream has shown, and what has changed since."""

from __future__ import annotations

from typing import TypeAlias

from connector.testing.market.matching import OrderBook

Levels: TypeAlias = dict[int, int]
"""Price in ticks to lots, best first."""


class DepthWindow:
    """The window of one stream of one book.

    It always counts its updates, but remembers the shown levels only while the stream has
    listeners.

    Args:
        book: the book whose best levels it shows.
        levels: how many levels of each side it shows.
        update_id: the first id.
    """

    def __init__(self, book: OrderBook, levels: int, update_id: int) -> None:
        self.levels = levels
        self.update_id = update_id
        self._book = book
        self._shown: tuple[Levels, Levels] | None = None
        self._seen_id = 0

    def whole(self) -> tuple[Levels, Levels]:
        """The current levels; from now on, changes are counted from them."""
        if self._shown is None:
            self._shown = self._now()
        return self._shown

    def end(self, flow_id: int, *, wanted: bool) -> tuple[Levels, Levels] | None:
        """The changes since the last call, with 0 for a removed level; None without changes.

        Args:
            flow_id: the id of the last change of the book.
            wanted: whether the stream has listeners.
        """
        if flow_id == self._seen_id:
            return None
        self._seen_id = flow_id
        self.update_id += 1
        if not wanted:
            self._shown = None
            return None
        before, after = self.whole(), self._now()
        self._shown = after
        bids, asks = map(_changes, before, after)
        return bids, asks

    def _now(self) -> tuple[Levels, Levels]:
        bids, asks = self._book.bids, self._book.asks
        return dict(bids.best_levels(self.levels)), dict(asks.best_levels(self.levels))


def _changes(before: Levels, after: Levels) -> Levels:
    gone = {price: 0 for price in before if price not in after}
    return gone | {price: lots for price, lots in after.items() if before.get(price) != lots}
