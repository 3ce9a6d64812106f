"""What an adapter is and has done, counted from the real task tree and the real sockets."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from connector.book import BookStatistics
from connector.feed import FeedStatistics
from connector.link import LinkStatistics
from connector.subscription import StreamStatistics


@attrs.frozen
class AdapterStatistics:
    """A snapshot. Counts are over the adapter's whole life."""

    tasks: int
    """Tasks alive below the adapter's nursery, as trio's task tree has them."""
    sockets_open: int
    """Connections whose file descriptor is open at this moment."""
    sessions_open: int
    """Never more than there are links."""
    sessions_opened: int
    """Handshakes completed."""
    reconnects: Mapping[str, int]
    """Ends of sessions and failed attempts, by reason (`connector.session.REASONS`)."""
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
    """Events lost to overflow policies, over all feeds that are open."""
    links: tuple[LinkStatistics, ...]
    feeds: tuple[FeedStatistics, ...]
    streams: Mapping[str, StreamStatistics]
    books: Mapping[str, BookStatistics] = attrs.field(factory=dict)
    """Local order books; the deltas that they are kept from are among `streams`."""
