"""Back-pressure: a link must not read while one of its buffers is full, with one exception.

The reply to a request arrives after data that was sent before it. Suppose that a task reads one
feed and subscribes to another on the same link. If the link stopped reading while the task waits
for the acknowledgement, it would wait forever: the reply is behind events that the waiting task
does not take. While a task waits for a reply, the buffers of the link may therefore hold `STRETCH`
times their capacity. If that is used up as well, the task gets `SlowConsumer`
(`connector.feeds.subscription`). A feed that is being entered cannot be read yet, so it may hold
the data of many streams until the last of them is acknowledged.

A link may also pause on purpose: data that a conflating feed will replace can be read together.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio

STRETCH = 16
"""A buffer may hold this many times its capacity while a task waits for an acknowledgement."""
ROOM_BEFORE_ENTERED = 65_536
"""Minimum number of events that a buffer may hold while its own feed is being entered. Spot needs 5
s to subscribe to 1,024 streams; with one event per 100 ms, they send 26,000 events in that time."""


class Full(set[Any]):
    """The full buffers of a link; they add themselves, and discard themselves when they drain."""

    __slots__ = ("_awaiting", "_hurried", "_moved", "eager", "waiting")

    def __init__(self) -> None:
        super().__init__()
        self._awaiting = 0
        """Number of tasks that wait for a reply."""
        self._moved: trio.Event | None = None
        """Set when `holds_back` may have changed; exists only while a task waits."""
        self.eager = 0
        """Number of streams with a reader that wants every event."""
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
        """Number of events that `buffer` may hold while a task waits for a reply."""
        stretched: int = STRETCH * buffer.capacity
        return max(stretched, ROOM_BEFORE_ENTERED) if buffer.entering else stretched

    def discard(self, buffer: Any) -> None:
        """`buffer` is no longer full."""
        super().discard(buffer)
        self._move()

    @contextmanager
    def awaiting_reply(self) -> Iterator[None]:
        """Let the link keep reading while a task waits for a reply."""
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
