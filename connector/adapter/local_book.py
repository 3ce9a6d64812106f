"""`LocalBook`: maintain an order book from a stream of deltas, for the feeds of its channel.

.. code-block:: text

    wire ──▶ Subscription of the deltas ──▶ LocalBook ──▶ buffers of the feeds
                    │                        │    ▲
                    └──▶ feeds of deltas     └────┘ snapshots, by way of `Rest`,
                                                    or in the stream, by subscribing anew

For the subscription, the book is one of its buffers: it receives runs of deltas and notices of
losses, and it has as much room as the buffers behind it. For a feed, it is a subscription. A run of
deltas is one event, so a consumer wakes up once for all deltas that arrived together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from typing import Any, Protocol

import trio

from connector.adapter.live_view import BookView
from connector.book import BookStatistics, Crossing, Outcome, RenewedBook, State
from connector.channels import OrderBook
from connector.errors import ConnectorError, RequestRejected, SubscriptionRejected
from connector.events import BookSnapshot, Event, Gap
from connector.exchanges.protocol import AnyStream, RestRequest
from connector.feeds.buffer import Buffer
from connector.feeds.lossy_buffers import ConflatingBuffer
from connector.feeds.subscription import Subscription
from connector.link.rest import Rest

_AGAIN_SECONDS = (0.5, 8.0)
"""The first and the largest pause before another snapshot, after one that did not fit."""
_MOST_REFUSALS = 5
"""Number of refusals in a row after which the book gives up."""
_RENEWAL_SECONDS = 5.0
"""The smallest interval between two renewals of a book that runs out of levels."""
_RESUBSCRIPTION_SECONDS = (2.0, 64.0)
"""At first, at most: between two subscriptions anew of a book that does not stay synced. The
exchange counts them, and sends a whole book each time."""
_STAYED_SECONDS = 60.0
"""The time after which a synced book counts as stable."""
_FALLBACK_SECONDS = 3.0
"""How long to wait for a snapshot in the stream, if it may no longer be sent (okx §5)."""

_LIVE, _UPDATED = State.LIVE, Outcome.UPDATED  # as in `connector.book.machine`


class BookKeeper(Protocol):
    """The owner of the books: the adapter."""

    def book_refused(self, book: LocalBook, error: SubscriptionRejected) -> None:
        """Note that the exchange refuses the book's snapshot; every reader has the error."""

    def book_crossed(self, book: LocalBook, seconds: float) -> None:
        """Note that the book was crossed for too long and is fetched again."""

    def resubscribe(self, subscription: Subscription) -> bool:
        """Subscribe to the deltas again; False if that is not possible or in progress."""
        ...


