"""Several buffers that read one stream, as one."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from connector.events import Event
from connector.feeds.buffer import Buffer


class Readers:
    """All buffers that read a stream, as one.

    Args:
        buffers: an ordered set, which may change.
    """

    __slots__ = ("_buffers",)

    def __init__(self, buffers: Mapping[Buffer[object], None]) -> None:
        self._buffers = buffers

    def room(self) -> int:
        """How many events may be put before a buffer could be full."""
        return min((buffer.room() for buffer in self._buffers), default=sys.maxsize)

    def put_run(self, events: Sequence[Event], stream: str) -> None:
        """Hand a run of events of `stream`, at most `room` of them, to every buffer."""
        for buffer in self._buffers:
            buffer.put_run(events, stream)
