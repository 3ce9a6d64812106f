"""`Pump`: read the feed of one group into one sink, with the configured channels."""

from __future__ import annotations

import logging
import math
from contextlib import AsyncExitStack, suppress
from typing import Protocol, TypeVar, cast

import trio

from connector import Adapter, ConnectorError, Feed, Overflow, SlowConsumer, SubscriptionRejected
from connector.app.naming import write_channel
from connector.app.running.backlog import Backlog
from connector.app.running.configuration import GroupPlan
from connector.app.running.market_board import MarketBoard
from connector.app.running.sink_slot import SinkAway
from connector.app.running.sinks import Batch
from connector.app.running.trouble import Trouble
from connector.channels import AnyChannel
from connector.events import Event, Gap
from connector.lifecycle import write_fields

_log = logging.getLogger("connector.run")

T = TypeVar("T")


class Taker(Protocol):
    """The place for a pump's events."""

    @property
    def name(self) -> str:
        """Of the sink."""
        ...

    @property
    def trouble(self) -> Trouble:
        """The trouble of the sink, in words."""
        ...

    async def write(self, batch: Batch, *, last: bool = False) -> None:
        """Take `batch`.

        Raises:
            SinkAway: it cannot at the moment.
        """
        ...

    def lose(self, events: int, where: str) -> None:
        """Count events that are lost."""
        ...


