"""`EventPump`: read the feed of one group into one sink, with the configured channels."""

from __future__ import annotations

import logging
import math
from contextlib import AsyncExitStack, suppress
from typing import Protocol, cast

import trio

from connector import Adapter, Feed, Overflow, SubscriptionRejected
from connector.app.naming import write_channel
from connector.app.running.configuration import GroupPlan
from connector.app.running.market_board import MarketBoard
from connector.app.running.pump import Place, Pump, take_rest
from connector.app.running.sinks import Batch
from connector.channels import AnyChannel
from connector.events import Event, Gap
from connector.lifecycle import write_fields

_log = logging.getLogger("connector.run")


class Taker(Place, Protocol):
    """The place for a pump's events."""

    async def write(self, batch: Batch, *, last: bool = False) -> None:
        """Take `batch`.

        Raises:
            SinkAway: it cannot at the moment.
        """
        ...


class EventPump(Pump[Event, Taker]):
    """Reads one group into one sink.

    Args:
        adapter: whose channels they are.
        adapter_name, group: what the configuration calls them.
        plan: the group; `follow` changes its channels.
        slot: where the events go.
        board: looks at them on their way.
        resumes: whether events are missing before the first, as the adapter has failed.
    """

    items = "events"

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
        super().__init__(slot, plan.buffer, resumes=resumes)
        self.plan = plan
        self.live = False
        """Whether everything that is wanted was acknowledged or refused."""
        self.refused: set[AnyChannel] = set()
        """Channels that the exchange does not want to give."""
        self._adapter = adapter
        self._names = adapter_name, adapter.exchange.name, group
        self._board = board
        self._changed = trio.Event()
        self._unread = 0
        """Events that the feed had in the end."""

    @property
    def source(self) -> str:
        """The group, for logs and errors."""
        return f"group {self._names[2]}"

    @property
    def overflow(self) -> Overflow:
        """What happens when more events wait than may."""
        return self.plan.overflow

    def follow(self, plan: GroupPlan) -> None:
        """Want the channels of `plan`, which differs in nothing else."""
        self.plan = plan
        self.live = False
        self.refused &= set(plan.channels)
        self._changed.set()

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
            if self._board is not None:
                self._board.forget(self)
            self._end(self._unread)

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

    async def _write(self, items: list[Event], *, last: bool = False) -> None:
        if self._board is not None:
            adapter, _, group = self._names
            self._board.see(self, adapter, group, items)
        if items or self._backlog:
            await super()._write(items, last=last)

    async def send(self, items: list[Event], *, last: bool) -> None:
        """Hand `items` to the sink.

        Raises:
            SinkAway: it cannot take them at the moment.
        """
        await self.slot.write(Batch(*self._names, self._with_gap(items)), last=last)

    def _with_gap(self, events: list[Event]) -> list[Event]:
        """`events`, with a `Gap` before them if events were lost."""
        lost = self._backlog.lost
        if not self.plan.gaps or not (lost or self._is_missing):
            return events
        gap = Gap(
            symbol="",
            received_ns=events[0].received_ns,
            session=events[0].session,
            channels=self.plan.channels,
            reason="overflow" if lost else "disconnected",
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
