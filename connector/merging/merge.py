"""`merge`: combine two or more copies of a feed, so that a disconnect of one loses nothing.

Each side is an ordinary feed of its own adapter, with its own connection. No task runs here: the
consumer's task waits for all sides at once and merges their events when it reads
(`connector.merging.arbitration`). There is nothing to start or to close.
"""

from __future__ import annotations

import operator
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import accumulate, repeat
from typing import Any, Generic, TypeVar, cast

import attrs
import trio

from connector.channels import AggregateTrades, AnyChannel, BookDeltas, Trades
from connector.errors import ConfigError
from connector.events import Event
from connector.feeds.buffer import Overflow
from connector.feeds.feed import Feed
from connector.feeds.wakeup import wait_for_any
from connector.inputs.validation import check_count, check_seconds
from connector.merging.arbitration import Arbiter, SideStatistics

T = TypeVar("T")


@attrs.frozen
class MergeStatistics:
    """The contents of a merged feed, and the counts of its sides."""

    sides: tuple[SideStatistics, ...]
    """One entry per merged feed, in the order of the arguments of `merge`."""
    events: int
    """The number of merged events, delivered or ready."""
    gaps: int
    """The number of losses that affected all sides. Each is a `Gap` if a side has ``gaps=True``."""
    ready: int
    """The number of merged events that wait for the consumer, without those in the sides'
    buffers."""
    held: int
    """The number of events that wait for a missing event before them."""


class MergedFeed(Generic[T]):
    """Several feeds of the same channels as one feed, for one consumer. `merge` creates it."""

    def __init__(self, feeds: tuple[Feed[T], ...], arbiter: Arbiter) -> None:
        self._feeds = feeds
        self._arbiter = arbiter
        self._ready = arbiter.ready
        self._channels = tuple(feed.channels for feed in feeds)
        self._open = dict(enumerate(feeds))

    @property
    def channels(self) -> tuple[AnyChannel, ...]:
        """The current channels of all sides."""
        return tuple(dict.fromkeys(each for feed in self._feeds for each in feed.channels))

    def __repr__(self) -> str:
        return f"<MergedFeed of {len(self._feeds)} sides, {len(self.channels)} channels>"

    def __aiter__(self) -> MergedFeed[T]:
        return self

    async def __anext__(self) -> T:
        if not self._ready:
            try:
                await self._refill()
            except trio.EndOfChannel:
                raise StopAsyncIteration from None
        return cast("T", self._ready.popleft())

    async def receive(self) -> T:
        """Wait for the next event. Always executes a checkpoint.

        Raises:
            trio.BusyResourceError: another task is waiting on this feed, or on one of its sides.
            trio.ClosedResourceError: the subscriptions of all sides have ended.
            trio.EndOfChannel: the sources of all sides have ended, for example recordings.
            SlowConsumer, SubscriptionRejected: an error of one side. Raised once; the other sides
                continue.

        Cancellation: no event is lost.
        """
        await trio.lowlevel.checkpoint()
        if not self._ready:
            await self._refill()
        return cast("T", self._ready.popleft())

    def receive_nowait(self) -> T:
        """Return the next event without waiting.

        Raises:
            trio.WouldBlock: there is none.
            trio.ClosedResourceError, trio.EndOfChannel: as with `receive`.
        """
        if not self._ready:
            self._read()
        if not self._ready:
            self._raise_if_over()
            raise trio.WouldBlock
        return cast("T", self._ready.popleft())

    def batches(self) -> AsyncIterator[list[T]]:
        """Iterate over lists of events. Each list has all merged events, and at least one."""
        return _Batches(self)

    def statistics(self) -> MergeStatistics:
        """The current counts of each side: which was first, which lost events, which lags."""
        return MergeStatistics(
            sides=self._arbiter.statistics(),
            events=self._arbiter.delivered,
            gaps=self._arbiter.gaps,
            ready=len(self._ready),
            held=self._arbiter.held(),
        )

    async def _refill(self) -> None:
        """Wait until an event can be delivered. Executes no checkpoint if one already can."""
        while True:  # noqa: ASYNC913  # what the buffers hold is bounded, and then it waits
            self._read()
            if self._ready:
                return
            self._raise_if_over()
            with trio.CancelScope(deadline=self._arbiter.deadline()):
                await wait_for_any(tuple(feed.buffer for feed in self._open.values()))

    def _read(self) -> None:
        """Put all events of the sides in order."""
        channels = tuple(feed.channels for feed in self._feeds)
        if any(map(operator.is_not, channels, self._channels)):
            self._arbiter.carry([feed.streams() for feed in self._feeds])
            self._channels = channels
        now = trio.current_time()
        batches: dict[int, list[Any]] = {}
        for side, feed in self._open.items():
            if feed.buffer.items:
                batches[side] = feed.buffer.take_all()
                feed.buffer.unblock_if_drained()
        for side, item in _by_arrival(batches):
            self._arbiter.take(side, item, now)
        for side, feed in tuple(self._open.items()):
            if feed.buffer.closed or feed.buffer.over:
                del self._open[side]
                self._arbiter.end(side, now)
        self._arbiter.expire(now)

    def _raise_if_over(self) -> None:
        for feed in self._open.values():
            error = feed.buffer.next_error()
            if error is not None:
                raise error
        if not self._open:
            if any(feed.buffer.closed for feed in self._feeds):
                raise trio.ClosedResourceError("the subscriptions of all sides have ended")
            raise trio.EndOfChannel("the merged feed has ended: the sources of all sides have")

    async def _take_batch(self) -> list[T]:
        await trio.lowlevel.checkpoint()
        if not self._ready:
            await self._refill()
        batch = cast("list[T]", list(self._ready))
        self._ready.clear()
        return batch


