"""The states of a link and the permitted transitions between them, as a table.

.. code-block:: text

    idle ──▶ waiting ──▶ connecting ──▶ subscribing ◀──▶ streaming
     ▲          │  │          │              │            │    │
     │          │  └─▶ ended  │              └─▶ closing ◀┘    │
     └──────────┴─────────────┴─────────────────────┴──────────┘

`connector.link.link` may make these transitions and no others. `connector.testing.model` uses the
same table to walk through all sequences of events.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

from connector.errors import InvariantViolated

State: TypeAlias = Literal[
    "idle", "waiting", "connecting", "subscribing", "streaming", "closing", "ended"
]

TRANSITIONS: Mapping[State, Mapping[State, str]] = MappingProxyType(
    {
        "idle": {
            "waiting": "a stream is wanted",
            "idle": "the loop begins, or the adapter is left while no stream is wanted",
        },
        "waiting": {
            "connecting": "backoff and connection budget are over",
            "idle": "the adapter is left",
            "ended": "the source has ended",
        },
        "connecting": {
            "subscribing": "the handshake is complete",
            "idle": "the attempt has failed, or the adapter is left; the socket is closed",
        },
        "subscribing": {
            "streaming": "the exchange acknowledged every wanted stream",
            "closing": "the session has ended, and so have its tasks",
        },
        "streaming": {
            "subscribing": "the set of wanted streams changed",
            "streaming": "a silent stream was resubscribed and acknowledged",
            "closing": "the session has ended, and so have its tasks",
            "idle": "the adapter was left just before the handshake was complete",
        },
        "closing": {
            "idle": "the socket is closed",
        },
        "ended": {},
    }
)
"""For each state: the states that may follow, with the cause."""


def enter(before: State, after: State) -> State:
    """Return the state `after`, if it may follow `before`.

    Raises:
        InvariantViolated: it may not.
    """
    if after not in TRANSITIONS[before]:
        raise InvariantViolated(f"a link that is {before} cannot become {after}")
    return after
