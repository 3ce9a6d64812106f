"""The metrics of an adapter: connections, streams, feeds, books and requests."""

from __future__ import annotations

from connector.adapter.statistics import AdapterStatistics
from connector.channels import AnyChannel
from connector.feeds.feed import FeedStatistics
from connector.link.request_trouble import RestStatistics
from connector.metrics.family import Family


def _rest(now: AdapterStatistics) -> tuple[RestStatistics, ...]:
    """The requests, if there were any."""
    return () if now.rest is None else (now.rest,)


ADAPTER_FAMILIES = (
    Family(
        "connector_tasks", "gauge", "Tasks alive in the adapter, from the task tree of trio.", (),
        lambda now: [((), now.tasks)],
    ),
    Family(
        "connector_sockets_open", "gauge", "Connections whose file descriptor is open.", (),
        lambda now: [((), now.sockets_open)],
    ),
    Family(
        "connector_links", "gauge", "Reconnect loops: one per route, and per shard of one.", (),
        lambda now: [((), len(now.links))],
    ),
    Family(
        "connector_link_streaming", "gauge",
        "1 while the link is connected and everything wanted is acknowledged.", ("link",),
        lambda now: [((link.name,), link.state == "streaming") for link in now.links],
    ),
    Family(
        "connector_link_streams", "gauge", "Streams wanted on the link.", ("link",),
        lambda now: [((link.name,), link.streams) for link in now.links],
    ),
    Family(
        "connector_sessions_open", "gauge", "Connections of the link: never more than 1.",
        ("link",),
        lambda now: [((link.name,), link.sessions_open) for link in now.links],
    ),
    Family(
        "connector_sessions_opened_total", "counter", "Handshakes completed.", ("link",),
        lambda now: [((link.name,), link.sessions_opened) for link in now.links],
    ),
    Family(
        "connector_sessions_total", "counter",
        "Ends of sessions and failed attempts, by reason.", ("link", "reason"),
        lambda now: [
            ((link.name, reason), count)
            for link in now.links
            for reason, count in link.reconnects.items()
        ],
    ),
    Family(
        "connector_wire_bytes_total", "counter", "WebSocket bytes as read, before inflating.",
        ("link",),
        lambda now: [((link.name,), link.wire_bytes) for link in now.links],
    ),
    Family(
        "connector_payload_bytes_total", "counter", "Message bytes after inflating.", ("stream",),
        lambda now: [((name,), each.payload_bytes) for name, each in now.streams.items()],
    ),
    Family(
        "connector_messages_total", "counter", "Messages of the stream.", ("stream",),
        lambda now: [((name,), each.messages) for name, each in now.streams.items()],
    ),
    Family(
        "connector_decode_errors_total", "counter", "Frames that did not decode.", ("link",),
        lambda now: [((link.name,), link.decode_errors) for link in now.links],
    ),
    Family(
        "connector_gaps_total", "counter", "Times that data was, or may have been, lost.", (),
        lambda now: [((), now.gaps)],
    ),
    Family(
        "connector_drops_total", "counter", "Events lost to the overflow policies of feeds.", (),
        lambda now: [((), now.drops)],
    ),
    Family(
        "connector_replaced_total", "counter",
        "Events that a conflating feed replaced by newer ones; no loss.", (),
        lambda now: [((), now.replaced)],
    ),
    Family(
        "connector_feed_buffered", "gauge", "Events that wait in the feed.", ("feed",),
        lambda now: [((_feed_name(feed),), feed.buffered) for feed in now.feeds],
    ),
    Family(
        "connector_feed_capacity", "gauge", "Events that the feed can hold.", ("feed",),
        lambda now: [((_feed_name(feed),), feed.capacity) for feed in now.feeds],
    ),
    Family(
        "connector_feed_waiting_seconds", "gauge",
        "How long the oldest event in the feed has waited.", ("feed",),
        lambda now: [((_feed_name(feed),), feed.waiting_seconds) for feed in now.feeds],
    ),
    Family(
        "connector_exchange_lag_seconds", "gauge",
        "From the exchange's time of an event to the read, clock difference included.", ("link",),
        lambda now: [
            ((link.name,), link.lag_seconds) for link in now.links if link.lag_seconds is not None
        ],
    ),
    Family(
        "connector_streams_silent", "gauge", "Streams silent for longer than their limit.", (),
        lambda now: [((), len(now.streams_silent))],
    ),
    Family(
        "connector_stream_silent_seconds", "gauge",
        "How long the stream is silent, where that is longer than its limit.", ("stream",),
        lambda now: [
            ((name,), each.silent_seconds)
            for name, each in now.streams.items()
            if each.silent_seconds
        ],
    ),
    Family(
        "connector_books", "gauge", "Local order books.", (),
        lambda now: [((), len(now.books))],
    ),
    Family(
        "connector_books_synced", "gauge", "Local order books that are synced.", (),
        lambda now: [((), len(now.books) - len(now.books_unsynced))],
    ),
    Family(
        "connector_book_synced", "gauge", "1 while the local order book is synced.", ("book",),
        lambda now: [((name,), book.synced) for name, book in now.books.items()],
    ),
    Family(
        "connector_book_losses_total", "counter", "Times that the book lost its sync.", ("book",),
        lambda now: [((name,), book.losses) for name, book in now.books.items()],
    ),
    Family(
        "connector_rest_requests_total", "counter", "REST requests sent.", (),
        lambda now: [((), rest.requests) for rest in _rest(now)],
    ),
    Family(
        "connector_rest_failures_total", "counter", "REST requests that failed, by reason.",
        ("reason",),
        lambda now: [
            ((reason,), count) for rest in _rest(now) for reason, count in rest.failures.items()
        ],
    ),
    Family(
        "connector_rest_rejections_total", "counter",
        "REST requests that the exchange refused for good.", (),
        lambda now: [((), rest.rejections) for rest in _rest(now)],
    ),
    Family(
        "connector_rest_failing", "gauge", "1 while REST requests fail.", (),
        lambda now: [((), rest.failing is not None) for rest in _rest(now)],
    ),
    Family(
        "connector_rest_waiting", "gauge", "REST requests that wait for an answer.", (),
        lambda now: [((), rest.waiting) for rest in _rest(now)],
    ),
    Family(
        "connector_rest_last_success_seconds", "gauge", "Since the last answer to a REST request.",
        (),
        lambda now: [
            ((), rest.last_success_seconds)
            for rest in _rest(now)
            if rest.last_success_seconds is not None
        ],
    ),
    Family(
        "connector_rest_weight_used", "gauge", "Request weight used in the exchange's window.", (),
        lambda now: [((), rest.weight_used) for rest in _rest(now)],
    ),
    Family(
        "connector_rest_weight_limit", "gauge", "Request weight that the exchange allows.", (),
        lambda now: [((), rest.weight_limit) for rest in _rest(now)],
    ),
    Family(
        "connector_rest_gate_seconds", "gauge", "Until the next REST request may be sent.", (),
        lambda now: [((), rest.gate_seconds) for rest in _rest(now)],
    ),
)  # fmt: skip


def _feed_name(feed: FeedStatistics) -> str:
    """What a feed is called: by its first channel, and how many there are beside it."""
    first, *others = feed.channels or (None,)
    if first is None:
        return "none"
    return _channel_name(first) + (f" +{len(others)}" if others else "")


def _channel_name(channel: AnyChannel) -> str:
    symbol = getattr(channel, "symbol", None) or getattr(channel, "name", None) or "all"
    return f"{type(channel).__name__} {symbol}"
