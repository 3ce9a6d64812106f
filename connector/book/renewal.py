"""Renew a book from a new snapshot before its known levels run out.

A snapshot contains a part of the book, and a book with a depth keeps a part of that. When the price
moves, the known levels on one side are used up. Long before the top would be wrong, a second book
is started beside the first. It joins a new snapshot with the same deltas, and replaces the first
one when it is live. Readers see no interruption.

.. code-block:: text

    first    LIVE ─────────────────── running out ──────────────────────┐ its place is taken
    second                            GAP ─▶ BUFFERING ─▶ (JOINING) ─▶ LIVE ──────────────────▶
"""

from __future__ import annotations

from connector.book.levels import Extent
from connector.book.machine import BUFFERED, Book, Outcome
from connector.book.rules import BookRules
from connector.book.state import State
from connector.events import BookDelta, BookSnapshot

_UPDATED = Outcome.UPDATED
"""As in `connector.book.machine`, for each change."""


class RenewedBook:
    """A `Book` with the same methods, and a successor when it needs one."""

    def __init__(
        self, rules: BookRules, extent: Extent | None = None, *, buffered: int = BUFFERED
    ) -> None:
        self.rules = rules
        self.renewals = 0
        """The number of times that a successor took over."""
        self._extent = extent
        self._buffered = buffered
        self.book = self._new()
        """The book that is shown; another one after a renewal."""
        self.successor: Book | None = None
        """The book that joins a new snapshot, or None."""

    def __repr__(self) -> str:
        successor = f", then {self.successor!r}" if self.successor is not None else ""
        return f"<RenewedBook: {self.book!r}{successor}>"

    @property
    def state(self) -> State:
        """Of the book that is shown."""
        return self.book.state

    @property
    def synced(self) -> bool:
        """Whether it equals the exchange's book."""
        return self.book.synced

    @property
    def wants_snapshot(self) -> bool:
        """Whether a snapshot should be fetched now, for either of the two books."""
        return self._joining.wants_snapshot

    @property
    def wants_resubscription(self) -> bool:
        """Whether only a new subscription can deliver the missing snapshot."""
        return self.book.wants_resubscription

    @property
    def is_running_out(self) -> bool:
        """Whether a successor is being built while the book is still right."""
        return self.successor is not None and self.book.synced

    @property
    def buffered(self) -> int:
        """Deltas that wait for a snapshot."""
        return self._joining.buffered

    @property
    def stored(self) -> int:
        """Levels in memory, of both sides and both books."""
        books = (self.book, self.successor) if self.successor is not None else (self.book,)
        return sum(book.bids.stored + book.asks.stored for book in books)

    def delta(self, delta: BookDelta) -> Outcome:
        """Take the next delta of the stream."""
        book = self.book
        outcome = book.delta(delta)
        successor = self.successor
        if successor is not None:
            successor.delta(delta)
            return self._settled(outcome)
        if outcome is _UPDATED and (book.bids.is_running_out or book.asks.is_running_out):
            self.successor = self._new()
            self.successor.delta(delta)
        return outcome

    def asked(self) -> None:
        """Note that a snapshot was requested."""
        self._joining.asked()

    def refused(self) -> None:
        """Note that the requested snapshot will not arrive."""
        self._joining.refused()

    def postponed(self) -> None:
        """The requested snapshot may arrive later; the buffered deltas are kept."""
        self._joining.postponed()

    def fetched(self, snapshot: BookSnapshot, *, limit: int | None = None) -> Outcome:
        """Take the requested snapshot."""
        outcome = self._joining.fetched(snapshot, limit=limit)
        return outcome if self.successor is None else self._settled(Outcome.NOTHING)

    def restarted(self, snapshot: BookSnapshot) -> Outcome:
        """Take a snapshot from the stream."""
        self.successor = None
        return self.book.restarted(snapshot)

    def lost(self, reason: str) -> Outcome:
        """Note that data of the stream was lost on its way here."""
        self.successor = None
        return self.book.lost(reason)

    def interrupted(self, reason: str = "disconnected") -> Outcome:
        """Note that the connection of the stream is gone."""
        self.successor = None
        return self.book.interrupted(reason)

    def _new(self) -> Book:
        return Book(self.rules, self._extent, buffered=self._buffered)

    @property
    def _joining(self) -> Book:
        return self.book if self.successor is None else self.successor

    def _settled(self, outcome: Outcome) -> Outcome:
        """Let the successor take over if it is live, or if it is all there is."""
        successor = self.successor
        assert successor is not None
        if successor.synced:
            self.book, self.successor = successor, None
            self.renewals += 1
            return Outcome.UPDATED
        if outcome is Outcome.LOST:
            reason = self.book.reason
            # The top is no longer known: the successor is on its way. What both have missed makes
            # the successor's work useless, too.
            self.book, self.successor = successor, None
            successor.reason = reason
        return outcome
