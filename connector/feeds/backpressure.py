"""When a link must not read: while a buffer that it feeds is full, with one exception.

The reply to a request comes behind the data. If a link stopped reading while somebody waits for an
acknowledgement, a task that reads one feed and subscribes to another on the same link would wait
for ever: for a reply behind events that it does not take because it waits. So as long as somebody
waits, the buffers of the link may hold `STRETCH` times their capacity; who waits on while that is
used up gets `SlowConsumer`, not silence (`connector.feeds.subscription`). A feed that is being
entered cannot be read yet, whatever its capacity: it may hold what many streams bring until the
last of them is acknowledged.

And when it need not: what a conflating feed will replace anyhow can as well be read together.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio

STRETCH = 16
"""So often its capacity a buffer may hold while an acknowledgement is awaited."""
ROOM_BEFORE_ENTERED = 65_536
"""So many events at least while it is its own feed that waits to be entered. Spot needs 5 s to
subscribe to 1,024 streams, in which those of every 100 ms bring 26,000."""


class Full(set[Any]):
    """The full buffers of a link; they add themselves, and discard themselves when they drain."""

    __slots__ = ("_awaiting", "_hurried", "_moved", "eager", "waiting")

    def __init__(self) -> None:
        super().__init__()
        self._awaiting = 0
        """How many wait for a reply."""
        self._moved: trio.Event | None = None
        """Set when it may be another answer; there is one only while somebody waits."""
        self.eager = 0
        """Streams of the link that have a reader who wants every event."""
        self.waiting: dict[Any, None] = {}
        """Conflating buffers whose consumer waits for an event, or is about to take one: an
        ordered set."""
        self._hurried: trio.Event | None = None

    def holds_back(self) -> bool:
        """Whether the link must not read now."""
        if not self._awaiting:
            return bool(self)
        return any(len(buffer) >= self._most(buffer) for buffer in self)

    def _most(self, buffer: Any) -> int:
        """How many events `buffer` may hold while somebody waits for a reply."""
        stretched: int = STRETCH * buffer.capacity
        return max(stretched, ROOM_BEFORE_ENTERED) if buffer.entering else stretched

    def discard(self, buffer: Any) -> None:
        """`buffer` is no longer full."""
        super().discard(buffer)
        self._move()

    @contextmanager
    def awaiting_reply(self) -> Iterator[None]:
        """Let the link read on while somebody waits for a reply."""
        self._awaiting += 1
        self._move()
        try:
            yield
        finally:
            self._awaiting -= 1

    async def wait_for_room(self) -> None:
        """Wait until the link may read. Does not execute a checkpoint when it may already."""
        while self.holds_back():
            if self._moved is None:
                self._moved = trio.Event()
            await self._moved.wait()

    def attend(self, buffer: Any) -> None:
        """The consumer of `buffer`, which conflates, waits: paused sessions must read."""
        self.waiting[buffer] = None
        if self._hurried is not None:
            self._hurried.set()

    async def rest(self, seconds: float) -> None:
        """Let `seconds` pass, or the time until a consumer waits; executes a checkpoint."""
        self._hurried = trio.Event()
        with trio.move_on_after(seconds):
            await self._hurried.wait()

    def _move(self) -> None:
        if self._moved is not None:
            self._moved.set()
            self._moved = None
