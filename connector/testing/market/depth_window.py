"""What a stream of a book of so many levels has shown, and what has changed in it since."""

from __future__ import annotations

from typing import TypeAlias

from connector.testing.market.matching import OrderBook

Levels: TypeAlias = dict[int, int]
"""Price in ticks to lots, best first."""


class DepthWindow:
    """One stream of one book.

    It counts its updates whether or not anybody listens, and remembers what it has shown only
    while somebody does.

    Args:
        book: whose best levels it shows.
        levels: how many of each side.
        update_id: the first id.
    """

    def __init__(self, book: OrderBook, levels: int, update_id: int) -> None:
        self.levels = levels
        self.update_id = update_id
        self._book = book
        self._shown: tuple[Levels, Levels] | None = None
        self._seen_id = 0

    def whole(self) -> tuple[Levels, Levels]:
        """What it shows now; from here on changes are counted."""
        if self._shown is None:
            self._shown = self._now()
        return self._shown

    def end(self, flow_id: int, *, wanted: bool) -> tuple[Levels, Levels] | None:
        """What has changed since the last end, a level that is gone with 0; None if nothing has.

        Args:
            flow_id: of the last change of the book.
            wanted: whether somebody listens.
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
