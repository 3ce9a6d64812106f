"""The states of an account and the permitted transitions between them, as a table.

.. code-block:: text

    off ── connecting ─▶ subscribing ── subscribed ─▶ snapshot ── read ─▶ joining ── joined ─▶ live
                                                         ▲                   │ to be read       │
                                                         └───────────────────┴──── anew ────────┘
    (any) ── lost ─▶ off

The stream is subscribed before the account is read, and events are kept until then, so changes
during the reading are not lost. The values of the account are visible only in the state *live*.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

from connector.errors import InvariantViolated

AccountState: TypeAlias = Literal["off", "subscribing", "snapshot", "joining", "live"]
Happening: TypeAlias = Literal["connecting", "subscribed", "read", "joined", "reread", "lost"]

STATES: tuple[AccountState, ...] = ("off", "subscribing", "snapshot", "joining", "live")
HAPPENINGS: tuple[Happening, ...] = (
    "connecting", "subscribed", "read", "joined", "reread", "lost",
)  # fmt: skip

TABLE: Mapping[tuple[AccountState, Happening], AccountState] = MappingProxyType(
    {
        ("off", "connecting"): "subscribing",
        ("off", "lost"): "off",
        ("subscribing", "subscribed"): "snapshot",
        ("subscribing", "lost"): "off",
        ("snapshot", "read"): "joining",
        ("snapshot", "reread"): "snapshot",
        ("snapshot", "lost"): "off",
        ("joining", "joined"): "live",
        ("joining", "reread"): "snapshot",
        ("joining", "lost"): "off",
        ("live", "reread"): "snapshot",
        ("live", "lost"): "off",
    }
)
"""The permitted transitions; any other is a bug of ours."""


def follow(state: AccountState, happening: Happening) -> AccountState:
    """The state after `happening`.

    Raises:
        InvariantViolated: it cannot happen in `state`.
    """
    try:
        return TABLE[state, happening]
    except KeyError:
        raise InvariantViolated(
            f"an account in the state {state!r} cannot get {happening!r}"
        ) from None
