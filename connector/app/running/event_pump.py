"""A pump: one feed of one group, read into one sink, and kept at what the configuration wants."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack, suppress
from typing import Protocol, TypeVar

import trio

from connector import Adapter, ConnectorError, Feed, SubscriptionRejected
from connector.app.naming import write_channel
from connector.app.running.configuration import GroupPlan
from connector.app.running.sinks import Batch
from connector.channels import AnyChannel
from connector.events import Event
from connector.lifecycle import write_fields

_log = logging.getLogger("connector.run")

T = TypeVar("T")


class Taker(Protocol):
    """Where a pump's events go."""

    @property
    def name(self) -> str:
        """Of the sink."""
        ...

    async def write(self, batch: Batch) -> None:
        """Take `batch`."""
        ...


class Pump:
    """Reads one group into one sink.

    Args:
        adapter: whose channels they are.
        adapter_name, group: what the configuration calls them.
        plan: the group; `follow` changes its channels.
        slot: where the events go.
    """

    def __init__(
        self, adapter: Adapter, adapter_name: str, group: str, plan: GroupPlan, slot: Taker
    ) -> None:
        self.plan = plan
        self.slot = slot
        self.live = False
        """Whether everything that is wanted was acknowledged or refused."""
        self.refused: set[AnyChannel] = set()
        """Channels that the exchange does not want to give."""
        self._adapter = adapter
        self._names = adapter_name, adapter.exchange.name, group
        self._changed = trio.Event()
        self._stopping = False
        self._waiting = trio.CancelScope()
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    def follow(self, plan: GroupPlan) -> None:
        """Want the channels of `plan`, which differs in nothing else."""
        self.plan = plan
        self.live = False
        self.refused &= set(plan.channels)
        self._changed.set()

    async def stop(self) -> None:
        """Write what is buffered, then end; waits for it."""
        self._stopping = True
        self._waiting.cancel()
        await self._ended.wait()

    async def run(self) -> None:
        """Subscribe and read until `stop`.

        Raises:
            SinkFailed: the sink does not take the events.
            SlowConsumer: with ``overflow = "fail"``.

        Cancellation: what is buffered is lost.
        """
        try:
            async with AsyncExitStack() as stack:
                feed: Feed[Event] | None = None
                with self._waiting, suppress(trio.ClosedResourceError):
                    # Closed: the adapter has failed, and says why.
                    feed = await self._subscribe(stack)
                if feed is not None and not self._stopping:
                    await self._read(feed)
        finally:
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
                return await stack.enter_async_context(feed)
            except SubscriptionRejected as rejection:
                # Logged by `connector.lifecycle`; one of two hundred must not stop the others.
                self.refused.add(rejection.channel)

    async def _read(self, feed: Feed[Event]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_converged, feed)
            batches = feed.batches()
            while not self._stopping:
                batch: list[Event] = []
                # Only the wait may be cut off, never a write.
                with trio.CancelScope() as self._waiting:
                    try:
                        batch = await anext(batches)
                    except SubscriptionRejected as rejection:
                        self.refused.add(rejection.channel)
                    except trio.ClosedResourceError:
                        break  # the adapter has failed, and says why
                await self._write(batch)
            await self._write(take_rest(feed))
            nursery.cancel_scope.cancel()

    async def _write(self, events: list[Event]) -> None:
        if events:
            await self.slot.write(Batch(*self._names, events))

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
    """What is buffered."""
    rest: list[T] = []
    with suppress(trio.WouldBlock, trio.ClosedResourceError, ConnectorError):
        while True:
            rest.append(feed.receive_nowait())
    return rest
