"""How the frames of an exchange are wrapped, so that the hot path can slice instead of parse."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import attrs

SEPARATOR = b":"
"""Between the parts of a stream's name that a frame spreads."""

Parts: TypeAlias = tuple[tuple[int, bytes, bytes], ...]
"""For each part of a name: where it begins, or -1 to search; what is before it; what ends it."""

Shape: TypeAlias = tuple[Parts, bool, int]
"""Of frames, as the hot loop wants it: the parts of the stream's name, whether the payload is the
whole frame, and if not, how many bytes follow it."""

NO_SHAPE: Shape = ((), True, 0)
"""Of an exchange without an envelope: every frame takes the long way."""


@attrs.frozen
class Part:
    """A part of a stream's name in a frame: what lies between two texts."""

    before: bytes
    after: bytes


@attrs.frozen
class Envelope:
    """How most frames are wrapped, as bytes.

    The name of a frame's stream is what stands between the `before` and the `after` of a part; of
    several parts, joined by ``:``. With ``{"arg":{"channel":"trades","instId":"BTC-USDT"},…}`` and
    the parts ``("channel":"`` to ``")`` and ``("instId":"`` to ``")`` the name is
    ``trades:BTC-USDT``. A frame whose name is not subscribed, or that does not decode, takes the
    long way through `Exchange.parse`, which must give the same result: the fast path is an
    optimisation, never a second protocol.
    """

    parts: tuple[Part, ...]
    """In the order in which they stand in the frame."""
    tail: bytes | None = None
    """What follows the payload, which begins behind the last part; None when a stream's `decode`
    takes the whole frame."""
    anchored: bool = True
    """Whether every frame begins with the first part's `before`: then its place is known. If not,
    it is searched."""
    number: Callable[[bytes], int | None] | None = None
    """Of an exchange that numbers all messages of a connection: a frame's number, None if it has
    none. A hole in them is a loss in every stream."""

    @property
    def shape(self) -> Shape:
        """The same for the hot loop."""
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
