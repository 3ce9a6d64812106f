"""One direction of a connection in memory: bytes in transit, in order."""

from __future__ import annotations

from collections import deque

import trio


class Pipe:
    """Bytes sent, and when they arrive; `MemoryStream` and `MemoryConnection` set its switches.

    Attributes:
        unread: bytes sent that the receiver has not taken.
        eof_at: when the end of the stream arrives, after all data sent before it.
        broken_for_receiver_at, broken_for_sender_at: when an end learns of a reset.
        dead: whether all data is discarded without notice.
        stalled: whether data is held back.
        one_byte: whether the receiver gets one byte at a time.
    """

    def __init__(self, latency_seconds: float, capacity_bytes: int) -> None:
        self.latency = latency_seconds
        self.capacity = capacity_bytes
        self.segments: deque[tuple[float, bytes]] = deque()
        self.unread = 0
        self.eof_at: float | None = None
        self.broken_for_receiver_at: float | None = None
        self.broken_for_sender_at: float | None = None
        self.dead = False
        self.stalled = False
        self.one_byte = False
        self.sender_closed = False
        self.receiver_closed = False
        self._changed = trio.lowlevel.ParkingLot()

    def notify(self) -> None:
        self._changed.unpark_all()

    async def _wait_change(self, *until: float | None) -> None:
        deadline = min((when for when in until if when is not None), default=None)
        if deadline is None:
            await self._changed.park()
        else:
            with trio.move_on_at(deadline):
                await self._changed.park()

    def raise_if_unsendable(self) -> None:
        if self.sender_closed:
            raise trio.ClosedResourceError("this end of the connection was closed")
        broken = self.broken_for_sender_at
        if broken is not None and broken <= trio.current_time():
            raise trio.BrokenResourceError("connection reset by peer")

    async def wait_room(self) -> None:
        while True:
            self.raise_if_unsendable()
            if self.unread < self.capacity:
                return
            await self._wait_change(self.broken_for_sender_at)

    def put(self, data: bytes) -> None:
        self.segments.append((trio.current_time() + self.latency, data))
        self.unread += len(data)
        self.notify()

    def put_eof(self) -> None:
        if self.eof_at is None:
            self.eof_at = trio.current_time() + self.latency
            self.notify()

    async def get(self, max_bytes: int) -> bytes:
        while True:
            if self.receiver_closed:
                raise trio.ClosedResourceError("this end of the connection was closed")
            now = trio.current_time()
            waiting = self.dead or self.stalled
            arrives = self.segments[0][0] if self.segments and not waiting else None
            if arrives is not None and arrives <= now:
                return self._take(max_bytes, now)
            broken = self.broken_for_receiver_at
            if broken is not None and broken <= now:
                raise trio.BrokenResourceError("connection reset by peer")
            ends = self.eof_at if not self.segments and not waiting else None
            if ends is not None and ends <= now:
                return b""
            await self._wait_change(arrives, ends, broken)

    def _take(self, max_bytes: int, now: float) -> bytes:
        if self.one_byte:
            max_bytes = 1
        taken: list[bytes] = []
        room = max_bytes
        while room and self.segments and self.segments[0][0] <= now:
            arrives, data = self.segments.popleft()
            if len(data) > room:
                self.segments.appendleft((arrives, data[room:]))
                data = data[:room]
            taken.append(data)
            room -= len(data)
        result = b"".join(taken)
        self.unread -= len(result)
        self.notify()
        return result