class _Batches(Generic[T]):
    def __init__(self, feed: MergedFeed[T]) -> None:
        self._feed = feed

    def __aiter__(self) -> _Batches[T]:
        return self

    async def __anext__(self) -> list[T]:
        try:
            return await self._feed._take_batch()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None


def merge(*feeds: Feed[T], patience: float = 1.0, window: int = 1024) -> MergedFeed[T]:
    """Merge several feeds of the same channels into one: each event once, and in order.

    The first copy of an event is delivered. If one side loses an event, the copy of another side is
    delivered. You receive a `Gap` only if all sides lost data.

    Args:
        feeds: two or more feeds, each of its own adapter. Read them only through the merged feed.
            If one was opened with ``gaps=True``, the merged feed yields gaps.
        patience: seconds that an event waits for a missing event before it, which another side may
            still deliver. 0 does not wait.
        window: the number of events per stream and symbol that may wait in this way. If a side is
            further behind, its missing events count as lost.

    The merged feed owns nothing: leave the blocks of the feeds as usual. It holds the contents of
    their buffers and at most `window` events per stream and symbol. With `Overflow.BLOCK`, a slow
    consumer stops the connections of all sides.

    Raises:
        ConfigError: the events of a channel have no ids (local order books, liquidations, raw
            streams), two channels cannot be distinguished, two feeds belong to one adapter, or an
            argument is wrong.
    """
    for each in feeds:
        if not isinstance(each, Feed):
            raise ConfigError(
                f"merge() takes feeds, one by one, not a {type(each).__name__}: write merge(first, "
                "second), or a star before a list: merge(*feeds)"
            )
    if len(feeds) < 2:
        raise ConfigError(
            f"merge() needs at least two feeds, not {len(feeds)}; open an adapter for each and "
            "subscribe to the same channels"
        )
    for number, feed in enumerate(feeds):
        if not feed.streams():
            raise ConfigError(f"{feed!r} has no channels; merge feeds made by Adapter.subscribe")
        if any(feed.shares_connections(other) for other in feeds[:number]):
            raise ConfigError(
                "merge() was given two feeds of one adapter: a disconnect affects both; open an "
                "adapter for each"
            )
        conflated = [each for each in feed.channels if isinstance(each, _COMPLETE_ONLY_TOGETHER)]
        if conflated and feed.buffer.overflow is Overflow.CONFLATE:
            raise ConfigError(
                f"a feed of {conflated[0]!r} with Overflow.CONFLATE leaves out events that merge() "
                "needs; write overflow=Overflow.BLOCK, DROP_OLDEST or FAIL"
            )
    arbiter = Arbiter(
        [feed.streams() for feed in feeds],
        patience=check_seconds("patience", patience, zero=True),
        window=check_count("window", window),
        gaps=any(feed.buffer.gaps_wanted for feed in feeds),
    )
    for feed in feeds:
        # Markers show that a side is interrupted, even if the merged feed yields no gaps.
        feed.buffer.gaps_wanted = True
    return MergedFeed(feeds, arbiter)


_COMPLETE_ONLY_TOGETHER = (Trades, AggregateTrades, BookDeltas)
"""Channels whose events mean nothing without the earlier ones."""


def _by_arrival(batches: Mapping[int, list[Any]]) -> Iterator[tuple[int, Event]]:
    """The events of the sides, in the order of their arrival."""
    if len(batches) == 1:
        ((side, items),) = batches.items()
        return zip(repeat(side), items)
    runs = [run for side, items in batches.items() for run in _with_times(side, items)]
    runs.sort(key=operator.itemgetter(0))  # fast, as it consists of runs that are in order
    return ((side, item) for _, side, item in runs)


def _with_times(side: int, items: list[Any]) -> Iterator[tuple[int, int, Event]]:
    # A marker has not always a time, and the clock may be set back: a side keeps its order.
    times = accumulate((item.received_ns for item in items), max)
    return zip(times, repeat(side), items)
