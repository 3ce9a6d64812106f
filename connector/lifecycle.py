"""What happens to the connections of an adapter, as values and as log records.

`Adapter.lifecycle` is a feed of these events. An undecodable frame appears in it as a
`DecodeError`. Each event is also one record of the logger ``connector.lifecycle``, with its fields
as ``extra``. If an event repeats very often, the first few are logged, and then a count.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TypeAlias

import attrs

from connector.channels import AnyChannel
from connector.errors import DecodeError, SubscriptionRejected

_log = logging.getLogger("connector.lifecycle")

PLANNED = frozenset({"shutdown", "age", "idle", "requested", "left", "ended"})
"""Reasons for which the link closes a healthy connection, with a handshake and no warning."""


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
    """The link starts to connect."""

    attempt: int
    """1 for the first attempt since the last stable session."""
    via: str = ""
    """The proxy, the source address or the pinned addresses; empty for a plain connection."""


@attrs.frozen(kw_only=True)
class Connected(LinkEvent):
    """The handshake is complete. Data of earlier sessions is not delivered after this event."""


@attrs.frozen(kw_only=True)
class Subscribed(LinkEvent):
    """The exchange has acknowledged every subscription of this link."""

    streams: int
    """The number of subscribed streams."""


@attrs.frozen(kw_only=True)
class Stale(LinkEvent):
    """A stream has delivered no data for longer than its limit."""

    stream: str
    """The exchange's name of the stream."""
    channel: AnyChannel
    """The channel of the stream."""
    silent_seconds: float
    """Seconds since the last data."""
    resubscribing: bool = False
    """Whether the link resubscribes the stream. If not, it ends the session."""


@attrs.frozen(kw_only=True)
class NotTrading(LinkEvent):
    """A stream is silent because its symbol is not traded now.

    It stays subscribed, and continues when trading does.
    """

    stream: str
    """The exchange's name of the stream."""
    channel: AnyChannel
    """The channel of the stream."""
    status: str
    """The status as the exchange writes it."""


@attrs.frozen(kw_only=True)
class BookCrossed(LinkEvent):
    """A local book stayed crossed (bids at or above asks). The adapter rebuilds it."""

    channel: AnyChannel
    """The channel of the book."""
    crossed_seconds: float
    """Seconds since the book crossed."""


@attrs.frozen(kw_only=True)
class ShutdownAnnounced(LinkEvent):
    """The exchange announced that it will close this connection. The link opens a new one."""

    detail: str
    """The announcement, as the exchange wrote it."""


@attrs.frozen(kw_only=True)
class Rejected(LinkEvent):
    """The exchange rejected a subscription."""

    error: SubscriptionRejected
    """The rejection, with the exchange's code and text."""


@attrs.frozen(kw_only=True)
class Disconnected(LinkEvent):
    """The session has ended: its tasks are gone and its socket is closed."""

    reason: str
    """One of `connector.link.session.REASONS`."""
    detail: str
    """The cause in words; empty if the reason says it all."""
    connected: bool
    """Whether the handshake had been completed."""
    retry_seconds: float
    """Seconds until the link connects again (more if the exchange's budget is used up)."""


@attrs.frozen(kw_only=True)
class RequestsFailing(LinkEvent):
    """REST requests fail and are retried. Emitted once per reason, not per attempt.

    `link` is the exchange's name and ``/rest``. `session` counts the connections for REST.
    """

    reason: str
    """A key of `connector.link.request_trouble.FAILURES`."""
    detail: str
    """The cause in words."""
    target: str
    """Path and query of one of the requests."""
    waiting: int
    """The number of requests without an answer."""


@attrs.frozen(kw_only=True)
class RequestsRecovered(LinkEvent):
    """Every failing REST request has been answered or dropped."""

    failing_seconds: float
    """Seconds since the first failure."""
    failures: int
    """The number of failed attempts."""


Lifecycle: TypeAlias = (
    Connecting
    | Connected
    | Subscribed
    | Stale
    | NotTrading
    | BookCrossed
    | ShutdownAnnounced
    | Rejected
    | Disconnected
    | RequestsFailing
    | RequestsRecovered
    | DecodeError
)

_LEVELS: dict[type, int] = {
    Connecting: logging.DEBUG,
    Connected: logging.INFO,
    Subscribed: logging.INFO,
    Stale: logging.WARNING,
    NotTrading: logging.WARNING,
    BookCrossed: logging.WARNING,
    ShutdownAnnounced: logging.INFO,
    Rejected: logging.ERROR,
    Disconnected: logging.WARNING,
    RequestsFailing: logging.WARNING,
    RequestsRecovered: logging.INFO,
    DecodeError: logging.WARNING,
}


def log(event: Lifecycle) -> None:
    """Write one log record for `event`."""
    level = level_of(event)
    if not _log.isEnabledFor(level):
        return
    if isinstance(event, DecodeError):
        _log.log(level, "undecodable frame: %s", event, extra={"stream": event.stream})
        return
    fields = attrs.asdict(event, recurse=False)
    text = write_fields(fields)
    _log.log(level, "%s %s", type(event).__name__.lower(), text, extra={"lifecycle": fields})


def log_more(latest: Lifecycle, count: int, seconds: float) -> None:
    """Write one log record for `count` events of the kind of `latest`, in the last `seconds`."""
    if isinstance(latest, DecodeError):
        kind, about = "undecodable frames", str(latest)
    else:
        kind = type(latest).__name__.lower()
        about = write_fields(attrs.asdict(latest, recurse=False))
    fields = {"more": count, "seconds": seconds, "latest": about}
    _log.log(level_of(latest), "%s %s", kind, write_fields(fields), extra={"fields": fields})


def level_of(event: Lifecycle) -> int:
    """The level at which `event` is logged."""
    if isinstance(event, Disconnected) and event.reason in PLANNED:
        return logging.INFO
    return _LEVELS[type(event)]


def write_fields(fields: Mapping[str, object]) -> str:
    """``name=value …`` for people.

    Numbers have three digits, a time in nanoseconds is a moment in UTC, and what is empty is left
    out. A value with spaces in it stands in quotes.
    """
    written = []
    for name, value in fields.items():
        if name.endswith("_ns") and isinstance(value, int):
            moment = datetime.fromtimestamp(value / 1e9, UTC).isoformat(timespec="milliseconds")
            written.append(f"{name.removesuffix('_ns')}={moment.replace('+00:00', 'Z')}")
        elif (text := _written(value)) != "":
            written.append(f"{name}={text}")
    return " ".join(written)


_PLAIN = re.compile(r"[^\s\"=]+")


def _written(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    if isinstance(value, Mapping):
        return ",".join(f"{key}:{_written(each)}" for key, each in value.items()) or "none"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ",".join(map(_written, value)) or "none"
    text = str(value)
    return text if not text or _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


__all__ = [
    "BookCrossed",
    "Connected",
    "Connecting",
    "Disconnected",
    "Lifecycle",
    "LinkEvent",
    "NotTrading",
    "Rejected",
    "RequestsFailing",
    "RequestsRecovered",
    "ShutdownAnnounced",
    "Stale",
    "Subscribed",
]
