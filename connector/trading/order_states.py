"""The states of an order and the transitions between them, as a table.

.. code-block:: text

    queued ── sent ──▶ sent ── accepted ──▶ open ── all traded ──▶ filled
       │                │ │                 ▲  │ ── cancelled ──▶ cancelled
       │ not sent       │ │ lost            │  └─ ended by it ──▶ expired
       ▼                │ ▼                 │
    refused ◀─ refused ─┘ unknown ── found ─┘ (or in any of its ends)
       ┊                  │
       ┊                  └── proved ──▶ absent
       ┊                                  ┊
       └┈┈┈┈┈┈┈┈┈┈┈┈ late ┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┘  ▶ open, filled, cancelled, expired

Replies, events and answers to queries arrive in any order, repeated and late. The table therefore
has an entry for each: the order moves, the report is *stale* (older than the known state), it is
*late* (an order that was considered lost is open: a constant of the venue was wrong), or it is
*impossible*: then one of two reports was wrong, and the account reads its state again.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal, TypeAlias

from connector.orders import OrderState

News: TypeAlias = Literal[
    "sent", "unsent", "lost", "open", "filled", "cancelled", "expired", "refused", "absent"
]
Effect: TypeAlias = Literal["moves", "stale", "late", "impossible"]

NEWS: tuple[News, ...] = (
    "sent", "unsent", "lost", "open", "filled", "cancelled", "expired", "refused", "absent",
)  # fmt: skip
STATES: tuple[OrderState, ...] = (
    "queued", "sent", "open", "filled", "cancelled", "expired", "refused", "absent", "unknown",
)  # fmt: skip

_LIVES: tuple[tuple[News, OrderState], ...] = (
    ("open", "open"),
    ("filled", "filled"),
    ("cancelled", "cancelled"),
    ("expired", "expired"),
)


def _table() -> dict[tuple[OrderState, News], tuple[Effect, OrderState]]:
    table: dict[tuple[OrderState, News], tuple[Effect, OrderState]] = {
        ("queued", "sent"): ("moves", "sent"),
        ("queued", "unsent"): ("moves", "refused"),
        ("sent", "lost"): ("moves", "unknown"),
        ("sent", "refused"): ("moves", "refused"),
        ("unknown", "lost"): ("stale", "unknown"),
        ("unknown", "refused"): ("moves", "refused"),
        ("unknown", "absent"): ("moves", "absent"),
        # The event came before the reply, which is then lost.
        ("open", "lost"): ("stale", "open"),
    }
    for news, state in _LIVES:
        table["sent", news] = ("moves", state)
        table["unknown", news] = ("moves", state)
        table["open", news] = ("moves", state)
        table["refused", news] = ("late", state)
        table["absent", news] = ("late", state)
    ends: tuple[OrderState, ...] = ("filled", "cancelled", "expired")
    for end in ends:
        table[end, "open"] = ("stale", end)
        table[end, "lost"] = ("stale", end)
        table[end, end] = ("stale", end)  # type: ignore[index]
    given_up: tuple[OrderState, ...] = ("refused", "absent")
    for over in given_up:
        table[over, "lost"] = ("stale", over)
        table[over, "refused"] = ("stale", over)
        table[over, "absent"] = ("stale", over)
    return table


TABLE = MappingProxyType(_table())
"""The effect of news on an order in a state; any other combination is impossible."""
_FOLLOW = dict(TABLE).get


def follow(state: OrderState, news: News) -> tuple[Effect, OrderState]:
    """The effect of `news` on an order in `state`, and its state then."""
    return _FOLLOW((state, news)) or ("impossible", state)