class LocalBook(Buffer[Any]):
    """One order book of an adapter.

    Args:
        stream: the book's own, which is none of the wire: its channel is what losses name.
        rest: who fetches snapshots; None when they come in the stream.
        wire: the subscription of the deltas.
        owner: is told when there will be no snapshot, and asked for the stream anew when only that
            can bring one.
    """

    def __init__(
        self, stream: AnyStream, rest: Rest | None, wire: Subscription, owner: BookKeeper
    ) -> None:
        super().__init__(1, gaps=True)
        channel, source = stream.channel, stream.book
        assert source is not None
        self.wire = wire
        self._name = stream.name
        self.joins = 0
        self.losses = 0
        self.channel = channel
        """The channel that the program subscribed to."""
        self._source = source
        self._rest = rest
        self._owner = owner
        self._resubscriptions = 0
        self._resubscribe_at = -math.inf
        self._synced_at = math.inf
        self._waits_since: float | None = None
        """Since when deltas have arrived without the snapshot that should precede them."""
        self._book = RenewedBook(source.rules, source.extent)
        self._view: Any = BookView(
            symbol="",
            bids=self._book.book.bids,
            asks=self._book.book.asks,
        )
        self._readers: dict[Buffer[Any], None] = {}
        self._synced_only = isinstance(channel, OrderBook) and channel.synced_only
        self._in_line = False
        self._stale = 0
        self._refusals = 0
        self._last_ns: int | None = None
        self._kind: type[Any] | None = None
        """The channel of the deltas."""
        self._crossing = Crossing()
        self._snapshot_after = 0.0
        self._unsynced_since = trio.current_time()
        self._cause = ""

    def __repr__(self) -> str:
        return f"<LocalBook {self.channel!r}: {self._book!r}>"

    # What a feed asks for.

    def attach(self, buffer: Buffer[Any]) -> None:
        """Deliver a view to `buffer` at every change; one at once if the book is synced."""
        self._readers[buffer] = None
        buffer.join(self.wire.full)
        if self._book.synced:
            buffer.put_run([self._view], self._name)

    def detach(self, buffer: Buffer[Any]) -> bool:
        """Undo `attach`; True if no reader is left."""
        self._readers.pop(buffer, None)
        return not self._readers

    def has(self, buffer: Buffer[Any]) -> bool:
        """Whether `buffer` is attached."""
        return buffer in self._readers

    def statistics(self) -> BookStatistics:
        """The state of the book, and its counts."""
        book = self._book
        return BookStatistics(
            state=book.state.value,
            synced=book.synced,
            update_id=book.book.update_id,
            levels=book.stored,
            buffered=book.buffered,
            joins=self.joins,
            losses=self.losses,
            renewals=book.renewals,
            unsynced_seconds=0.0 if book.synced else trio.current_time() - self._unsynced_since,
            cause=self._cause,
        )

    def unread(self) -> int:
        """The number of unread events in the feeds of the book, without conflating feeds."""
        return sum(len(each) for each in self._readers if not isinstance(each, ConflatingBuffer))

    def keep_unread(self) -> None:
        """Freeze a view that waits in a feed, so that it keeps the current state of the book.

        For a recording, which is played faster than it came: its views must not depend on how fast.
        """
        kept = copy(self._view)
        kept.bids, kept.asks = tuple(kept.bids), tuple(kept.asks)
        for buffer in self._readers:
            if not isinstance(buffer, ConflatingBuffer):
                for index, each in enumerate(buffer.items):
                    if each is self._view:
                        buffer.items[index] = kept

    # What the subscription of the deltas does (`connector.feeds.buffer.Buffer`).

    def room(self) -> int:
        """The smallest room of the buffers that read the book."""
        return min((buffer.room() for buffer in self._readers), default=1 << 30)

    def put(self, item: Any) -> None:
        """Take a delta."""
        self.put_run([item], self.wire.name)

    def put_run(self, items: Sequence[Any], stream: str) -> None:
        """Take deltas that arrived together."""
        book = self._book
        was_synced = book.book.state is _LIVE
        changed, looks = False, False
        for item in items:
            # Whether it is a snapshot need not be asked of each delta.
            kind = type(item)
            if kind is self._kind or not isinstance(item, BookSnapshot):
                self._kind = kind
                outcome = book.delta(item)
            else:
                outcome = book.restarted(item)
            if outcome is _UPDATED:
                changed = True
                if not was_synced:
                    self.joins += 1
                    self._synced_at = trio.current_time()
                    was_synced = True
            else:
                looks = True
                if outcome is Outcome.LOST:
                    self._tell_loss(book.book.reason, item)
                    was_synced = changed = False
        if items:
            now_ns = self._last_ns = items[-1].received_ns
            if changed and self._crossing.is_due(now_ns):
                looks |= self._stays_crossed(items[-1])
                changed = book.synced
        if changed:
            self._show()
        # A book that is live and will stay so wants nothing.
        if not looks and (book.successor is None or not book.is_running_out):
            return
        if book.wants_resubscription:
            self._want_snapshot_in_stream()
        elif book.wants_snapshot:
            self._ask()

    def _stays_crossed(self, latest: Event) -> bool:
        """Whether the book is fetched again because it has been crossed for too long."""
        crossed = self._book.book.is_crossed
        seconds = self._crossing.look(latest.received_ns, crossed=crossed)
        if seconds is None:
            return False
        self._owner.book_crossed(self, seconds)
        self._book.lost("crossed")
        self._tell_loss("crossed", latest)
        return True

    def _want_snapshot_in_stream(self) -> None:
        """Deltas arrive without a snapshot: it was lost, or is no longer sent."""
        now = trio.current_time()
        source = self._source
        if not self.joins and source.fallback is not None:
            # Of an exchange that may have ceased to send it: none has come in this stream.
            if self._waits_since is None:
                self._waits_since = now
            if now - self._waits_since >= _FALLBACK_SECONDS:
                self._book = RenewedBook(source.fallback, source.extent)
            return
        if now < self._resubscribe_at:
            return
        if now - self._synced_at >= _STAYED_SECONDS:
            self._resubscriptions = 0
        self._synced_at = math.inf
        if self._owner.resubscribe(self.wire):
            first, most = _RESUBSCRIPTION_SECONDS
            self._resubscribe_at = now + min(first * 2**self._resubscriptions, most)
            self._resubscriptions += 1

    def lose(self, gap: Gap) -> None:
        """Deltas were lost: the book no longer equals the exchange's."""
        if gap.reason == "disconnected":
            outcome = self._book.interrupted()
        else:
            outcome = self._book.lost(gap.reason)
        if outcome is Outcome.LOST:
            self._tell_loss(gap.reason, gap)
        # The connection that is gone takes the subscription with it, and a new one is under way.
        if self._book.wants_resubscription and gap.reason not in ("disconnected", "resubscribed"):
            self._want_snapshot_in_stream()

    def fail(self, error: ConnectorError) -> None:
        """Note that the exchange refuses the deltas, or the snapshot."""
        for buffer in self._readers:
            # Each its own: an exception that is raised gathers tracebacks and notes.
            buffer.fail(self.rejection(error))

    def rejection(self, error: ConnectorError) -> ConnectorError:
        """`error` with the channel that the reader subscribed to."""
        if not isinstance(error, SubscriptionRejected):
            return copy(error)
        rejection = SubscriptionRejected(self.channel, error.code, error.message, error.hint)
        rejection.__cause__ = error.__cause__
        return rejection

    def join(self, full: set[Buffer[Any]]) -> None:
        """The book is never full itself; the buffers behind it have joined."""

    def leave(self, full: set[Buffer[Any]]) -> None:
        """Undo `join`."""

    # What `Rest` asks for (`connector.link.rest.Job`).

    @property
    def request(self) -> RestRequest[BookSnapshot[Any]]:
        """The request for the snapshot."""
        assert self._source.snapshot is not None
        return self._source.snapshot

    @property
    def wanted(self) -> bool:
        """Whether the snapshot is still needed."""
        return bool(self._readers) and self._book.wants_snapshot

    def begin(self) -> bool:
        """Keep deltas from now on: the request for the snapshot is about to be sent."""
        if not self.wanted:
            self._in_line = False
            return False
        self._book.asked()
        self._snapshot_after = trio.current_time() + _RENEWAL_SECONDS
        return True

    def answered(self, answer: BookSnapshot) -> None:
        """Apply the snapshot that has arrived."""
        self._in_line = False
        self._cause = ""
        self._refusals = 0
        was_synced = self._book.synced
        outcome = self._book.fetched(answer, limit=self._source.snapshot_levels)
        if outcome is Outcome.UPDATED:
            self._stale = 0
            self.joins += not was_synced
            self._show()
        elif self._book.wants_snapshot:
            self._stale += 1
            self._ask_again(self._stale)

    def failed(self, cause: str) -> None:
        """Note that the request failed and will be repeated."""
        self._cause = cause
        self._book.refused()

    def refused(self, error: Exception) -> None:
        """Give up: the exchange refuses the request for good."""
        self._in_line = False
        self._refusals += 1
        if not isinstance(error, RequestRejected):
            self._book.refused()
        elif error.code is not None and self._refusals < _MOST_REFUSALS:
            # Its deltas come, so the exchange will know the symbol: perhaps not everywhere yet.
            self._book.postponed()
            self._ask_again(self._refusals)
        else:
            self._book.refused()
            rejection = SubscriptionRejected(self.channel, error.code, error.message)
            rejection.__cause__ = error
            self.fail(rejection)
            self._owner.book_refused(self, rejection)

    # Inside.

    def _ask(self) -> None:
        """Queue a request for a snapshot, unless one is queued already."""
        if self._in_line:
            return
        pause = self._snapshot_after - trio.current_time() if self._book.is_running_out else 0.0
        self._stand_in_line(max(pause, 0.0))

    def _ask_again(self, times: int) -> None:
        """Queue the request again, after a pause that grows with each failure."""
        first, most = _AGAIN_SECONDS
        self._stand_in_line(min(first * 2 ** (times - 1), most))

    def _stand_in_line(self, after: float) -> None:
        if self._rest is not None:
            self._in_line = True
            self._rest.ask(self, after=after)

    def _show(self) -> None:
        """Deliver the current state of the book to all feeds."""
        book, view = self._book.book, self._view
        latest = book.latest
        assert latest is not None
        if not view.synced or view.bids is not book.bids:
            view.bids, view.asks = book.bids, book.asks
            view.synced = True
        view.symbol = latest.symbol  # as the exchange spells it
        view.update_id = book.update_id
        view.wire_exchange_time_ns = latest
        view.received_ns = latest.received_ns
        view.session = latest.session
        run = [view]
        for buffer in self._readers:
            buffer.put_run(run, self._name)

    def _tell_loss(self, reason: str, cause: Event) -> None:
        """Show all feeds that the book is no longer synced, without its old levels."""
        self.losses += 1
        self._unsynced_since = trio.current_time()
        view = self._view
        view.bids, view.asks = self._book.book.bids, self._book.book.asks
        view.synced = False
        view.update_id = 0
        for buffer in self._readers:
            # What waits would now say that nothing is known: the loss does.
            buffer.withdraw(view)
            buffer.lose(
                Gap(
                    symbol=view.symbol,
                    received_ns=cause.received_ns or self._last_ns or 0,
                    session=cause.session or view.session,
                    channels=(self.channel,),
                    reason=reason,
                    since_ns=self._last_ns,
                )
            )
            if not self._synced_only:
                buffer.put_run([view], self._name)
