"""What a link has done, over all its sessions.

A session counts while it lasts; the link adds it to its totals when it is over.
"""

from __future__ import annotations

import attrs

from connector.link.session import Session
from connector.link.source import Carrier


@attrs.frozen
class LinkStatistics:
    """One link, over all its sessions."""

    name: str
    route: str
    state: str
    """idle, waiting, connecting, subscribing, streaming, closing, or ended with its source."""
    session: int
    """Number of the present or last session."""
    streams: int
    tasks: int
    """Tasks alive in the link, its loop included."""
    sockets_open: int
    sessions_open: int
    sessions_opened: int
    """Handshakes completed."""
    reconnects: dict[str, int]
    """Ends of sessions and failed attempts by reason."""
    messages: int
    wire_bytes: int
    """WebSocket bytes as read, before inflating."""
    payload_bytes: int
    """Message bytes after inflating."""
    decode_errors: int
    unknown_messages: int
    lag_seconds: float | None = None
    """From the exchange's time of an event to our reading it, of the newest event that tells, one
    sample per batch; None without a session. It includes the difference of the two clocks."""


@attrs.define
class Totals:
    """Sums over the sessions of a link."""

    messages: int = 0
    wire_bytes: int = 0
    payload_bytes: int = 0
    decode_errors: int = 0
    unknown_messages: int = 0

    def add(self, session: Session, carrier: Carrier | None) -> None:
        """Count what `session` has brought over `carrier`."""
        self.messages += session.delivery.messages
        self.decode_errors += session.decode_errors
        self.unknown_messages += session.unknown_messages
        if carrier is not None:
            self.wire_bytes += carrier.wire_bytes
            self.payload_bytes += carrier.payload_bytes
