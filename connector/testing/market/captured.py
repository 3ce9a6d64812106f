"""Captured messages as a venue reads them, and what each stream shows after those that were sent.

A reader (`CaptureReader`) turns the text of a received message into what a simulated venue
publishes. A new listener of a stream first gets what the stream shows (`ShownStates`): the book as
of now, or the last message of a stream whose messages are whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol, TypeAlias

import attrs
import msgspec

from connector.testing.market.capture_files import Frame

Row: TypeAlias = tuple[Decimal, Any, bool]
"""A level: its price, how it is written, and whether it is gone."""
Side: TypeAlias = dict[Decimal, Any]
Writer: TypeAlias = Callable[[Sequence[Any], Sequence[Any]], bytes]
"""Writes the snapshot of a book from its bids and asks, each best first."""


class Shown(Protocol):
    """What a message says about what its stream shows."""

    def after(self, before: Any) -> Any:
        """What is shown with it; `before` is what it was, None before the first message."""
        ...

    def message(self, state: Any) -> bytes:
        """The message that shows it, as the venue sends it first."""
        ...


@attrs.frozen
class Last:
    """The message is whole: it is what its stream shows."""

    data: bytes

    def after(self, before: Any) -> None:
        """The message is all there is."""
        return

    def message(self, state: Any) -> bytes:
        """The message itself."""
        return self.data


@attrs.frozen
class Fields:
    """The message has all fields, or those that have changed."""

    whole: bool
    fields: Mapping[str, Any]
    write: Callable[[Mapping[str, Any]], bytes]

    def after(self, before: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """All fields as of now."""
        return self.fields if self.whole or before is None else {**before, **self.fields}

    def message(self, state: Mapping[str, Any]) -> bytes:
        """All of them."""
        return self.write(state)


@attrs.frozen
class Rows:
    """The message is a snapshot of a book, or has levels that changed.

    Args:
        whole: whether it is a snapshot.
        bids, asks: the levels.
        write: writes a snapshot with the ids and the checksum of this message. A checksum of a
            change describes the book after it, so it is that of the snapshot, too.
        depth: levels per side, where a venue does not say that one has left the depth.
    """

    whole: bool
    bids: Iterable[Row]
    asks: Iterable[Row]
    write: Writer
    depth: int | None = None

    def after(self, before: tuple[Side, Side] | None) -> tuple[Side, Side]:
        """Both sides with its levels."""
        sides: tuple[Side, Side] = ({}, {}) if self.whole or before is None else before
        for side, rows, bids in ((sides[0], self.bids, True), (sides[1], self.asks, False)):
            for price, row, gone in rows:
                if gone:
                    side.pop(price, None)
                else:
                    side[price] = row
            if self.depth is not None and len(side) > self.depth:
                for price in sorted(side, reverse=bids)[self.depth :]:
                    del side[price]
        return sides

    def message(self, state: tuple[Side, Side]) -> bytes:
        """The snapshot."""
        bids, asks = state
        return self.write(
            [bids[price] for price in sorted(bids, reverse=True)],
            [asks[price] for price in sorted(asks)],
        )


@attrs.frozen
class Captured:
    """A received message, as the simulated venue publishes it."""

    streams: tuple[str, ...]
    """The streams that bring it, as the venue's rules name them. Almost always one."""
    symbol: str
    """Empty if it is of several."""
    data: bytes
    """What is published."""
    shown: Shown | None = None
    """What its streams show with it; None of events, such as trades."""
    awaited: bool = True
    """Whether a capture that resumes waits for a listener."""


class CaptureReader(Protocol):
    """How a venue's messages are read as somebody received them."""

    def read(self, text: str) -> Iterable[Captured]:
        """What a message brings; nothing if it is a reply, a heartbeat, or not of the venue."""
        ...


class ShownStates:
    """What each stream shows, as far as its messages were sent."""

    def __init__(self) -> None:
        self._states: dict[str, tuple[Shown, Any]] = {}

    def add(self, message: Captured) -> None:
        """A message was sent."""
        if message.shown is None:
            return
        for stream in message.streams:
            _, before = self._states.get(stream, (None, None))
            self._states[stream] = message.shown, message.shown.after(before)

    def first(self, stream: str) -> list[bytes]:
        """What a new listener gets before anything else."""
        if stream not in self._states:
            return []
        shown, state = self._states[stream]
        return [shown.message(state)]


def content(text: str) -> Any:
    """The JSON value of a message; None if it is none."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None


def text_rows(rows: Iterable[Sequence[Any]]) -> list[Row]:
    """Levels that begin with price and size as text."""
    return [(Decimal(row[0]), row, Decimal(row[1]) == 0) for row in rows]


class CombinedReader:
    """Reads combined data frames of Binance. Their books have snapshots of their own, over REST."""

    def read(self, text: str) -> list[Captured]:
        """What a message brings."""
        frame = Frame(None, "recv", None, text)
        return [] if frame.stream is None else [Captured((frame.stream,), "", frame.payload)]
