"""A feed: the events of one subscription, for one consumer."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, TypeVar, cast

import attrs
import trio
from trio.lowlevel import enable_ki_protection, wait_task_rescheduled

from connector.channels import AnyChannel
from connector.exchanges.protocol import AnyStream
from connector.feeds.buffer import Buffer, Overflow
from connector.feeds.delivery_delay import NS_PER_SECOND, Delays
from connector.feeds.handover import Handover
from connector.feeds.late_decoding import Unreadable
from connector.transport.compiled import EXTENSION

T_co = TypeVar("T_co", covariant=True)


@attrs.frozen
class FeedStatistics:
    """The contents and the losses of a feed."""

    channels: tuple[AnyChannel, ...]
    """The channels of the feed."""
    overflow: Overflow
    """Its overflow policy."""
    capacity: int
    """The number of events that it can hold."""
    buffered: int
    """The number of events that wait for the consumer."""
    dropped: int
    """The number of events lost to the overflow policy."""
    gaps: int
    """The number of losses of any kind. A feed with ``gaps=True`` yields a `Gap` for each."""
    tasks_waiting: int
    """1 if the consumer waits for an event, otherwise 0."""
    waiting_seconds: float = 0.0
    """The age of the oldest buffered event since its arrival, in seconds; 0 without one."""
    replaced: int = 0
    """The number of events that `Overflow.CONFLATE` replaced by a newer event of the same stream
    and symbol."""


class FeedOwner(Protocol):
    """What can change the channels of a feed: the adapter."""

    async def add_channels(self, feed: Feed[object], channels: tuple[AnyChannel, ...]) -> None: ...

    def remove_channels(self, feed: Feed[object], channels: tuple[AnyChannel, ...]) -> None: ...

    def remove_feed(self, feed: Feed[object]) -> None: ...

    def streams(self, feed: Feed[object]) -> tuple[AnyStream, ...]: ...


class Feed(Handover, Generic[T_co]):
    """A bounded buffer of events for one consumer. `Adapter.subscribe` creates it.

    ``async for`` yields events until the subscription ends. An iteration over buffered events
    executes no checkpoint. When the buffer is empty, the iteration executes a checkpoint and waits.
    A consumer that never awaits can therefore hold the event loop for one buffer at most.
    """

    buffer: Buffer[T_co]
    """The events that wait, for the adapter and its links. A program reads through the methods."""

    # As of `Buffer`.
    __slots__ = ("__weakref__", "_is_plain", "_owner", "_take")

    def __init__(
        self, owner: FeedOwner, buffer: Buffer[T_co], delays: Delays | None = None
    ) -> None:
        self._owner = owner
        self._observe_since = None if delays is None else delays.observe_since
        self.buffer = buffer
        self._items = buffer.items
        self._waits_plainly = type(buffer).wait is Buffer.wait
        self._is_plain = type(buffer).take is Buffer.take
        self._pop = self._items.popleft if self._is_plain else None
        self._take = cast("Callable[[], T_co]", self._pop or buffer.take)

    @property
    def channels(self) -> tuple[AnyChannel, ...]:
        """The current channels of the feed."""
        return self.buffer.channels

    def streams(self) -> tuple[AnyStream, ...]:
        """The exchange's streams of the channels, with their names and sequence rules."""
        return self._owner.streams(cast("Feed[object]", self))

    def shares_connections(self, other: Feed[Any]) -> bool:
        """Whether both feeds belong to one adapter, so that a disconnect affects both."""
        return self._owner is other._owner

    def __repr__(self) -> str:
        return f"<Feed of {len(self.channels)} channels, {len(self._items)} events buffered>"

    def __aiter__(self) -> Feed[T_co]:
        return self

    if not TYPE_CHECKING:  # a type checker refuses it already

        def __iter__(self) -> NoReturn:
            raise TypeError("`for` cannot wait; write `async for event in feed:`")

    @enable_ki_protection  # as `Waking.wait`
    async def _next(self) -> T_co:
        """The next event: the step of ``async for``."""
        if not self._items:
            # As `_refill`, without a coroutine or a call more between wake-up and consumer.
            items, buffer = self._items, self.buffer
            while not items:
                if buffer.closed or buffer.over or buffer.errors:
                    self._stop_or_raise()
                if self._waits_plainly:
                    await wait_task_rescheduled(buffer.begin_waiting())
                else:
                    await buffer.wait()
            observe_since = self._observe_since
            if observe_since is not None:
                since_ns = items[0].received_ns if self._is_plain else buffer.oldest_ns()
                if since_ns:
                    observe_since(since_ns)
        try:
            event = self._take()
        except Unreadable:
            return await self._next_readable()
        if self.buffer.blocking:
            self.buffer.unblock_if_drained()
        return event

    if TYPE_CHECKING or EXTENSION is None:  # the compiled `Handover` has it
        __anext__ = _next

    async def receive(self) -> T_co:
        """Wait for the next event. Always executes a checkpoint.

        Raises:
            trio.BusyResourceError: another task is waiting on this feed.
            trio.ClosedResourceError: the subscription has ended.
            trio.EndOfChannel: the feed has ended, because the recording has ended or, for a
                lifecycle feed, because the program has left the adapter.
            SlowConsumer: the buffer of a feed with `Overflow.FAIL` overflowed.
            SubscriptionRejected: the exchange rejected a channel after a reconnect. Raised once.

        Cancellation: no event is lost; it stays in the buffer.
        """
        if self._items:
            await trio.lowlevel.checkpoint()
        try:
            return await self._next()
        except StopAsyncIteration:
            raise trio.EndOfChannel from None

    def receive_nowait(self) -> T_co:
        """Return the next event without waiting.

        Raises:
            trio.WouldBlock: the buffer is empty.
            trio.ClosedResourceError: the subscription has ended.
            trio.EndOfChannel: the feed has ended, as with `receive`.
        """
        while self._items:
            with suppress(Unreadable):
                event = self._take()
                self._unblock()
                return event
        self._raise_if_over()
        raise trio.WouldBlock

    def batches(self) -> AsyncIterator[list[T_co]]:
        """Iterate over lists of events. Each list has all buffered events, and at least one."""
        return _Batches(self)

    async def add(self, *channels: AnyChannel) -> None:
        """Subscribe to more channels. Returns when the exchange has acknowledged them.

        The acknowledgement arrives after data that the exchange has already sent. While you wait
        for it, the feeds of the same connection may hold more events than their capacity.

        Raises:
            ConfigError: the exchange does not offer one of the channels; nothing changes.
            SubscriptionRejected: the exchange rejected a channel; the others stay subscribed.
            SlowConsumer: too much unread data arrived before the acknowledgement.
            trio.ClosedResourceError: the subscription has ended, or another task has discarded one
                of the channels meanwhile.

        Cancellation: the new channels are not subscribed.
        """
        await self._owner.add_channels(cast("Feed[object]", self), channels)

    async def discard(self, *channels: AnyChannel) -> None:
        """Unsubscribe from `channels`. Buffered events stay. Executes a checkpoint.

        A channel that the feed does not have is ignored.

        Raises:
            ConfigError: the exchange does not offer one of the channels; nothing changes.
            trio.ClosedResourceError: the subscription has ended.
        """
        self._owner.remove_channels(cast("Feed[object]", self), channels)
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """End the subscription. A waiting consumer raises `trio.ClosedResourceError`."""
        self._owner.remove_feed(cast("Feed[object]", self))
        self.buffer.close()

    def __enter__(self) -> Feed[T_co]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Feed[T_co]:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def statistics(self) -> FeedStatistics:
        """The current contents and losses of the feed."""
        buffer = self.buffer
        return FeedStatistics(
            channels=self.channels,
            overflow=buffer.overflow,
            capacity=buffer.capacity,
            buffered=len(buffer),
            dropped=buffer.dropped,
            replaced=buffer.replaced,
            gaps=buffer.gaps,
            tasks_waiting=int(buffer.has_waiter()),
            waiting_seconds=_seconds_since(buffer.oldest_ns()),
        )

    async def _refill(self) -> None:
        """Wait for an item; executes a checkpoint."""
        while not self._items:
            self._raise_if_over()
            await self.buffer.wait()
        self._observe()

    def _observe(self) -> None:
        """Once per batch: how long has its first event waited for us?"""
        if self._observe_since is not None and (since_ns := self.buffer.oldest_ns()):
            self._observe_since(since_ns)

    async def _next_readable(self) -> T_co:
        """The next event that decodes; only what conflates can hold another, and never blocks."""
        while True:  # noqa: ASYNC913  # what is buffered is bounded, and then it waits
            if not self._items:
                await self._refill()
            with suppress(Unreadable):
                return self._take()

    def _unblock(self) -> None:
        if self.buffer.blocking:
            self.buffer.unblock_if_drained()

    def _stop_or_raise(self) -> None:
        """Do as `_raise_if_over`, where the end is the end of an iteration."""
        try:
            self._raise_if_over()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    def _raise_if_over(self) -> None:
        if self.buffer.closed:
            raise trio.ClosedResourceError(
                "this feed's subscription has ended; read a feed only inside its `async with`"
            )
        if self.buffer.over:
            raise trio.EndOfChannel("the feed has ended: its source has no more events")
        error = self.buffer.next_error()
        if error is not None:
            raise error

    async def _take_batch(self) -> list[T_co]:
        if self._items:
            await trio.lowlevel.checkpoint()
            self._observe()
        batch: list[T_co] = []
        while not batch:
            if not self._items:
                await self._refill()
            batch = cast("list[T_co]", self.buffer.take_all())
        self._unblock()
        return batch


def _seconds_since(ns: int) -> float:
    """How long ago `ns` was, wall clock; 0 when it is 0."""
    return max(time.time_ns() - ns, 0) / NS_PER_SECOND if ns else 0.0


class _Batches(Generic[T_co]):
    def __init__(self, feed: Feed[T_co]) -> None:
        self._feed = feed

    def __aiter__(self) -> _Batches[T_co]:
        return self

    async def __anext__(self) -> list[T_co]:
        try:
            return await self._feed._take_batch()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None
