"""`Book`: build an order book from deltas and snapshots; it is correct while it is synced.

No I/O, no clock. The caller passes it the messages, fetches a snapshot when `wants_snapshot`,
and looks at the outcome.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Sequence

import attrs

from connector.book.levels import Asks, Bids, Extent
from connector.book.rows import checksum
from connector.book.rules import BookRules
from connector.book.state import Input, State, after
from connector.errors import ConfigError
from connector.events import BookDelta, BookSnapshot

BUFFERED = 1024
"""Deltas that are kept for a snapshot. When they are more, the oldest go: the snapshot is newer."""

_MOST_OLD = 64
"""So many deltas in a row that bring nothing new are not old: the exchange counts anew."""


class Outcome(enum.Enum):
    """The effect of a delta or a snapshot on the book."""

    NOTHING = "nothing"
    """It is unchanged."""
    UPDATED = "updated"
    """It is synced and has changed."""
    LOST = "lost"
    """It has lost its sync; `Book.reason` has the cause."""


# A member of an enum costs more to look up than a change costs to apply in C.
_LIVE, _UPDATED = State.LIVE, Outcome.UPDATED


class Book:
    """One order book.

    Args:
        rules: those of its exchange.
        extent: how many levels are shown and kept.
        buffered: deltas that are kept while a snapshot is on its way.
    """

    def __init__(
        self, rules: BookRules, extent: Extent | None = None, *, buffered: int = BUFFERED
    ) -> None:
        extent = Extent() if extent is None else extent
        self.rules = rules
        self.state = State.IDLE
        self.bids = Bids(extent)
        self.asks = Asks(extent)
        self.update_id = 0
        """The exchange's id of the last change; 0 where it has none, or while not synced."""
        self.latest: BookDelta | BookSnapshot | None = None
        """The last applied event."""
        self.reason = ""
        """Why it lost its sync the last time: "sequence", "checksum", "crossed", "depth", or what
        `lost` was told."""
        self._follow = rules.follow
        self._checksum = rules.checksum
        self._read_digits = rules.read_digits
        self._verified = rules.checksum is not None or rules.never_crosses
        self._crossed_from_the_start = False
        self._last_id = 0
        self._old = 0
        self._stale = False
        self._ahead: tuple[BookSnapshot, int | None] | None = None
        self._newest: BookDelta | None = None
        """The id of the last delta that was dropped in a gap. An older snapshot is too old."""
        self._buffer: deque[BookDelta] = deque(maxlen=buffered)

    def __repr__(self) -> str:
        return f"<Book {self.rules.name} {self.state.value}, update {self.update_id}>"

    @property
    def synced(self) -> bool:
        """Whether it equals the exchange's book."""
        return self.state is State.LIVE

    @property
    def wants_snapshot(self) -> bool:
        """Whether a snapshot should be fetched now. Call `asked` when it is requested."""
        return self.rules.snapshot == "rest" and (self.state is State.GAP or self._stale)

    @property
    def wants_resubscription(self) -> bool:
        """Whether only a new subscription can deliver the missing snapshot."""
        return self.rules.snapshot == "stream" and self.state is State.GAP

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid is at or above the best ask."""
        (bid,), (ask,) = self.bids.top(1) or (None,), self.asks.top(1) or (None,)
        return bid is not None and ask is not None and bid.price >= ask.price

    @property
    def buffered(self) -> int:
        """Deltas that wait for a snapshot."""
        return len(self._buffer)

    # Input.

    def delta(self, delta: BookDelta) -> Outcome:
        """Take the next delta of the stream."""
        if self.state is _LIVE:
            last = self._follow(self._last_id, delta)
            if last > 0:
                self._old = 0
                self._last_id = self.update_id = last
                self.latest = delta
                bids, asks = self.bids, self.asks
                if not self._verified:
                    bids.apply(delta.bids)
                    asks.apply(delta.asks)
                elif wrong := self._apply_verified(delta):
                    return self._lose(Input.WRONG, wrong)
                runs_out = bids.is_running_out or asks.is_running_out
                if runs_out and not (bids.top_is_known and asks.top_is_known):
                    return self._lose(Input.WRONG, "depth")
                return _UPDATED
            if self._judge(last) is Input.OLD:
                return Outcome.NOTHING
            outcome = self._lose(Input.HOLE, "sequence")
            self._newest = delta
            return outcome
        if self.state is State.BUFFERING:
            self._keep(delta)
        elif self.state is State.JOINING:
            return self._join_with(delta)
        else:
            self.state = after(self.state, Input.DELTA)
            self._newest = delta
        return Outcome.NOTHING

    def asked(self) -> None:
        """Note that a snapshot was requested: keep deltas from now on."""
        self.state = after(self.state, Input.ASKED)
        self._stale = False
        newest, self._newest = self._newest, None
        if newest is not None:
            self._keep(newest)

    def refused(self) -> None:
        """The requested snapshot will not arrive; ignored if the book does not wait for one."""
        if self.state is State.BUFFERING:
            self.state = after(self.state, Input.REFUSED)
            newest = self._buffer[-1] if self._buffer else None
            self._forget()
            self._newest = newest

    def postponed(self) -> None:
        """The requested snapshot may arrive later; the buffered deltas are kept."""
        if self.state is State.BUFFERING:
            self.state = after(self.state, Input.STALE)
            self._stale = True

    def fetched(self, snapshot: BookSnapshot, *, limit: int | None = None) -> Outcome:
        """Take the requested snapshot; ignored if the book no longer waits for one.

        Args:
            limit: how many levels per side it has at most; with as many there may be more.
        """
        if self.state is not State.BUFFERING:
            return Outcome.NOTHING
        kept = self._following(snapshot.update_id)
        if kept is None:
            self.postponed()
            return Outcome.NOTHING
        self.state = after(self.state, Input.JOINS if kept else Input.AHEAD)
        self._forget()
        if not kept:
            self._ahead = snapshot, limit
            return Outcome.NOTHING
        return self._catch_up(snapshot, limit, kept)

    def restarted(self, snapshot: BookSnapshot) -> Outcome:
        """Take a snapshot from the stream: it replaces the book."""
        was_synced = self.synced
        self.state = after(self.state, Input.COMPLETE)
        self._forget()
        self._load(snapshot, None)
        if self._verified and (wrong := self._what_is_wrong(snapshot)):
            outcome = self._lose(Input.WRONG, wrong)
            return outcome if was_synced else Outcome.NOTHING
        return Outcome.UPDATED

    def lost(self, reason: str) -> Outcome:
        """Note that data of the stream was lost on its way here."""
        return self._lose(Input.LOST, reason)

    def interrupted(self, reason: str = "disconnected") -> Outcome:
        """Note that the connection of the stream is gone."""
        return self._lose(Input.INTERRUPTED, reason)

    # Inside.

    def _judge(self, verdict: int) -> Input:
        """The meaning of a rule's verdict, given the number of old deltas in a row."""
        if verdict > 0:
            self._old = 0
            return Input.FOLLOWS
        self._old += 1
        if verdict == 0 and self._old <= _MOST_OLD:
            return Input.OLD
        self._old = 0
        return Input.HOLE

    def _keep(self, delta: BookDelta) -> None:
        """Append `delta` to the buffered deltas, which have no hole."""
        verdict = self._follow(self._last_id, delta) if self._buffer else delta.last_update_id
        happening = self._judge(verdict) if self._buffer else Input.FOLLOWS
        self.state = after(self.state, happening)
        if happening is Input.OLD:
            return
        if happening is Input.HOLE:
            self._buffer.clear()
        self._buffer.append(delta)
        self._last_id = abs(verdict) or delta.last_update_id

    def _following(self, snapshot_id: int) -> list[BookDelta] | None:
        """The buffered deltas from the one that covers the snapshot on; None if it is missing."""
        kept = list(self._buffer)
        for index, delta in enumerate(kept):
            verdict = self.rules.join(snapshot_id, delta)
            if verdict < 0:
                return None
            if verdict > 0:
                return kept[index:]
        return []

    def _join_with(self, delta: BookDelta) -> Outcome:
        """Whether `delta` covers the waiting snapshot."""
        assert self._ahead is not None
        snapshot, limit = self._ahead
        happening = self._judge(self.rules.join(snapshot.update_id, delta))
        if happening is Input.FOLLOWS:
            self.state = after(self.state, happening)
            self._forget()
            return self._catch_up(snapshot, limit, [delta])
        if happening is Input.HOLE:
            self._lose(Input.HOLE, "sequence")
            self._newest = delta
        return Outcome.NOTHING

    def _catch_up(
        self, snapshot: BookSnapshot, limit: int | None, deltas: Sequence[BookDelta]
    ) -> Outcome:
        """Apply the buffered deltas: the first covers the snapshot, the others follow."""
        self._load(snapshot, limit)
        first, *others = deltas
        self._last_id = self.update_id = self.rules.join(self._last_id, first)
        self.latest = first
        self._apply(first)
        for each in others:
            if self.delta(each) is Outcome.LOST:
                return Outcome.NOTHING  # it has never been seen as synced
        return Outcome.UPDATED

    def _load(self, snapshot: BookSnapshot, limit: int | None) -> None:
        self.latest = snapshot
        self._last_id = self.update_id = snapshot.update_id
        read = self._read_digits
        of_bids, of_asks = (read is not None and read(snapshot)) or (None, None)
        for side, levels, digits in (
            (self.bids, snapshot.bids, of_bids),
            (self.asks, snapshot.asks, of_asks),
        ):
            side.load(levels, complete=limit is None or len(levels) < limit, digits=digits)
        self._crossed_from_the_start = self.is_crossed

    def _apply(self, delta: BookDelta) -> None:
        read = self._read_digits
        of_bids, of_asks = (read is not None and read(delta)) or (None, None)
        if delta.bids:
            self.bids.apply(delta.bids, of_bids)
        if delta.asks:
            self.asks.apply(delta.asks, of_asks)

    def _apply_verified(self, delta: BookDelta) -> str | None:
        """Apply `delta`, and check the book as `_what_is_wrong` does."""
        self._apply(delta)
        made = self._checksum
        if made is not None and delta.checksum and not self.rules.never_crosses:
            # Nearly always it is right, and nothing else need be asked.
            found = checksum(self.bids, self.asks, made.levels, made.interleaved)
            if found == delta.checksum:
                return None
        return self._what_is_wrong(delta)

    def _claims(self, event: BookDelta | BookSnapshot) -> bool:
        """Whether `event` has a checksum."""
        return bool(event.checksum) or (
            self._checksum is not None and self._checksum.zero_counts and event.checksum is not None
        )

    def _what_is_wrong(self, event: BookDelta | BookSnapshot) -> str | None:
        """The evidence that the book differs from the exchange's; None without any."""
        made = self._checksum
        if made is not None and self._claims(event):
            found = made.of(self.bids, self.asks)
            if found is None and self._read_digits is None:
                raise ConfigError(
                    f"{self.rules.name}: floats have lost the digits that the exchange sent, and "
                    "the checksum needs them; decode levels as DigitLevel or with Decimals, or let "
                    "BookRules.read_digits read them"
                )
            if found is not None and found != event.checksum:
                return "checksum"
        if self.rules.never_crosses and not self._crossed_from_the_start and self.is_crossed:
            return "crossed"
        return None

    def _lose(self, happening: Input, reason: str) -> Outcome:
        was_synced = self.synced
        self.state = after(self.state, happening)
        self._forget()
        self.bids.clear()
        self.asks.clear()
        if was_synced:
            self.reason = reason
        return Outcome.LOST if was_synced else Outcome.NOTHING

    def _forget(self) -> None:
        self._buffer.clear()
        self._stale = False
        self._ahead = self._newest = None
        self._last_id = self.update_id = self._old = 0


@attrs.frozen
class BookStatistics:
    """One local book."""

    state: str
    """"idle", "gap", "buffering", "joining" or "live"."""
    synced: bool
    """Whether the book equals the exchange's book."""
    update_id: int
    """The exchange's number of the last applied change."""
    levels: int
    """The number of levels in memory, of both sides."""
    buffered: int
    """The number of deltas that wait for a snapshot."""
    joins: int
    """How many times the book became synced."""
    losses: int
    """How many times it lost its sync."""
    renewals: int
    """How many times its levels ran out and a new snapshot replaced it without a loss."""
    unsynced_seconds: float = 0.0
    """Seconds since it lost its sync; 0 while it is synced."""
    cause: str = ""
    """Why the last request for a snapshot failed; empty if it succeeded."""
