"""What happens to the connections of an adapter, as values and as log records.

`Adapter.lifecycle` is a feed of these; an undecodable frame appears in it as a `DecodeError`.
Every one of them is logged once under ``connector.lifecycle``, its fields as ``extra``.
"""

from __future__ import annotations

import logging
import time
from typing import TypeAlias

import attrs

from connector.channels import AnyChannel
from connector.errors import DecodeError, SubscriptionRejected

_log = logging.getLogger("connector.lifecycle")

PLANNED = frozenset({"shutdown", "age", "requested", "left", "ended"})
"""Ends that we chose while the connection was well: they get a close handshake, and no warning."""


@attrs.frozen(kw_only=True)
class LinkEvent:
    """Something that happened to a session of a link."""

    link: str
    """Exchange and route, such as ``binance_usdm/public``, with ``#2`` … for further shards."""
    session: int
    """Number of the session: the first connection of a link is 1."""
    time_ns: int = attrs.field(factory=time.time_ns)
    """Wall clock, nanoseconds since the epoch."""


@attrs.frozen(kw_only=True)
class Connecting(LinkEvent):
    """The link begins to dial."""

    attempt: int
    """1 for the first attempt since the last stable session."""


@attrs.frozen(kw_only=True)
class Connected(LinkEvent):
    """The handshake is done. Nothing of an earlier session is delivered after this."""


@attrs.frozen(kw_only=True)
class Subscribed(LinkEvent):
    """The exchange has acknowledged every subscription that is wanted on this link."""

    streams: int


@attrs.frozen(kw_only=True)
class Stale(LinkEvent):
    """A stream brought no data for longer than its limit."""

    stream: str
    channel: AnyChannel
    silent_seconds: float
    resubscribing: bool = False
    """Whether the stream is asked for again; otherwise the session ends."""


@attrs.frozen(kw_only=True)
class ShutdownAnnounced(LinkEvent):
    """The exchange said that it will close this connection; the link moves on by itself."""

    detail: str


@attrs.frozen(kw_only=True)
class Rejected(LinkEvent):
    """The exchange refused a subscription."""

    error: SubscriptionRejected


@attrs.frozen(kw_only=True)
class Disconnected(LinkEvent):
    """The session is over: its tasks are gone and its socket is closed."""

    reason: str
    """One of `connector.link.session.REASONS`."""
    detail: str
    connected: bool
    """Whether the handshake had been completed."""
    retry_seconds: float
    """How long the link waits before it dials again (longer if the exchange's budget is used)."""


Lifecycle: TypeAlias = (
    Connecting
    | Connected
    | Subscribed
    | Stale
    | ShutdownAnnounced
    | Rejected
    | Disconnected
    | DecodeError
)

_LEVELS: dict[type, int] = {
    Connecting: logging.DEBUG,
    Connected: logging.INFO,
    Subscribed: logging.INFO,
    Stale: logging.WARNING,
    ShutdownAnnounced: logging.INFO,
    Rejected: logging.ERROR,
    Disconnected: logging.WARNING,
    DecodeError: logging.WARNING,
}


def log(event: Lifecycle) -> None:
    """Write one log record for `event`."""
    level = _LEVELS[type(event)]
    if isinstance(event, Disconnected) and event.reason in PLANNED:
        level = logging.INFO
    if not _log.isEnabledFor(level):
        return
    if isinstance(event, DecodeError):
        _log.log(level, "undecodable frame: %s", event, extra={"stream": event.stream})
        return
    fields = attrs.asdict(event, recurse=False)
    text = " ".join(f"{name}={value}" for name, value in fields.items())
    _log.log(level, "%s %s", type(event).__name__.lower(), text, extra={"lifecycle": fields})
