"""The lasting faults of one connection, and how they alter its data messages."""

from __future__ import annotations

from fnmatch import fnmatchcase

import attrs

from connector.testing.faults import distortion
from connector.testing.faults.faults import Fault, FaultKind

LASTING: frozenset[FaultKind] = frozenset(
    (
        "mute", "mute_stream", "ack_silence", "no_ack", "no_pong", "reject_subscription",
        "close_at_first_data", "fragmented", "duplicate_frames", "reorder", "truncated_json",
    )
)  # fmt: skip
"""Kinds of faults that stay with a connection; the others strike once."""

_WITHHOLDING: tuple[FaultKind, ...] = ("mute", "ack_silence", "mute_stream")


@attrs.define
class _Active:
    fault: Fault
    left: int | None
    """Number of messages that it will still spoil; None means all."""


class Spoiler:
    """The lasting faults that have struck a connection."""

    def __init__(self) -> None:
        self._active: list[_Active] = []
        self._held: bytes | None = None

    def __bool__(self) -> bool:
        return bool(self._active) or self._held is not None

    def begin(self, fault: Fault) -> None:
        """Start a fault of a `LASTING` kind."""
        count = 1 if fault.kind == "truncated_json" and fault.count is None else fault.count
        self._active.append(_Active(fault, count))

    def has(self, kind: FaultKind, stream: str = "*") -> Fault | None:
        """The first active fault of this kind that applies to a stream."""
        found = self._find(kind, stream)
        return None if found is None else found.fault

    def _find(self, kind: FaultKind, stream: str) -> _Active | None:
        for active in self._active:
            if active.fault.kind == kind and fnmatchcase(stream, active.fault.stream):
                return active
        return None

    def withholds(self, stream: str) -> bool:
        """Whether a fault withholds the data of a stream."""
        return any(self._find(kind, stream) is not None for kind in _WITHHOLDING)

    def spoil(self, stream: str, text: bytes, frame: bytes) -> bytes:
        """What to send instead of a data message; empty while a message waits to be reordered."""
        if self._uses("truncated_json", stream):
            frame = distortion.truncated(text)
        if self._uses("fragmented", stream):
            frame = distortion.fragments(text)
        if self._uses("duplicate_frames", stream):
            frame += frame
        if self._held is not None:
            frame, self._held = frame + self._held, None
        elif self._uses("reorder", stream):
            frame, self._held = b"", frame
        return frame

    def _uses(self, kind: FaultKind, stream: str) -> bool:
        active = self._find(kind, stream)
        if active is None:
            return False
        if active.left is not None:
            active.left -= 1
            if active.left <= 0:
                self._active.remove(active)
        return True
