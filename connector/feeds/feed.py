"""A feed: what one subscriber iterates."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar, cast

import attrs
import trio

from connector.channels import AnyChannel
from connector.exchanges.protocol import AnyStream
from connector.feeds.buffer import Buffer, Overflow
from connector.feeds.delivery_delay import NS_PER_SECOND, Delays
from connector.feeds.late_decoding import Unreadable

T_co = TypeVar("T_co", covariant=True)


@attrs.frozen
class FeedStatistics:
    """What a feed holds and has lost."""

    channels: tuple[AnyChannel, ...]
    overflow: Overflow
    capacity: int
    buffered: int
    dropped: int
    """Events lost to the overflow policy."""
    gaps: int
    """Losses of any kind, each of which is one `Gap` in a feed that asked for gaps."""
    tasks_waiting: int
    waiting_seconds: float = 0.0
    """How long ago the oldest event that is buffered was read; 0 without one."""
    replaced: int = 0
    """Events that `Overflow.CONFLATE` replaced by a newer one of the same stream and symbol."""


class FeedOwner(Protocol):
    """What can change the channels of a feed: the adapter."""

    async def add_channels(self, feed: Feed[object], channels: tuple[AnyChannel, ...]) -> None: ...

    def remove_channels(self, feed: Feed[object], channels: tuple[AnyChannel, ...]) -> None: ...

    def remove_feed(self, feed: Feed[object]) -> None: ...

    def streams(self, feed: Feed[object]) -> tuple[AnyStream, ...]: ...


class Feed(Generic[T_co]):
    """A bounded buffer of events, read by one consumer. Made by `Adapter.subscribe`.

    ``async for`` yields events for as long as the subscription lasts. It touches the scheduler
    only when the buffer is empty: an iteration over buffered events executes no checkpoint, each
    refill executes one, so the longest time a consumer that never awaits can keep the loop is the
    time to consume one buffer.
    """

    def __init__(
        self, owner: FeedOwner, buffer: Buffer[T_co], delays: Delays | None = None
    ) -> None:
        # `buffer` is for the adapter and its links; a program reads through the methods below.
        self._owner = owner
        self._delays = delays
        self.buffer = buffer
        self._items = buffer.items
        self._waits_plainly = type(buffer).wait is Buffer.wait
        plain = type(buffer).take is Buffer.take
        self._take = cast("Callable[[], T_co]", self._items.popleft if plain else buffer.take)

    @property
    def channels(self) -> tuple[AnyChannel, ...]:
        """What the feed is subscribed to at this moment."""
        return self.buffer.channels

    def streams(self) -> tuple[AnyStream, ...]:
        """What the exchange calls the channels, and how their events follow each other."""
        return self._owner.streams(cast("Feed[object]", self))

    def shares_connections(self, other: Feed[Any]) -> bool:
        """Whether both are subscriptions of one adapter, so that what one loses the other does."""
        return self._owner is other._owner

    def __repr__(self) -> str:
        return f"<Feed of {len(self.channels)} channels, {len(self._items)} events buffered>"

    def __aiter__(self) -> Feed[T_co]:
        return self

    async def __anext__(self) -> T_co:
        if not self._items:
            # As `_refill`, without a coroutine of its own between the wake-up and the consumer.
            buffer = self.buffer
            while not self._items:
                if buffer.is_over():
                    self._stop_or_raise()
                if self._waits_plainly:
                    await trio.lowlevel.wait_task_rescheduled(buffer.begin_waiting())
                else:
                    await buffer.wait()
            if self._delays is not None and (since_ns := buffer.oldest_ns()):
                self._delays.observe(time.time_ns() - since_ns)
        try:
            event = self._take()
        except Unreadable:
            return await self._next_readable()
        if self.buffer.blocking:
            self.buffer.unblock_if_drained()
        return event

    async def receive(self) -> T_co:
        """The next event; always executes a checkpoint.

        Raises:
            trio.BusyResourceError: another task is waiting on this feed.
            trio.ClosedResourceError: the subscription has ended.
            trio.EndOfChannel: the feed has ended: the recording is over; of a lifecycle
                feed, the adapter has been left.
            SlowConsumer: with `Overflow.FAIL`, when the buffer overflowed.
            SubscriptionRejected: the exchange refused a channel after a reconnect; raised once.

        Cancellation: nothing is lost, the event stays in the buffer.
        """
        if self._items:
            await trio.lowlevel.checkpoint()
        try:
            return await self.__anext__()
        except StopAsyncIteration:
            raise trio.EndOfChannel from None

    def receive_nowait(self) -> T_co:
        """The next event if there is one.

        Raises:
            trio.WouldBlock: the buffer is empty.
            trio.ClosedResourceError: the subscription has ended.
            trio.EndOfChannel: the adapter's source has no more.
        """
        while self._items:
            with suppress(Unreadable):
                event = self._take()
                self._unblock()
                return event
        self._raise_if_over()
        raise trio.WouldBlock

    def batches(self) -> AsyncIterator[list[T_co]]:
        """Iterate over lists: each time all that is buffered, at least one event."""
        return _Batches(self)

    async def add(self, *channels: AnyChannel) -> None:
        """Subscribe to more channels; returns when the exchange has acknowledged them.

        The acknowledgement comes behind the data. While somebody waits for it, the feeds of the
        same link may hold more than their capacity (`connector.feeds.backpressure`).

        Raises:
            ConfigError: the exchange does not offer one of them; nothing is changed.
            SubscriptionRejected: the exchange refused one; the others stay.
            SlowConsumer: the acknowledgement is behind more unread data than can be held.
            trio.ClosedResourceError: the subscription has ended, or one of them was discarded
                meanwhile.

        Cancellation: what was to be added is not subscribed.
        """
        await self._owner.add_channels(cast("Feed[object]", self), channels)

    async def discard(self, *channels: AnyChannel) -> None:
        """End the subscription of `channels`; what is buffered stays. Executes a checkpoint.

        A channel that the feed does not have is ignored.

        Raises:
            ConfigError: one of them is no channel of the exchange; nothing is changed.
            trio.ClosedResourceError: the subscription has ended.
        """
        self._owner.remove_channels(cast("Feed[object]", self), channels)
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """End the subscription; a waiting consumer gets `trio.ClosedResourceError`."""
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
        """A snapshot of what the feed holds and has lost."""
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
        if self._delays is not None and (since_ns := self.buffer.oldest_ns()):
            self._delays.observe(time.time_ns() - since_ns)

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
            raise trio.ClosedResourceError("this feed's subscription has ended")
        if self.buffer.over:
            raise trio.EndOfChannel("there is no more: what this feed reads has ended")
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
