"""What nearly every message asks of a reader and of a rule: in C where the compiled part is there.

Two calls into Python, one to take the rows out of a frame and one to look at an id, cost as much as
decoding a trade. So readers that do no more than that are made here; and a rule of ids is wrapped
in what is usual, an id that follows, which needs no look at the rule itself.

`connector.transport.compiled` may have the readers in C, and what is usual only there; this says
what they do.
"""

from __future__ import annotations

from collections.abc import Callable
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
    """A reader of frames that have their rows, which are events, in ``data``.

    Args:
        decode: from a frame to its struct.
        named: the symbol to write into every row; empty where rows have theirs.
        of: the symbol that several rows must have; empty for any.
        alone: whether an only row is returned as it is, not in a list.
        keeps_frame: whether a row keeps the frame in its field ``frame``.
        arrange: puts several rows in order.
        within: the field with a list of one part, which has the ``data``; a frame with another
            number of parts is refused. Empty where the frame has it.
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
    """A reader of frames that have an event in ``data``, and beside it when it happened.

    Args:
        decode: from a frame to its struct.
        first: the field with the time; where it has none, it is in `second`. Each is as the field
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
    """A fold of events that have no ids in order: later ones than the last that was delivered, and
    those of its time that were not delivered.

    Args:
        time: the field with the time.
        number: the field with an id, unique among the events of one time.
        seen: the field with a tuple in which an event keeps the ids of what was delivered of its
            time, its own included. In C, of the events of one message only the last one keeps it:
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
    """What puts rows in the order of the integers in their field `first`, then in `second`.

    Rows that are in order already, or backwards, need no sorting.
    """
    first_of = attrgetter(first)
    second_of = attrgetter(second) if second else None

    def sort(found: list[Any]) -> None:
        # One after the other costs less than both in one key.
        if second_of is not None:
            found.sort(key=second_of)
        found.sort(key=first_of)

    return sort if EXTENSION is None else EXTENSION.arranged(sort, first, second)


def numbered(number: Number, marker: bytes, within: int) -> Number:
    """`number`, which finds the number of a message behind `marker` in its first `within` bytes."""
    return number if EXTENSION is None else EXTENSION.numbered(number, marker, within)


def split_in_python(rows: list[Any], kind: type[Any]) -> tuple[list[Any], list[Any]]:
    """The rows that are of `kind`, and those that are not."""
    return [row for row in rows if type(row) is kind], [
        row for row in rows if type(row) is not kind
    ]


split = split_in_python if EXTENSION is None else EXTENSION.split


def rising(rule: Rule, field: str = "trade_id") -> Rule:
    """`rule`, to which any id above the last one follows; the id is in `field` of the event."""
    return rule if EXTENSION is None else EXTENSION.rising(rule, field)


def dense(rule: Rule, field: str) -> Rule:
    """`rule`, to which the last id + 1 follows; the id is in `field` of the event."""
    return rule if EXTENSION is None else EXTENSION.dense(rule, field)


def chained(rule: Rule) -> Rule:
    """`rule`, to which a delta follows that names the last id in `BookDelta.previous_update_id`."""
    return rule if EXTENSION is None else EXTENSION.chained(rule)
