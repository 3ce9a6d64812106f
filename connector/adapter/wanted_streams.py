"""The set of streams that an adapter should be subscribed to, each assigned to one link.

Each stream is in the set once, however many feeds need it. A local order book needs the stream of
its deltas, like a feed of deltas does. Each link subscribes to its part of the set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

import attrs

from connector import lifecycle
from connector.adapter.backfill import Backfill
from connector.adapter.backfilled_subscription import BackfilledSubscription
from connector.adapter.book_subscription import BookSubscription
from connector.adapter.local_book import LocalBook
from connector.adapter.runners import Loops
from connector.book import BookStatistics
from connector.errors import SubscriptionRejected
from connector.exchanges.protocol import AnyStream
from connector.feeds.buffer import Buffer
from connector.feeds.subscription import StreamStatistics, Subscription
from connector.link.link import Link

AnySubscription: TypeAlias = Subscription | BookSubscription | BackfilledSubscription


class DesiredOwner(Protocol):
    """The owner of the feeds: the adapter."""

    def rejected(self, subscription: BookSubscription) -> None:
        """Pass the error of a book whose snapshot the exchange refuses to its feeds."""


class Desired:
    """The wanted streams, each with its link.

    Args:
        loops: the links, to which one is added when those there are have no room.
        owner: the adapter.
    """

    def __init__(self, loops: Loops, owner: DesiredOwner) -> None:
        self._loops = loops
        self._owner = owner
        self._subscriptions: dict[str, tuple[Subscription, Link]] = {}
        self._books: dict[str, BookSubscription] = {}
        self._backfilled: dict[str, BackfilledSubscription] = {}
        self.past_gaps = 0
        """Number of losses of streams that are no longer wanted."""

    @property
    def streams(self) -> Mapping[str, AnyStream]:
        """The wanted streams on the wire, by name."""
        return {name: known.stream for name, (known, _) in self._subscriptions.items()}

    def want(self, stream: AnyStream) -> AnySubscription:
        """The subscription of `stream`, which is wanted from now on."""
        if stream.backfill is not None:
            return self._want_backfilled(stream, stream.backfill.wire)
        if stream.book is None:
            return self._want_on_wire(stream)
        if stream.name not in self._books:
            rest = None if stream.book.snapshot is None else self._loops.rest()
            book = LocalBook(stream, rest, self._want_on_wire(stream.book.deltas), self)
            book.wire.attach(book)
            self._books[stream.name] = BookSubscription(stream, book, self)
        return self._books[stream.name]

    def give_up(self, subscription: Subscription) -> None:
        """Unsubscribe from a stream without readers."""
        known = self._subscriptions.get(subscription.name)
        if known is not None and known[0] is subscription:
            del self._subscriptions[subscription.name]
            self.past_gaps += subscription.gaps
            known[1].unwant(subscription)

    def release(self, subscription: BookSubscription) -> None:
        """Release a book without readers (`connector.adapter.book_subscription.BookOwner`)."""
        del self._books[subscription.name]
        if subscription.book.wire.detach(subscription.book):
            self.give_up(subscription.wire)

    def book_refused(self, book: LocalBook, error: SubscriptionRejected) -> None:
        """Reject a book without a snapshot (`connector.adapter.local_book.BookKeeper`)."""
        _, link = self._subscriptions[book.wire.name]
        refused = next(each for each in self._books.values() if each.book is book)
        self._owner.rejected(refused)
        link.tell(lifecycle.Rejected, error=error)

    def book_crossed(self, book: LocalBook, seconds: float) -> None:
        """Report a book that stays crossed (`connector.adapter.local_book.BookKeeper`)."""
        _, link = self._subscriptions[book.wire.name]
        link.tell(lifecycle.BookCrossed, channel=book.channel, crossed_seconds=seconds)

    def resubscribe(self, subscription: Subscription) -> bool:
        """Subscribe to deltas again (`connector.adapter.book_subscription.BookOwner`)."""
        known = self._subscriptions.get(subscription.name)
        return known is not None and known[1].resubscribe(known[0])

    def stream_statistics(self) -> dict[str, StreamStatistics]:
        """The statistics of each stream."""
        return {name: known.statistics() for name, (known, _) in self._subscriptions.items()}

    def book_statistics(self) -> dict[str, BookStatistics]:
        """The statistics of each book."""
        return {name: each.book.statistics() for name, each in self._books.items()}

    def _want_backfilled(self, stream: AnyStream, wire: AnyStream) -> AnySubscription:
        if self._loops.replays:
            # What was missed then cannot be asked for: a loss is a gap.
            return self._want_on_wire(attrs.evolve(wire, channel=stream.channel))
        if stream.name not in self._backfilled:
            self._backfilled[stream.name] = BackfilledSubscription(
                stream, self._want_on_wire(wire), self._make_backfill, self._release_backfilled
            )
        return self._backfilled[stream.name]

    def _make_backfill(self, stream: AnyStream, buffer: Buffer[Any]) -> Backfill:
        loops = self._loops
        return Backfill(stream, buffer, loops.rest, loops.start, loops.now_ns)

    def _release_backfilled(self, subscription: BackfilledSubscription) -> None:
        """Release a stream with `backfill` that has no reader any more."""
        if self._backfilled.get(subscription.name) is subscription:
            del self._backfilled[subscription.name]

    def _want_on_wire(self, stream: AnyStream) -> Subscription:
        known = self._subscriptions.get(stream.name)
        if known is not None:
            wire, link = known
            subscription = wire.beside(stream)
            if stream.fold is not None and not subscription.has_readers() and wire.has_begun():
                # Messages say what has changed since a snapshot, which it has not seen.
                link.resubscribe(wire)
            return subscription
        link = self._loops.link_for(stream.route)
        subscription = Subscription(stream, link.full)
        self._subscriptions[stream.name] = subscription, link
        link.want(subscription)
        return subscription
