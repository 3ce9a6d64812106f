"""Faults as data: what goes wrong, when, and for whom.

A `FaultPlan` is a frozen value. It prints as what one would write, survives JSON, and does nothing
by itself: `open_exchange(faults=plan)` makes it happen, and `SimulatedExchange.break_connections`
and `SimulatedExchange.inject` bring single faults in while it runs.

    FaultPlan((
        Fault("reset", When(seconds=2.0)),                  # all connections, 2 s after the start
        Fault("close", When(messages=5), code=1011),        # each one after its fifth message
        Fault("http_status", When(first=3, last=6), status=503, retry_after=1.0),
        Fault("mute", When(age_seconds=4.0, route="/public"), times=1),
    ))
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import msgspec

HandshakeKind: TypeAlias = Literal[
    "refuse",
    "accept_close",
    "accept_reset",
    "tls_break",
    "handshake_hang",
    "http_status",
    "late_answer",
]
"""Faults of a connection before it is a WebSocket, or of one that never becomes one; they strike
by its number or by time."""

LiveKind: TypeAlias = Literal[
    "close",
    "close_and_hold",
    "fin",
    "reset",
    "half_open",
    "mute",
    "mute_stream",
    "ack_silence",
    "no_ack",
    "no_pong",
    "reject_subscription",
    "close_at_first_data",
    "bad_reserved_bits",
    "bad_mask",
    "bad_opcode",
    "bad_length",
    "bad_utf8",
    "oversized",
    "truncated_json",
    "unknown_event",
    "fragmented",
    "duplicate_frames",
    "reorder",
    "server_shutdown",
]
"""Faults of a connection that lives; without a `When` they strike as soon as it does."""

FaultKind: TypeAlias = HandshakeKind | LiveKind

HANDSHAKE_KINDS: frozenset[FaultKind] = frozenset(get_args(HandshakeKind))
LIVE_KINDS: frozenset[FaultKind] = frozenset(get_args(LiveKind))


class When(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    repr_omit_defaults=True,
    forbid_unknown_fields=True,
):
    """When a fault strikes, and which connections; every condition that is given must hold.

    Connections are numbered 1, 2, 3 … in the order in which they reach the exchange, the ones
    that fail included.
    """

    seconds: float | None = None
    """Seconds since the exchange was opened: a live fault strikes once, then; a handshake fault
    strikes connections that come from then on."""
    until_seconds: float | None = None
    """Handshake faults only: they stop striking then."""
    age_seconds: float | None = None
    """Seconds since the connection was accepted."""
    messages: int | None = None
    """After so many data messages were sent on the connection."""
    first: int = 1
    """The first connection that is struck."""
    last: int | None = None
    """The last connection that is struck; None means no last one."""
    route: str | None = None
    """Only connections of this route, such as ``/public``; live faults only."""

    def __post_init__(self) -> None:
        moments = (self.seconds, self.age_seconds, self.messages)
        if sum(moment is not None for moment in moments) > 1:
            raise ValueError(f"{self}: give one of seconds, age_seconds and messages")
        if any(moment is not None and moment < 0 for moment in moments):
            raise ValueError(f"{self}: a moment cannot be negative")
        if self.first < 1 or (self.last is not None and self.last < self.first):
            raise ValueError(f"{self}: connections are numbered from 1, first to last")

    def includes(self, connection: int, route: str | None = None) -> bool:
        """Whether a connection is among those that are struck."""
        return (
            self.first <= connection
            and (self.last is None or connection <= self.last)
            and (self.route is None or self.route == route)
        )


ALWAYS = When()


class Fault(
    msgspec.Struct,
    frozen=True,
    omit_defaults=True,
    repr_omit_defaults=True,
    forbid_unknown_fields=True,
):
    """One fault. Each parameter applies to the kinds that its description names."""

    kind: FaultKind
    """What goes wrong."""
    when: When = ALWAYS
    """When it strikes, and which connections."""
    times: int | None = None
    """How many connections it strikes in all; None: every one that `when` includes."""
    code: int | None = None
    """close, close_and_hold, close_at_first_data: the close code (None: 1001);
    reject_subscription: the error code (None: 2)."""
    message: str = ""
    """close, close_and_hold: the reason; reject_subscription: the error text."""
    stream: str = "*"
    """mute_stream, reject_subscription, truncated_json, unknown_event: which streams, as a
    shell-style pattern."""
    status: int = 503
    """http_status: the HTTP status."""
    retry_after: float | None = None
    """http_status: the Retry-After header, in seconds."""
    body: str = ""
    """http_status: the response's body."""
    partial_body: bool = False
    """http_status: the response promises more than `body` and stays open."""
    after_seconds: float = 1.0
    """server_shutdown: how long after the announcement the connection is closed; late_answer: how
    long an HTTP answer, or that to an upgrade, is kept back after it was made."""
    size_bytes: int = 32 << 20
    """oversized: how long the message is."""
    count: int | None = None
    """duplicate_frames, reorder, fragmented: how many frames; None: all that follow."""

    def __post_init__(self) -> None:
        if self.kind not in HANDSHAKE_KINDS | LIVE_KINDS:
            known = ", ".join(sorted(HANDSHAKE_KINDS | LIVE_KINDS))
            raise ValueError(f"{self.kind!r} is no kind of fault; there are {known}")
        if self.is_handshake_fault and (
            self.when.route is not None
            or self.when.messages is not None
            or self.when.age_seconds is not None
        ):
            raise ValueError(f"{self.kind} strikes before there is a route, an age or a message")
        if not self.is_handshake_fault and self.when.until_seconds is not None:
            raise ValueError(f"{self.kind}: until_seconds is for handshake faults")

    @property
    def is_handshake_fault(self) -> bool:
        """Whether it strikes a connection before it is a WebSocket."""
        return self.kind in HANDSHAKE_KINDS

    def __str__(self) -> str:
        said = repr(self).removeprefix("Fault(kind=")
        return "Fault(" + (said if self.when == ALWAYS else said.replace(", when=", ", ", 1))


class FaultPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All planned faults of one exchange."""

    faults: tuple[Fault, ...] = ()
    """The faults, in any order."""

    def to_json(self) -> str:
        """The plan as JSON, for a file or a bug report."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> FaultPlan:
        """The plan that `to_json` wrote.

        Raises:
            msgspec.ValidationError: it is not a fault plan; the message says where.
        """
        return msgspec.json.decode(text, type=cls)

    def __str__(self) -> str:
        return f"FaultPlan(({''.join(f'{fault}, ' for fault in self.faults)}))"
