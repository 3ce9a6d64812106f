"""The attributes of a stream that the hot loop reads and writes: the base of `Subscription`.

The attributes are slots, because each change of streams between messages needs all of them.
`connector.transport.compiled` may have the class in C, where the loop reaches them without looking
them up by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from connector.exchanges.protocol import Fold, SequenceRule
from connector.transport.compiled import EXTENSION


class IntakeInPython:
    """The decoder and the counters of a stream's messages."""

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
    """Whether its events have an exchange time; None before the first."""
    group: Any
    """The destination of events, equal for streams whose messages can be taken together. None if
    they cannot be taken in runs, because their decoding is postponed."""
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
    """The last delivered event of a folded stream; None before the first."""
    messages: int
    """Messages taken, over all sessions."""
    payload_bytes: int
    """Bytes of their payloads."""


def fold_all(fold: Fold, latest: Any, events: Iterable[Any]) -> tuple[list[Any], Any]:
    """Fold `events` after `latest`; return the events to deliver and the new last one."""
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
