"""`Pump`: what reading events, and reading raw frames, into a sink have in common.

A pump reads a feed and writes to its sink. While the sink fails, the pump reads on, so that no
connection waits for the sink: its backlog keeps as much as it may, and counts the rest as lost.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar, Generic, Protocol, TypeVar

import trio

from connector import ConnectorError, Feed, Overflow, SlowConsumer
from connector.app.running.backlog import Backlog
from connector.app.running.sink_slot import SinkAway
from connector.app.running.trouble import Trouble

T = TypeVar("T")


class Place(Protocol):
    """The place of a pump's sink."""

    @property
    def name(self) -> str:
        """Of the sink."""
        ...

    @property
    def trouble(self) -> Trouble:
        """The trouble of the sink, in words."""
        ...

    def lose(self, events: int, where: str) -> None:
        """Count events or frames that are lost."""
        ...


S = TypeVar("S", bound=Place)


class Pump(ABC, Generic[T, S]):
    """Reads items into one sink until `stop`.

    Args:
        slot: the place of the sink.
        capacity: how many items may wait for it.
        resumes: whether items are missing before the first, as the adapter has failed.
    """

    items: ClassVar[str]
    """The word for what it reads."""

    def __init__(self, slot: S, capacity: int, *, resumes: bool) -> None:
        self.slot = slot
        self._feed: Feed[T] | None = None
        self._stopping = False
        self._waiting = trio.CancelScope()
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self._backlog: Backlog[T] = Backlog(capacity)
        self._is_missing = resumes
        """Whether items are missing before the first."""
        self._in_flight = 0
        """Items that the sink is given at this moment."""
        self._complete = True

    @property
    @abstractmethod
    def source(self) -> str:
        """Where the items are from, for logs and errors."""

    @property
    @abstractmethod
    def overflow(self) -> Overflow:
        """What happens when more items wait than may."""

    @abstractmethod
    async def send(self, items: list[T], *, last: bool) -> None:
        """Hand `items` to the sink.

        Raises:
            SinkAway: it cannot take them at the moment.
        """

    async def stop(self, within: float = math.inf) -> bool:
        """Write what is buffered, then end; waits for it, but for no longer than `within` seconds.

        Returns:
            Whether everything was written.
        """
        self._stopping = True
        self._waiting.cancel()
        with trio.move_on_after(within):
            await self._ended.wait()
        if not self._ended.is_set():
            self._scope.cancel()
            await self._ended.wait()
        return self._complete

    def waiting(self) -> tuple[int, float]:
        """Items that wait for the sink, and the seconds that the oldest in the feed has waited."""
        held = len(self._backlog) + self._in_flight
        if self._feed is None:
            return held, 0.0
        now = self._feed.statistics()
        return held + now.buffered, now.waiting_seconds

    def _end(self, unread: int = 0) -> None:
        """Count what was not written, `unread` of it left in the feed, and wake `stop`."""
        left = len(self._backlog) + self._in_flight + unread
        self._complete = not left
        self.slot.lose(left, self.source)
        self._ended.set()

    async def _write(self, items: list[T], *, last: bool = False) -> None:
        """Write `items` after those that wait, or keep them all for a sink that has failed."""
        backlog = self._backlog
        if backlog:
            self._keep(items)
            items = backlog.items
        if self.slot.trouble.resting and not last:
            if not backlog:
                self._keep(items)
            await trio.lowlevel.checkpoint()
            return
        self._in_flight = 0 if backlog else len(items)
        try:
            await self.send(items, last=last)
        except SinkAway:
            if not backlog:
                self._keep(items)
        else:
            self._is_missing = False
            backlog.clear()
        self._in_flight = 0

    def _keep(self, items: Sequence[T]) -> None:
        """Let `items` wait; what there is no room for is lost.

        Raises:
            SlowConsumer: with ``overflow = "fail"``, if there is no room.
        """
        lost = self._backlog.add(items)
        if not lost:
            return
        self.slot.lose(lost, self.source)
        if self.overflow is Overflow.FAIL:
            raise SlowConsumer(
                f"{self.source}: the sink {self.slot.name} has failed, and more than "
                f"{self._backlog.capacity} {self.items} wait for it"
            )


def take_rest(feed: Feed[T]) -> list[T]:
    """The buffered events."""
    rest: list[T] = []
    with suppress(trio.WouldBlock, trio.ClosedResourceError, ConnectorError):
        while True:
            rest.append(feed.receive_nowait())
    return rest
