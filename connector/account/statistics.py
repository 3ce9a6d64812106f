"""What a running account is and has done, counted from real tasks and sockets."""

from __future__ import annotations

from collections.abc import Mapping

import attrs


@attrs.frozen
class PrivateLinkStatistics:
    """One of the two connections of an account, over all its sessions."""

    name: str
    """Such as ``binance_usdm/mm1/private``, or ``…/orders``."""
    sockets_open: int
    sessions_opened: int
    """Handshakes completed."""
    reconnects: Mapping[str, int]
    """Ends of sessions and failed attempts by reason (`connector.link.session.REASONS`)."""
    wire_bytes: int
    messages: int
    decode_errors: int


@attrs.frozen(kw_only=True)
class AccountStatistics:
    """One account, while it is open."""

    name: str
    """Exchange and account, such as ``binance_usdm/mm1``."""
    synced: bool
    tasks: int
    """Tasks alive in the account."""
    sockets_open: int
    """Its two connections, and those of readings that are on their way."""
    private: PrivateLinkStatistics
    """The private stream."""
    orders: PrivateLinkStatistics
    """Order entry."""
    orders_by_state: Mapping[str, int]
    """Our own; those that are over, for ten minutes."""
    queued: int
    """Requests of order entry that wait to be sent."""
    in_flight: int
    """Requests of order entry that are not answered."""
    refusals: Mapping[str, int]
    """By reason."""
    limits_used: Mapping[float, tuple[int, int]]
    """By seconds of the window: orders counted, and the exchange's limit."""
