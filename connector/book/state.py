"""The states of a local book and the permitted transitions between them, as a table.

.. code-block:: text

                first delta            a snapshot was asked for
        IDLE ───────────────▶ GAP ───────────────────────────────▶ BUFFERING ◀─┐ the snapshot is
          ▲                    ▲ ▲                                  │ │ │ │     │ too old: the
          │                    │ └──────── the request failed ──────┘ │ │ └─────┘ buffer is kept
          │                    │                                      │ │
          │                    │   it is ahead of every delta so far  │ │ it joins
          │                    │                    JOINING ◀─────────┘ │
          │                    │                     │   │              ▼
          │                    │ a delta is missing  │   └────────▶   LIVE  ──┐ the next delta
          │                    ├─────────────────────┘ it covers      │  ▲    │
          │                    │                       the snapshot   │  └────┘
          │                    └──────────────────────────────────────┘
          │ the connection                 a delta is missing, the book is wrong,
          │ is gone                        or the price left what is known
        (any)

Only `LIVE` is synced. In every other state the book shows nothing, so that a program cannot use old
values by mistake.

`GAP` and `BUFFERING` are separate states because snapshots are rationed: after a reconnect,
hundreds of books wait minutes for theirs. Deltas from before the request are useless, because the
snapshot will be newer. A book in a gap therefore drops its deltas, and buffers them from the
request of its snapshot on. Before the request it waits for a first delta, so that the snapshot is
not older than the stream.

A snapshot in the stream itself is complete: it leads from every state to `LIVE`, and replaces the
book if that was live. Without one, such a book leaves `GAP` only after a new subscription.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from connector.errors import InvariantViolated


class State(enum.Enum):
    """The state of a local book."""

    IDLE = "idle"
    """No message has arrived on this connection yet."""
    GAP = "gap"
    """Deltas arrive and are dropped, because there is no book to apply them to."""
    BUFFERING = "buffering"
    """A snapshot is requested; deltas are buffered for it."""
    JOINING = "joining"
    """The snapshot has arrived, and is newer than every delta so far."""
    LIVE = "live"
    """The book equals the exchange's book."""


class Input(enum.Enum):
    """An event of a book, already judged by the rules of its exchange."""

    DELTA = "a delta, where none can be judged"
    FOLLOWS = "a delta that follows"
    OLD = "a delta that brings nothing new"
    HOLE = "a delta before which something is missing"
    ASKED = "a snapshot was asked for"
    REFUSED = "the snapshot will not come"
    STALE = "a snapshot older than the deltas that are kept, or none yet"
    AHEAD = "a snapshot newer than every delta so far"
    JOINS = "a snapshot that a kept delta covers"
    COMPLETE = "a snapshot in the stream"
    WRONG = "the book is not what the exchange says, or no longer known"
    LOST = "data was lost on the way here"
    INTERRUPTED = "the connection is gone"


TABLE: Mapping[State, Mapping[Input, State]] = MappingProxyType(
    {
        State.IDLE: {
            Input.DELTA: State.GAP,
            Input.COMPLETE: State.LIVE,
            Input.LOST: State.IDLE,
            Input.INTERRUPTED: State.IDLE,
        },
        State.GAP: {
            Input.DELTA: State.GAP,
            Input.ASKED: State.BUFFERING,
            Input.COMPLETE: State.LIVE,
            Input.LOST: State.GAP,
            Input.INTERRUPTED: State.IDLE,
        },
        State.BUFFERING: {
            Input.FOLLOWS: State.BUFFERING,
            Input.OLD: State.BUFFERING,
            # The buffer begins anew with this delta: the snapshot may still be newer.
            Input.HOLE: State.BUFFERING,
            Input.ASKED: State.BUFFERING,
            Input.REFUSED: State.GAP,
            Input.STALE: State.BUFFERING,
            Input.AHEAD: State.JOINING,
            Input.JOINS: State.LIVE,
            Input.COMPLETE: State.LIVE,
            Input.LOST: State.GAP,
            Input.INTERRUPTED: State.IDLE,
        },
        State.JOINING: {
            Input.FOLLOWS: State.LIVE,
            Input.OLD: State.JOINING,
            Input.HOLE: State.GAP,
            Input.COMPLETE: State.LIVE,
            Input.LOST: State.GAP,
            Input.INTERRUPTED: State.IDLE,
        },
        State.LIVE: {
            Input.FOLLOWS: State.LIVE,
            Input.OLD: State.LIVE,
            Input.HOLE: State.GAP,
            Input.WRONG: State.GAP,
            Input.COMPLETE: State.LIVE,
            Input.LOST: State.GAP,
            Input.INTERRUPTED: State.IDLE,
        },
    }
)


def after(state: State, happening: Input) -> State:
    """The state that `happening` leads to.

    Raises:
        InvariantViolated: it cannot happen in `state`.
    """
    try:
        return TABLE[state][happening]
    except KeyError:
        raise InvariantViolated(
            f"a local book in the state {state.value} cannot get {happening.value}"
        ) from None
