"""A merged feed waits for all sides at once, in the consumer's own task, and owns nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

import attrs
import pytest
import trio
from trio.testing import (
    MockClock,
    assert_checkpoints,
    assert_no_checkpoints,
    wait_all_tasks_blocked,
)

from connector import merge
from connector.channels import AnyChannel, BestQuote, BookDeltas, OrderBook, Trades
from connector.errors import ConfigError, SlowConsumer, SubscriptionRejected
from connector.events import Event, Gap
from connector.exchanges import binance
from connector.exchanges.protocol import AnyStream
from connector.feeds.buffer import Buffer, Overflow
from connector.feeds.feed import Feed
from connector.feeds.lossy_buffers import make_buffer
from connector.merging.merge import MergedFeed

USDM = binance.UsdMFutures()
TRADES = Trades("X")
QUOTES = BestQuote("X")


@attrs.define(eq=False)
class Side:
    """A feed whose adapter is the test."""

    channels: tuple[AnyChannel, ...] = (TRADES,)
    buffer: Buffer[Any] = attrs.field(factory=lambda: make_buffer(8, Overflow.BLOCK, gaps=True))

    def __attrs_post_init__(self) -> None:
        self.buffer.channels = self.channels

    def feed(self) -> Feed[Any]:
        return Feed(self, self.buffer)

    def bring(self, *numbers: int, received_ns: int = 0) -> None:
        for number in numbers:
            self.buffer.put_run([trade(number, received_ns)], "x@trade")

    def carry(self, *channels: AnyChannel) -> None:
        self.channels = self.buffer.channels = channels

    # What a feed asks of its adapter.

    def streams(self, feed: Feed[object]) -> tuple[AnyStream, ...]:
        return tuple(USDM.stream(channel) for channel in self.channels)

    async def add_channels(self, feed: Feed[object], channels: tuple[AnyChannel, ...]) -> None:
        raise NotImplementedError

    def remove_channels(self, feed: Feed[object], channels: tuple[AnyChannel, ...]) -> None:
        raise NotImplementedError

    def remove_feed(self, feed: Feed[object]) -> None: ...


def trade(number: int, received_ns: int = 0) -> Event:
    payload = {"e": "trade", "s": "X", "t": number, "p": "1", "q": "1", "T": number, "m": True}
    event = USDM.stream(TRADES).decode(json.dumps(payload).encode())
    assert isinstance(event, Event)
    event.received_ns = received_ns
    return event


def quote(number: int) -> Event:
    payload = {"s": "X", "u": number, "b": "1", "B": "1", "a": "2", "A": "1", "T": 1, "E": 1}
    event = USDM.stream(QUOTES).decode(json.dumps(payload).encode())
    assert isinstance(event, Event)
    return event


def open_pair(capacity: int = 8, **options: Any) -> tuple[Side, Side, MergedFeed[Any]]:
    one, other = (
        Side(buffer=make_buffer(capacity, Overflow.BLOCK, gaps=options.pop("gaps", True)))
        for _ in range(2)
    )
    return one, other, merge(one.feed(), other.feed(), **options)


def shown(item: Any) -> Any:
    return "gap" if isinstance(item, Gap) else item.trade_id


async def receive(merged: MergedFeed[Any]) -> Any:
    return shown(await merged.receive())


async def next_one(merged: MergedFeed[Any]) -> Any:
    return shown(await merged.__anext__())


async def next_of_batch(merged: MergedFeed[Any]) -> Any:
    (item,) = await merged.batches().__anext__()
    return shown(item)


Read = Callable[[MergedFeed[Any]], Coroutine[Any, Any, object]]
reads = pytest.mark.parametrize("read", [receive, next_one, next_of_batch])


# --- what comes out


@reads
@pytest.mark.parametrize("first", [0, 1])
async def test_an_event_of_either_side_wakes_the_consumer(read: Read, first: int) -> None:
    one, other, merged = open_pair()
    sides = (one, other)
    seen = []

    async def consume() -> None:
        seen.extend([await read(merged) for _ in range(3)])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        for number, side in enumerate((first, 1 - first, first), 1):
            await wait_all_tasks_blocked()
            sides[side].bring(number)

    assert seen == [1, 2, 3]


async def test_both_sides_may_bring_something_before_the_consumer_runs() -> None:
    one, other, merged = open_pair()
    seen: list[Any] = []

    async def consume() -> None:
        seen.extend([await receive(merged) for _ in range(3)])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        await wait_all_tasks_blocked()
        one.bring(1, 2)
        other.bring(2, 3)

    assert seen == [1, 2, 3]


async def test_events_in_several_buffers_are_taken_in_the_order_of_arrival() -> None:
    one, other, merged = open_pair()
    one.bring(1, received_ns=5)
    one.bring(4, received_ns=30)
    other.bring(2, received_ns=10)
    other.bring(3, received_ns=20)

    assert [await receive(merged) for _ in range(4)] == [1, 2, 3, 4]
    assert [side.lost for side in merged.statistics().sides] == [2, 0]


async def test_batches_are_all_that_can_be_delivered() -> None:
    one, other, merged = open_pair()
    one.bring(1, 2, 5)
    other.bring(2, 3)

    async for batch in merged.batches():
        assert [event.trade_id for event in batch] == [1, 2, 3]
        break
    assert merged.statistics().held == 1


def test_receive_nowait_takes_what_there_is() -> None:
    async def main() -> None:
        one, other, merged = open_pair()
        with pytest.raises(trio.WouldBlock):
            merged.receive_nowait()
        one.bring(1)
        other.bring(1, 2)
        assert [merged.receive_nowait().trade_id for _ in range(2)] == [1, 2]
        with pytest.raises(trio.WouldBlock):
            merged.receive_nowait()
        for side in (one, other):
            side.buffer.close()
        with pytest.raises(trio.ClosedResourceError):
            merged.receive_nowait()

    trio.run(main)


async def test_the_consumer_gives_way_once_per_refill() -> None:
    one, _, merged = open_pair()
    one.bring(1, 2, 3)

    with assert_checkpoints():
        await merged.receive()
    with assert_no_checkpoints():
        await merged.__anext__()
    with assert_checkpoints():
        await merged.batches().__anext__()


# --- gaps


async def test_a_hole_waits_for_the_other_side_but_not_for_ever(autojump_clock: MockClock) -> None:
    one, other, merged = open_pair(patience=3.0)
    one.bring(1, 4)
    assert await receive(merged) == 1
    began = trio.current_time()

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def bring_late() -> None:
            await trio.sleep(1)
            other.bring(2)
            await trio.sleep(1)
            other.buffer.lose(Gap(symbol="X", channels=(TRADES,), reason="disconnected"))

        assert await receive(merged) == 2
        assert trio.current_time() == began + 1
        gap = await merged.receive()
        assert isinstance(gap, Gap)
        assert gap.dropped == 1
        assert trio.current_time() == began + 3
        assert await receive(merged) == 4


async def test_a_slow_consumer_does_not_use_up_the_patience(autojump_clock: MockClock) -> None:
    one, other, merged = open_pair(patience=1.0)
    one.bring(1, 3)
    assert await receive(merged) == 1

    await trio.sleep(10)
    other.bring(1, 2)

    assert [await receive(merged) for _ in range(2)] == [2, 3]


@pytest.mark.parametrize("gaps", [True, False])
async def test_gaps_are_delivered_if_the_feeds_want_them(gaps: bool) -> None:
    one, other = (Side(buffer=make_buffer(8, Overflow.BLOCK, gaps=gaps)) for _ in range(2))
    merged = merge(one.feed(), other.feed())
    for side in (one, other):
        side.bring(1)
        side.buffer.lose(Gap(symbol="X", channels=(TRADES,), reason="disconnected"))
        side.bring(3)

    seen = [await receive(merged) for _ in range(3 if gaps else 2)]

    assert seen == ([1, "gap", 3] if gaps else [1, 3])
    assert merged.statistics().gaps == 1
    assert [side.gaps for side in merged.statistics().sides] == [1, 1]


async def test_an_interruption_of_both_is_seen_at_once_where_ids_do_not_tell() -> None:
    one, other = Side((QUOTES,)), Side((QUOTES,))
    merged = merge(one.feed(), other.feed())
    one.buffer.put_run([quote(5)], "x@bookTicker")
    await merged.receive()

    for side in (one, other):
        side.buffer.lose(Gap(symbol="X", channels=(QUOTES,), reason="disconnected"))

    assert isinstance(await merged.receive(), Gap)


# --- one consumer, and the ways out


async def test_a_second_consumer_is_refused_of_the_merged_feed_and_of_its_sides() -> None:
    one, other = Side(), Side()
    feeds = one.feed(), other.feed()
    merged = merge(*feeds)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(merged.receive)
        await wait_all_tasks_blocked()
        for reader in (merged, *feeds):
            with pytest.raises(trio.BusyResourceError):
                await reader.receive()
        assert [feed.statistics().tasks_waiting for feed in feeds] == [1, 1]
        other.bring(1)

    assert [feed.statistics().tasks_waiting for feed in feeds] == [0, 0]


@reads
async def test_cancellation_loses_nothing(read: Read, autojump_clock: MockClock) -> None:
    one, other, merged = open_pair()
    with trio.move_on_after(1) as scope:
        await read(merged)
    assert scope.cancelled_caught
    one.bring(1)

    with trio.CancelScope() as scope:
        scope.cancel()
        await merged.receive()
    assert scope.cancelled_caught

    assert await read(merged) == 1
    other.bring(2)
    assert await read(merged) == 2


@reads
async def test_a_merged_feed_goes_on_when_one_side_ends(read: Read) -> None:
    one, other, merged = open_pair()
    one.bring(1)
    assert await read(merged) == 1

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def end_one() -> None:
            await wait_all_tasks_blocked()
            one.buffer.close()
            await wait_all_tasks_blocked()
            other.bring(2)

        assert await read(merged) == 2
    assert [side.ended for side in merged.statistics().sides] == [True, False]
    other.buffer.close()
    with pytest.raises(trio.ClosedResourceError):
        await read(merged)


async def test_a_side_that_ends_after_what_it_holds_is_read_to_its_end() -> None:
    one, other, merged = open_pair()
    other.bring(1)
    one.bring(1)
    one.buffer.finish()
    other.buffer.finish()

    assert await receive(merged) == 1
    with pytest.raises(trio.ClosedResourceError):
        await merged.receive()


async def test_sources_that_have_no_more_end_the_iteration() -> None:
    one, other, merged = open_pair()
    one.bring(1, 2)
    one.buffer.end()
    other.bring(1, 3)
    other.buffer.end()

    assert [shown(item) async for item in merged] == [1, 2, 3]
    assert [batch async for batch in merged.batches()] == []
    with pytest.raises(trio.EndOfChannel):
        await merged.receive()
    with pytest.raises(trio.EndOfChannel):
        merged.receive_nowait()


async def test_events_that_one_side_held_back_are_delivered_when_the_other_ends() -> None:
    one, other, merged = open_pair()
    one.bring(1, 3)
    assert await receive(merged) == 1
    other.buffer.close()

    assert [await receive(merged) for _ in range(2)] == ["gap", 3]


@pytest.mark.parametrize(
    "error", [SlowConsumer("8 events are waiting"), SubscriptionRejected(TRADES, 2, "no")]
)
async def test_an_error_of_one_side_is_raised_once_and_the_other_goes_on(error: Any) -> None:
    one, other, merged = open_pair()
    one.bring(1)
    other.buffer.fail(error)

    assert await receive(merged) == 1
    with pytest.raises(type(error)):
        await merged.receive()
    one.bring(2)
    assert await receive(merged) == 2


# --- memory


async def test_a_slow_consumer_holds_back_both_sides_and_lets_them_go_on() -> None:
    one, other, merged = open_pair(capacity=4)
    full: set[Buffer[Any]] = set()
    for side in (one, other):
        side.buffer.join(full)
        side.bring(1, 2, 3, 4)
    assert full == {one.buffer, other.buffer}

    assert await receive(merged) == 1

    assert full == set()
    assert merged.statistics().ready == 3


# --- channels come and go


async def test_channels_may_be_added_and_discarded() -> None:
    one, other, merged = open_pair()
    one.bring(1)
    assert await receive(merged) == 1
    for side in (one, other):
        side.carry(TRADES, QUOTES)
    other.buffer.put_run([quote(9)], "x@bookTicker")

    assert merged.channels == (TRADES, QUOTES)
    assert (await merged.receive()).update_id == 9

    for side in (one, other):
        side.carry(QUOTES)
    one.bring(2)
    with pytest.raises(trio.WouldBlock):
        merged.receive_nowait()


# --- what cannot work


def test_feeds_that_cannot_be_merged_are_refused_with_the_reason() -> None:
    side = Side()
    with pytest.raises(ConfigError, match="at least two feeds"):
        merge(side.feed())
    with pytest.raises(ConfigError, match="of one adapter"):
        merge(side.feed(), side.feed())
    with pytest.raises(ConfigError, match="no channels"):
        merge(side.feed(), Side(()).feed())
    with pytest.raises(ConfigError, match="cannot be merged"):
        merge(Side((OrderBook("X"),)).feed(), side.feed())
    for option in ({"patience": -1}, {"patience": float("inf")}, {"window": 0}):
        with pytest.raises(ConfigError, match=next(iter(option))):
            merge(side.feed(), Side().feed(), **option)


@pytest.mark.parametrize("channel", [TRADES, BookDeltas("X")])
def test_channels_whose_events_depend_on_earlier_ones_cannot_be_conflated(
    channel: AnyChannel,
) -> None:
    conflated = Side((channel,), make_buffer(8, Overflow.CONFLATE, gaps=True))

    with pytest.raises(ConfigError, match="leaves out events"):
        merge(Side((channel,)).feed(), conflated.feed())


async def test_independent_events_may_be_conflated() -> None:
    sides = [Side((QUOTES,), make_buffer(8, Overflow.CONFLATE, gaps=False)) for _ in range(2)]
    merged = merge(*(side.feed() for side in sides))
    for number in range(5):
        for side in sides:
            side.buffer.put_run([quote(number + 1)], "x@bookTicker")

    assert (await merged.receive()).update_id == 5
    with pytest.raises(trio.WouldBlock):
        merged.receive_nowait()
