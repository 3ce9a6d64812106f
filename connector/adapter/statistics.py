"""What an adapter is and has done, counted from the real task tree and the real sockets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import attrs

from connector.account.statistics import AccountStatistics
from connector.book import BookStatistics
from connector.feeds.delivery_delay import DelayStatistics
from connector.feeds.feed import FeedStatistics
from connector.feeds.subscription import StreamStatistics
from connector.link.link_statistics import LinkStatistics
from connector.link.request_trouble import RestStatistics


@attrs.frozen
class AdapterStatistics:
    """A snapshot. Counts are over the adapter's whole life."""

    tasks: int
    """Tasks alive below the adapter's nursery and in its accounts, as trio's task tree has them."""
    sockets_open: int
    """Connections whose file descriptor is open at this moment, those of accounts included."""
    sessions_open: int
    """Never more than there are links."""
    sessions_opened: int
    """Handshakes completed."""
    reconnects: Mapping[str, int]
    """Ends of sessions and failed attempts, by reason (`connector.link.session.REASONS`)."""
    messages: int
    wire_bytes: int
    """WebSocket bytes as read, before inflating."""
    payload_bytes: int
    """Message bytes after inflating."""
    decode_errors: int
    unknown_messages: int
    gaps: int
    """Losses, counted per stream."""
    drops: int
    """Events lost to overflow policies."""
    links: tuple[LinkStatistics, ...]
    feeds: tuple[FeedStatistics, ...]
    streams: Mapping[str, StreamStatistics]
    delivery: DelayStatistics
    """From the read to the consumer, one sample per batch, over all feeds."""
    books: Mapping[str, BookStatistics] = attrs.field(factory=dict)
    """Local order books; the deltas that they are kept from are among `streams`."""
    replaced: int = 0
    """Events that `Overflow.CONFLATE` replaced by newer ones, which is no loss."""
    rest: RestStatistics | None = None
    """REST requests; None if none was wanted yet."""
    accounts: tuple[AccountStatistics, ...] = ()
    """Accounts that are open. Their connections are not among `links` and `sessions_open`."""

    @property
    def books_unsynced(self) -> tuple[str, ...]:
        """Names of the books that are not synced at this moment."""
        return tuple(name for name, book in self.books.items() if not book.synced)

    @property
    def streams_silent(self) -> tuple[str, ...]:
        """Names of the streams that are silent for longer than their limit."""
        return tuple(name for name, each in self.streams.items() if each.silent_seconds)


def summed(
    *,
    tasks: int,
    sockets_open: int,
    links: tuple[LinkStatistics, ...],
    feeds: tuple[FeedStatistics, ...],
    streams: dict[str, StreamStatistics],
    delivery: DelayStatistics,
    books: dict[str, BookStatistics],
    rest: RestStatistics | None,
    accounts: tuple[AccountStatistics, ...],
    past_gaps: int,
    past_drops: int,
    past_replaced: int,
) -> AdapterStatistics:
    """The statistics of an adapter from those of its parts; `past_…` are of parts that are gone."""
    reconnects: Counter[str] = Counter()
    for link in links:
        reconnects.update(link.reconnects)
    return AdapterStatistics(
        tasks=tasks + sum(account.tasks for account in accounts),
        sockets_open=sockets_open + sum(account.sockets_open for account in accounts),
        sessions_open=sum(link.sessions_open for link in links),
        sessions_opened=sum(link.sessions_opened for link in links),
        reconnects=dict(reconnects),
        messages=sum(link.messages for link in links),
        wire_bytes=sum(link.wire_bytes for link in links),
        payload_bytes=sum(link.payload_bytes for link in links),
        decode_errors=sum(link.decode_errors for link in links),
        unknown_messages=sum(link.unknown_messages for link in links),
        gaps=past_gaps + sum(stream.gaps for stream in streams.values()),
        drops=past_drops + sum(feed.dropped for feed in feeds),
        replaced=past_replaced + sum(feed.replaced for feed in feeds),
        links=links,
        feeds=feeds,
        streams=streams,
        delivery=delivery,
        books=books,
        rest=rest,
        accounts=accounts,
    )
