"""The envelope of an exchange's frames, which lets the hot path slice instead of parse."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import attrs

SEPARATOR = b":"
"""Joins the parts of a stream's name that a frame has in several places."""

Parts: TypeAlias = tuple[tuple[int, bytes, bytes], ...]
"""For each part of a name: its offset or -1 to search, the text before it, and the text after
it."""

Shape: TypeAlias = tuple[Parts, bool, int]
"""The envelope in the form of the hot loop: the parts of the stream's name, whether the payload is
the whole frame, and otherwise how many bytes follow the payload."""

NO_SHAPE: Shape = ((), True, 0)
"""The shape for an exchange without an envelope: every frame is parsed."""


@attrs.frozen
class Part:
    """A part of a stream's name in a frame: the bytes between two texts."""

    before: bytes
    after: bytes


@attrs.frozen
class Envelope:
    """The wrapping of most frames, as bytes.

    For example, in ``{"arg":{"channel":"trades","instId":"BTC-USDT"},…}`` the parts
    ``("channel":"`` to ``")`` and ``("instId":"`` to ``")`` give the name ``trades:BTC-USDT``. The
    name of a frame's stream is the text between the `before` and the `after` of each part; several
    parts are joined by ``:``. A frame with an unsubscribed name, or one that does not decode, goes
    through `Exchange.parse`, which must give the same result: the fast path is an optimisation,
    never a second protocol.
    """

    parts: tuple[Part, ...]
    """The parts, in the order of the frame."""
    tail: bytes | None = None
    """The bytes after the payload, which begins after the last part; None if a stream's `decode`
    takes the whole frame."""
    anchored: bool = True
    """Whether every frame begins with the first part's `before`, so that its offset is known;
    otherwise it is searched."""
    number: Callable[[bytes], int | None] | None = None
    """Finds a frame's number if the exchange numbers all messages of a connection; it returns None
    for a frame without one. A missing number means a loss in every stream."""

    @property
    def shape(self) -> Shape:
        """The envelope in the form of the hot loop."""
        parts = [(-1, part.before, part.after) for part in self.parts]
        if self.anchored and parts:
            _, before, after = parts[0]
            parts[0] = (len(before), before, after)
        return tuple(parts), self.tail is None, len(self.tail or b"")


def find_name(parts: Parts, frame: bytes) -> tuple[bytes, int]:
    """The name of a frame's stream, and where its last part ends; ``(b"", -1)`` if it has none."""
    found = []
    at = 0 if parts else -1
    for offset, before, after in parts:
        begin = offset
        if offset < 0:
            begin = frame.find(before, at)
            if begin < 0:
                return b"", -1
            begin += len(before)
        end = frame.find(after, begin)
        if end < 0:
            return b"", -1
        found.append(frame[begin:end])
        at = end + len(after)
    return SEPARATOR.join(found), at


__all__ = ["NO_SHAPE", "SEPARATOR", "Envelope", "Part", "Parts", "Shape", "find_name"]
