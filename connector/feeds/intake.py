"""What the hot loop reads and writes of a stream: the base of `Subscription`.

The attributes are slots, because a message of another stream than the one before needs all of them.
`connector.transport.compiled` may have the class in C, where the loop reaches them without looking
them up by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from connector.exchanges.protocol import Fold, SequenceRule
from connector.transport.compiled import EXTENSION


class IntakeInPython:
    """How messages of a stream are taken, and what was taken."""

    __slots__ = (
        "decode",
        "decode_unchecked",
        "fold",
        "group",
        "last_id",
        "latest",
        "messages",
        "name",
        "payload_bytes",
        "sequence",
        "tells_time",
    )

    name: str
    """As of `Stream`."""
    tells_time: bool | None
    """Whether its events say when they happened; None before the first."""
    group: Any
    """Where events go: the same for streams whose messages can be taken together. None when
    they cannot be taken in runs at all: they are not decoded yet."""
    decode: Callable[[bytes], Any]
    """From the payload of a message to its event, or to a list of events."""
    decode_unchecked: Callable[[bytes], Any] | None
    """As of `Stream`."""
    sequence: SequenceRule | None
    """The rule by which events follow each other, or None."""
    last_id: int
    """The newest id, for the rule."""
    fold: Fold | None
    """As of `Stream`."""
    latest: Any
    """What was delivered last of a stream that is folded; None before the first."""
    messages: int
    """Messages taken, over all sessions."""
    payload_bytes: int
    """Bytes of their payloads."""


def fold_all(fold: Fold, latest: Any, events: Iterable[Any]) -> tuple[list[Any], Any]:
    """What to deliver when `events` come and `latest` was delivered last; and what is last then."""
    complete: list[Any] = []
    for event in events:
        made = fold(latest, event)
        if made:
            latest = made[-1]
            complete += made
    return complete, latest


if TYPE_CHECKING:
    Intake = IntakeInPython
else:
    Intake = IntakeInPython if EXTENSION is None else EXTENSION.Intake
