"""Faults of trading as data: replies, requests and private events that go wrong.

    TradingFault("lose_reply", method="order.place")
    TradingFault("answer", method="order.*", status=503, text=UNKNOWN, effect=True)
    TradingFault("lose_event", event="ORDER_TRADE_UPDATE:TRADE", skip=1)

Source: INVARIANTS 48 to 66; texts: binance_trading §6.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal, TypeAlias, get_args

import msgspec

RequestFaultKind: TypeAlias = Literal["lose_request", "cut_request", "late_request", "answer"]
"""Before it is carried out: it is lost, the connection is cut, it arrives late; or it is answered
with an error of your choice, and carried out nevertheless if `effect`."""

ReplyFaultKind: TypeAlias = Literal["lose_reply", "cut_reply", "late_reply", "double_reply"]
"""After it was carried out: the reply is lost, late or sent twice, or cut off after `reply_bytes`,
and the connection with it."""

EventFaultKind: TypeAlias = Literal["lose_event", "double_event", "late_event", "swap_events"]
"""An event is lost, sent twice, late, or sent behind the one that follows it."""

TradingFaultKind: TypeAlias = RequestFaultKind | ReplyFaultKind | EventFaultKind

REQUEST_KINDS: frozenset[str] = frozenset(get_args(RequestFaultKind))
REPLY_KINDS: frozenset[str] = frozenset(get_args(ReplyFaultKind))
EVENT_KINDS: frozenset[str] = frozenset(get_args(EventFaultKind))


class TradingFault(
    msgspec.Struct,
    frozen=True,
    omit_defaults=True,
    repr_omit_defaults=True,
    forbid_unknown_fields=True,
):
    """One thing that goes wrong between an account and its exchange."""

    kind: TradingFaultKind
    """What goes wrong."""
    method: str = "*"
    """Which requests, as a shell-style pattern: the name on the WebSocket API, such as
    ``order.place``, also for the same request over REST."""
    event: str = "*"
    """Which events, as a pattern: ``e``, or ``e:x`` with the execution type, such as
    ``executionReport:TRADE``."""
    account: str = "*"
    """Whose, as a pattern of account names."""
    via: Literal["*", "ws", "rest"] = "*"
    """Which way requests arrive: "ws", "rest", or "*" for both."""
    skip: int = 0
    """How many that match are let pass before."""
    times: int | None = 1
    """How many are struck; None: all that follow."""
    seconds: float = 1.0
    """late_request, late_reply, late_event: by how much."""
    reply_bytes: int = 0
    """cut_reply: how much of the reply is sent before the connection is reset."""
    status: int = 503
    """The HTTP status of a refusal."""
    code: int | None = None
    """answer: the error's code; None: the text alone, as from a gateway."""
    text: str = ""
    """The text of a refusal."""
    effect: bool = False
    """answer: whether the request is carried out."""

    def __post_init__(self) -> None:
        known = REQUEST_KINDS | REPLY_KINDS | EVENT_KINDS
        if self.kind not in known:
            raise ValueError(
                f"{self.kind!r} is no kind of fault of trading; there are "
                f"{', '.join(sorted(known))}"
            )

    def strikes_request(self, method: str, account: str, via: str) -> bool:
        """Whether it is about such a request."""
        return (
            fnmatchcase(method, self.method)
            and fnmatchcase(account, self.account)
            and self.via in ("*", via)
        )

    def strikes_event(self, account: str, name: str, execution: str) -> bool:
        """Whether it is about such an event."""
        return fnmatchcase(account, self.account) and (
            fnmatchcase(name, self.event) or fnmatchcase(f"{name}:{execution}", self.event)
        )
