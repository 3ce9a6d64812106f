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


@attrs.frozen
class QuoteStatistics:
    """The quotes of one instrument."""

    symbol: str
    orders: int
    """Those that are not over."""
    behind: int
    """Requests between them and what is wanted."""
    behind_seconds: float
    """For how long that has not been 0."""


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
    own_limits_used: Mapping[str, float]
    """Of the program's own `Limits`, how much is used: 1 is all. ``position ETHUSDC`` counts what
    would be held if all orders of a side were filled."""
    oldest_unknown_seconds: float
    """Since the oldest order was made of which nobody knows whether it is open; 0 if there is
    none."""
    other_orders: int
    """Open orders of others on the same account."""
    placed: int
    """Orders that were made, also those that were not sent; over the account's whole life."""
    ended: Mapping[str, int]
    """Orders by how they ended; over the account's whole life."""
    late: int
    """Orders that lived although they had been given up: a constant of the venue is wrong."""
    fills: int
    backfilled: int
    """Of the fills, those that were read from the account's history."""
    unsynced: int
    """Times that it has lost its sync."""
    unsynced_reason: str
    """Why, the last time; empty if it never has."""
    quotes: tuple[QuoteStatistics, ...]
