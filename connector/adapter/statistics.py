"""`AdapterStatistics`: numbers of an adapter, counted from its real tasks and sockets."""

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
    """The current state of an adapter. Totals cover the time since it was opened."""

    tasks: int
    """The number of tasks in the adapter's nursery and in its accounts, from trio's task tree."""
    sockets_open: int
    """The number of open sockets, including those of accounts."""
    sessions_open: int
    """The number of open sessions. It is never larger than the number of links."""
    sessions_opened: int
    """The total number of completed handshakes."""
    reconnects: Mapping[str, int]
    """The number of ended sessions and failed attempts, by reason
    (`connector.link.session.REASONS`)."""
    messages: int
    """The total number of received messages."""
    wire_bytes: int
    """Bytes received on WebSockets, before decompression."""
    payload_bytes: int
    """Bytes of messages, after decompression."""
    decode_errors: int
    """The number of messages that could not be decoded."""
    unknown_messages: int
    """The number of messages that belong to no stream and are no reply."""
    gaps: int
    """The number of losses, counted per stream."""
    drops: int
    """The number of events lost to overflow policies."""
    links: tuple[LinkStatistics, ...]
    """One entry per link."""
    feeds: tuple[FeedStatistics, ...]
    """One entry per open feed."""
    streams: Mapping[str, StreamStatistics]
    """One entry per stream, by its name on the wire."""
    delivery: DelayStatistics
    """The delay from the socket read to the consumer, one sample per batch, over all feeds."""
    books: Mapping[str, BookStatistics] = attrs.field(factory=dict)
    """One entry per local order book. Their deltas are among `streams`."""
    replaced: int = 0
    """The number of events that `Overflow.CONFLATE` replaced by newer ones. They do not count as
    lost."""
    rest: RestStatistics | None = None
    """The REST requests; None if there was none yet."""
    accounts: tuple[AccountStatistics, ...] = ()
    """One entry per open account. Their connections are not in `links` and `sessions_open`."""

    @property
    def books_unsynced(self) -> tuple[str, ...]:
        """The names of the books that are not synced."""
        return tuple(name for name, book in self.books.items() if not book.synced)

    @property
    def streams_silent(self) -> tuple[str, ...]:
        """The names of the streams that have been silent for longer than their limit."""
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
