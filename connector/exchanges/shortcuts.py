"""The common work of readers and sequence rules for each message, in C if that part is compiled.

Two calls into Python, one to take the rows out of a frame and one to check an id, cost as much as
decoding a trade. Readers that do only this are therefore made here. A sequence rule is wrapped in a
check for the usual case, the next id, which needs no call of the rule.

`connector.transport.compiled` may have the readers, and the check for the usual case, in C; the
Python code here defines their behaviour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec

from connector.transport.compiled import EXTENSION

Read: TypeAlias = Callable[[bytes], Any]
Rule: TypeAlias = Callable[[int, Any], int]
"""As `connector.exchanges.protocol.SequenceRule`."""
Number: TypeAlias = Callable[[bytes], int | None]
"""As `connector.exchanges.envelope.Envelope.number`."""
Fold: TypeAlias = Callable[[Any, Any], list[Any]]
"""As `connector.exchanges.protocol.Fold`."""
Arrange: TypeAlias = Callable[[list[Any]], object]
"""Puts rows in order, in place."""


def rows(
    decode: Read,
    *,
    named: str = "",
    of: str = "",
    alone: bool = False,
    keeps_frame: bool = False,
    arrange: Arrange | None = None,
    within: str = "",
) -> Read:
    """Make a reader of frames with rows in ``data``; each row is an event.

    Args:
        decode: from a frame to its struct.
        named: the symbol to write into every row; empty if rows contain it.
        of: the symbol that several rows must have; empty for any.
        alone: whether a single row is returned itself, not in a list.
        keeps_frame: whether a row keeps the frame in its field ``frame``.
        arrange: puts several rows in order.
        within: the field with a list of one part, which has the ``data``; a frame with another
            number of parts is refused. Empty if the frame itself has ``data``.
    """
    make = rows_in_python if EXTENSION is None else EXTENSION.rows
    read: Read = make(decode, named, of, alone, keeps_frame, arrange, within)
    return read


def rows_in_python(  # noqa: PLR0917  # as the compiled part has it
    decode: Read,
    named: str,
    of: str,
    alone: bool,
    keeps_frame: bool,
    arrange: Arrange | None,
    within: str,
) -> Read:
    """`rows`, in Python."""

    def read(frame: bytes) -> Any:
        said = decode(frame)
        if within:
            parts = getattr(said, within)
            if len(parts) != 1:
                raise msgspec.ValidationError(f"{len(parts)} parts in a frame, not one")
            (said,) = parts
        found = said.data
        several = len(found) > 1
        for row in found:
            if named:
                row.symbol = named
            if keeps_frame:
                row.frame = frame
            if several and of and row.symbol != of:
                raise msgspec.ValidationError(f"a row of {row.symbol!r} in a frame of {of!r}")
        if several and arrange is not None:
            arrange(found)
        return found[0] if alone and len(found) == 1 else found

    return read


def timed(decode: Read, first: str, second: str) -> Read:
    """Make a reader of frames with an event in ``data`` and its time beside ``data``.

    Args:
        decode: from a frame to its struct.
        first: the field with the time; if it is absent, `second` has it. Each is as the field
            ``exchange_time_ns`` of the event is on the wire (`connector.exchanges.spelling`).
    """
    make = timed_in_python if EXTENSION is None else EXTENSION.timed
    read: Read = make(decode, first, second)
    return read


def timed_in_python(decode: Read, first: str, second: str) -> Read:
    """`timed`, in Python."""

    def read(frame: bytes) -> Any:
        said = decode(frame)
        event = said.data
        event.wire_exchange_time_ns = getattr(said, first) or getattr(said, second)
        return event

    return read


def once(time: str, number: str, seen: str) -> Fold:
    """Make a fold for events without ordered ids, which delivers each event once.

    It delivers events later than the last delivered one, and undelivered events of the same time.

    Args:
        time: the field with the time.
        number: the field with an id, unique among the events of one time.
        seen: the field with a tuple in which an event keeps the ids of all delivered events of its
            time, including its own. In C, of the events of one message only the last one keeps it:
            no other is ever the last that was delivered.
    """
    make = once_in_python if EXTENSION is None else EXTENSION.once
    fold: Fold = make(time, number, seen)
    return fold


def once_in_python(time: str, number: str, seen: str) -> Fold:
    """`once`, in Python."""
    time_of, number_of, seen_of = attrgetter(time), attrgetter(number), attrgetter(seen)

    def fold(last: Any, event: Any) -> list[Any]:
        own = number_of(event)
        if last is None or time_of(event) > time_of(last):
            setattr(event, seen, (own,))
        elif time_of(event) < time_of(last) or own in seen_of(last):
            return []
        else:
            setattr(event, seen, (*seen_of(last), own))
        return [event]

    return fold


def in_order(first: str, second: str = "") -> Arrange:
    """Make a function that sorts rows by the integers in their field `first`, then in `second`.

    Rows in order, or in reverse order, need no sorting.
    """
    first_of = attrgetter(first)
    second_of = attrgetter(second) if second else None

    def sort(found: list[Any]) -> None:
        # Two sorts cost less than one with both keys.
        if second_of is not None:
            found.sort(key=second_of)
        found.sort(key=first_of)

    return sort if EXTENSION is None else EXTENSION.arranged(sort, first, second)


def numbered(number: Number, marker: bytes, within: int) -> Number:
    """Wrap `number`: look for a message's number after `marker` in its first `within` bytes."""
    return number if EXTENSION is None else EXTENSION.numbered(number, marker, within)


def consecutive_in_python(
    number: Number, payloads: Sequence[bytes], first: int, last: int | None
) -> int:
    """Find where messages from ``payloads[first]`` on stop being numbered consecutively.

    Args:
        number: of a message; one without a number is passed over.
        payloads: the messages.
        first: the index of the first to look at.
        last: the number before it; None if there is none.

    Returns:
        The index of the first message whose number does not follow the one before it.
    """
    for index in range(first, len(payloads)):
        found = number(payloads[index])
        if found is None:
            continue
        if last is not None and found != last + 1:
            return index
        last = found
    return len(payloads)


consecutive = consecutive_in_python if EXTENSION is None else EXTENSION.consecutive


def split_in_python(rows: list[Any], kind: type[Any]) -> tuple[list[Any], list[Any]]:
    """Split rows into those of `kind` and the others."""
    return [row for row in rows if type(row) is kind], [
        row for row in rows if type(row) is not kind
    ]


split = split_in_python if EXTENSION is None else EXTENSION.split


def rising(rule: Rule, field: str = "trade_id") -> Rule:
    """Wrap `rule`: any id above the last one is in sequence; `field` of the event has the id."""
    return rule if EXTENSION is None else EXTENSION.rising(rule, field, "")


def dense(rule: Rule, field: str, filled: str = "") -> Rule:
    """Wrap `rule`: the last id + 1 is in sequence; `field` of the event has the id.

    Args:
        rule: decides in every other case.
        field: the name of the field.
        filled: another field, which must be neither zero nor empty.
    """
    return rule if EXTENSION is None else EXTENSION.dense(rule, field, filled)


def chained(rule: Rule) -> Rule:
    """Wrap `rule`: a delta whose `BookDelta.previous_update_id` is the last id is in sequence."""
    return rule if EXTENSION is None else EXTENSION.chained(rule)
