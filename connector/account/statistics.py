"""`AccountStatistics`: numbers of an open account, counted from its real tasks and sockets."""

from __future__ import annotations

from collections.abc import Mapping

import attrs


@attrs.frozen
class PrivateLinkStatistics:
    """One of the two connections of an account, over all its sessions."""

    name: str
    """The name of the connection, such as ``binance_usdm/mm1/private`` or ``…/orders``."""
    sockets_open: int
    """The number of open sockets."""
    sessions_opened: int
    """The number of completed handshakes."""
    reconnects: Mapping[str, int]
    """The number of ended sessions and failed attempts, by reason
    (`connector.link.session.REASONS`)."""
    wire_bytes: int
    """Bytes received, before decompression."""
    messages: int
    """The number of received messages."""
    decode_errors: int
    """The number of messages that could not be decoded."""


@attrs.frozen
class QuoteStatistics:
    """The quotes of one instrument."""

    symbol: str
    """The instrument."""
    orders: int
    """The number of orders that have not ended."""
    behind: int
    """The number of requests that are missing until the orders equal the wanted quotes."""
    behind_seconds: float
    """The time since `behind` was last 0, in seconds."""


@attrs.frozen(kw_only=True)
class AccountStatistics:
    """One account, while it is open."""

    name: str
    """Exchange and account, such as ``binance_usdm/mm1``."""
    synced: bool
    """Whether the account is in sync with the exchange."""
    tasks: int
    """The number of tasks of the account."""
    sockets_open: int
    """The number of open sockets: its two connections, and running REST requests."""
    private: PrivateLinkStatistics
    """The private stream."""
    orders: PrivateLinkStatistics
    """Order entry."""
    orders_by_state: Mapping[str, int]
    """The number of this account's orders by state. Ended orders count for ten minutes."""
    queued: int
    """The number of order requests that wait to be sent."""
    in_flight: int
    """The number of order requests without an answer."""
    refusals: Mapping[str, int]
    """The number of refused orders, by reason."""
    limits_used: Mapping[float, tuple[int, int]]
    """The exchange's limits of orders: by window in seconds, the used number and the limit."""
    own_limits_used: Mapping[str, float]
    """The used share of your own `Limits`; 1 is all of it. ``position ETHUSDC`` counts the position
    if all orders of one side were filled."""
    oldest_unknown_seconds: float
    """The age of the oldest order with an unknown outcome, in seconds; 0 without one."""
    other_orders: int
    """The number of open orders of other programs on the account."""
    placed: int
    """The number of created orders, including those that were not sent, since the account was
    opened."""
    ended: Mapping[str, int]
    """The number of ended orders by final state, since the account was opened."""
    late: int
    """The number of orders that appeared after they had been given up. Above 0, an assumption about
    the exchange is wrong."""
    fills: int
    """The number of reported fills."""
    backfilled: int
    """The number of those fills that were read from the account's history."""
    unsynced: int
    """How many times the account has lost its sync."""
    unsynced_reason: str
    """The last cause of that; empty if it never has."""
    quotes: tuple[QuoteStatistics, ...]
    """One entry per open `Account.quotes` block."""
