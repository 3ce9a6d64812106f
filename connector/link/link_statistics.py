"""`LinkStatistics`: numbers of a link, over all its sessions.

A running session counts for itself. The link adds its counts to the totals when it ends.
"""

from __future__ import annotations

import attrs

from connector.link.session import Session
from connector.link.source import Carrier


@attrs.frozen
class LinkStatistics:
    """One link, over all its sessions."""

    name: str
    """The exchange and the route, such as ``binance_usdm/public``; ``#2`` … for further links."""
    route: str
    """The exchange's name of the route."""
    state: str
    """"idle", "waiting", "connecting", "subscribing", "streaming", "closing" or "ended"."""
    session: int
    """The number of the current or last session."""
    streams: int
    """The number of subscribed streams."""
    tasks: int
    """The number of tasks of the link, including its loop."""
    sockets_open: int
    """The number of open sockets."""
    sessions_open: int
    """The number of open sessions, 0 or 1."""
    sessions_opened: int
    """The total number of completed handshakes."""
    reconnects: dict[str, int]
    """The number of ended sessions and failed attempts, by reason."""
    messages: int
    """The total number of received messages."""
    wire_bytes: int
    """Bytes received on the WebSocket, before decompression."""
    payload_bytes: int
    """Bytes of messages, after decompression."""
    decode_errors: int
    """The number of messages that could not be decoded."""
    unknown_messages: int
    """The number of messages that belong to no stream and are no reply."""
    lag_seconds: float | None = None
    """The time from the exchange's timestamp to the socket read, in seconds, for the newest event
    with a timestamp, one sample per batch; None without a session. It includes the difference
    between the two clocks."""


@attrs.define
class Totals:
    """Sums over the sessions of a link."""

    messages: int = 0
    wire_bytes: int = 0
    payload_bytes: int = 0
    decode_errors: int = 0
    unknown_messages: int = 0

    def add(self, session: Session, carrier: Carrier | None) -> None:
        """Add the counts of `session` and of its connection `carrier`."""
        self.messages += session.delivery.messages
        self.decode_errors += session.decode_errors
        self.unknown_messages += session.unknown_messages
        if carrier is not None:
            self.wire_bytes += carrier.wire_bytes
            self.payload_bytes += carrier.payload_bytes