class Pump:
    """Reads one group into one sink.

    Args:
        adapter: whose channels they are.
        adapter_name, group: what the configuration calls them.
        plan: the group; `follow` changes its channels.
        slot: where the events go.
        board: looks at them on their way.
        resumes: whether events are missing before the first, as the adapter has failed.
    """

    def __init__(
        self,
        adapter: Adapter,
        adapter_name: str,
        group: str,
        plan: GroupPlan,
        slot: Taker,
        *,
        board: MarketBoard | None = None,
        resumes: bool = False,
    ) -> None:
        self.plan = plan
        self.slot = slot
        self.live = False
        """Whether everything that is wanted was acknowledged or refused."""
        self.refused: set[AnyChannel] = set()
        """Channels that the exchange does not want to give."""
        self._adapter = adapter
        self._names = adapter_name, adapter.exchange.name, group
        self._board = board
        self._feed: Feed[Event] | None = None
        self._changed = trio.Event()
        self._stopping = False
        self._waiting = trio.CancelScope()
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self._backlog: Backlog[Event] = Backlog(plan.buffer)
        self._missing = "disconnected" if resumes else ""
        """Why events are missing before the first."""
        self._in_flight = self._unread = 0
        """Events that the sink is given at this moment; that the feed had in the end."""
        self._complete = True

    def follow(self, plan: GroupPlan) -> None:
        """Want the channels of `plan`, which differs in nothing else."""
        self.plan = plan
        self.live = False
        self.refused &= set(plan.channels)
        self._changed.set()

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
        """Events that wait for the sink, and the seconds that the oldest in the feed has waited."""
        held = len(self._backlog) + self._in_flight
        if self._feed is None:
            return held, 0.0
        now = self._feed.statistics()
        return held + now.buffered, now.waiting_seconds

    async def run(self) -> None:
        """Subscribe and read until `stop`.

        Raises:
            SinkFailed: the sink does not take the events, and shall not be tried again.
            SlowConsumer: with ``overflow = "fail"``.

        Cancellation: what is buffered is lost.
        """
        try:
            with self._scope:
                async with AsyncExitStack() as stack:
                    feed: Feed[Event] | None = None
                    with self._waiting, suppress(trio.ClosedResourceError):
                        # Closed: the adapter has failed, and says why.
                        feed = await self._subscribe(stack)
                    if feed is not None and not self._stopping:
                        await self._read(feed)
        finally:
            left = len(self._backlog) + self._in_flight + self._unread
            self._complete = not left
            self.slot.lose(left, f"group {self._names[2]}")
            if self._board is not None:
                self._board.forget(self)
            self._ended.set()

    async def _subscribe(self, stack: AsyncExitStack) -> Feed[Event]:
        """A feed of all channels but those that the exchange refuses."""
        while True:  # noqa: ASYNC913  # either branch waits
            wanted = [each for each in self.plan.channels if each not in self.refused]
            if not wanted:
                self._changed = trio.Event()
                await self._changed.wait()
                continue
            feed = self._adapter.subscribe(
                *wanted,
                buffer=self.plan.buffer,
                overflow=self.plan.overflow,
                gaps=self.plan.gaps,
            )
            try:
                return cast("Feed[Event]", await stack.enter_async_context(feed))
            except SubscriptionRejected as rejection:
                # Logged by `connector.lifecycle`; one of two hundred must not stop the others.
                self.refused.add(rejection.channel)

    async def _read(self, feed: Feed[Event]) -> None:
        self._feed = feed
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_converged, feed)
            try:
                await self._read_batches(feed)
            finally:
                self._feed = None
                self._unread = feed.statistics().buffered
            nursery.cancel_scope.cancel()

    async def _read_batches(self, feed: Feed[Event]) -> None:
        batches = feed.batches()
        while not self._stopping:
            batch: list[Event] = []
            # Only the wait may be cut off, never a write.
            with trio.CancelScope(deadline=self._retry_at()) as self._waiting:
                try:
                    batch = await anext(batches)
                except SubscriptionRejected as rejection:
                    self.refused.add(rejection.channel)
                except trio.ClosedResourceError:
                    break  # the adapter has failed, and says why
            await self._write(batch)
        await self._write(take_rest(feed), last=True)

    def _retry_at(self) -> float:
        """Time of the next attempt to write; until then, events only gather."""
        return max(self.slot.trouble.retry_at, trio.current_time()) if self._backlog else math.inf

    async def _write(self, events: list[Event], *, last: bool = False) -> None:
        """Write the buffered events, or keep them for a sink that has failed."""
        backlog = self._backlog
        if self._board is not None:
            adapter, _, group = self._names
            self._board.see(self, adapter, group, events)
        if backlog:
            self._keep(events)
            events = backlog.items
        if not events:
            return
        if self.slot.trouble.resting and not last:
            if not backlog:
                self._keep(events)
            await trio.lowlevel.checkpoint()
            return
        self._in_flight = 0 if backlog else len(events)
        try:
            await self.slot.write(Batch(*self._names, self._with_gap(events)), last=last)
        except SinkAway:
            if not backlog:
                self._keep(events)
        else:
            self._missing = ""
            backlog.clear()
        self._in_flight = 0

    def _keep(self, events: list[Event]) -> None:
        """Let `events` wait; what there is no room for is lost.

        Raises:
            SlowConsumer: with ``overflow = "fail"``, if there is no room.
        """
        lost = self._backlog.add(events)
        if not lost:
            return
        adapter, _, group = self._names
        self.slot.lose(lost, f"group {group}")
        if self.plan.overflow is Overflow.FAIL:
            raise SlowConsumer(
                f"group {group} of {adapter}: the sink {self.slot.name} has failed, and more than "
                f"{self._backlog.capacity} events wait for it"
            )

    def _with_gap(self, events: list[Event]) -> list[Event]:
        """`events`, with a `Gap` before them if events were lost."""
        lost = self._backlog.lost
        if not self.plan.gaps or not (lost or self._missing):
            return events
        gap = Gap(
            symbol="",
            received_ns=events[0].received_ns,
            session=events[0].session,
            channels=self.plan.channels,
            reason="overflow" if lost else self._missing,
            dropped=lost or None,
        )
        return [gap, *events]

    async def _keep_converged(self, feed: Feed[Event]) -> None:
        """Let the feed have what is wanted, for as long as it lasts."""
        with suppress(trio.ClosedResourceError):
            await self._converge(feed)

    async def _converge(self, feed: Feed[Event]) -> None:
        while True:
            self._changed = trio.Event()
            wanted = [each for each in self.plan.channels if each not in self.refused]
            kept = set(feed.channels) & set(wanted)
            removed = [each for each in feed.channels if each not in kept]
            added = [each for each in wanted if each not in kept]
            if removed and kept:
                await feed.discard(*removed)
            try:
                await feed.add(*added)
            except SubscriptionRejected:
                self.refused.update(each for each in added if each not in feed.channels)
            if removed and not kept:
                await feed.discard(*removed)
            self.live = not self._changed.is_set()
            if added or removed:
                self._tell(added, removed)
            await self._changed.wait()

    def _tell(self, added: list[AnyChannel], removed: list[AnyChannel]) -> None:
        adapter, _, group = self._names
        fields = {
            "adapter": adapter,
            "group": group,
            "sink": self.slot.name,
            "added": [write_channel(each) for each in added if each not in self.refused],
            "removed": [write_channel(each) for each in removed],
        }
        text = write_fields(fields)
        _log.info("channels changed %s", text, extra={"fields": fields})


def take_rest(feed: Feed[T]) -> list[T]:
    """The buffered events."""
    rest: list[T] = []
    with suppress(trio.WouldBlock, trio.ClosedResourceError, ConnectorError):
        while True:
            rest.append(feed.receive_nowait())
    return rest
