"""Rows 23–25, 30 and 37 of the fault table: wrong data, slow consumers, consumers that raise."""

from __future__ import annotations

import inspect
import itertools
import json
import math
import random
import time
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from connector import Feed, Overflow, Reconnect
from connector.channels import BookDeltas, OrderBook, PartialBook, RawStream, Tickers, Trades
from connector.errors import DecodeError, SlowConsumer
from connector.events import BookSnapshot, Gap, Ticker
from connector.lifecycle import Connected
from connector.testing import Fault, MemoryNetwork, Silent
from tests.faults.world import (
    BOOK,
    BOOK_STREAM,
    QUICK,
    TRADES,
    Pulse,
    World,
    book,
    open_world,
    take,
    take_until_gap,
    trade,
)

OTHER = PartialBook("BTCUSDT")
OTHER_STREAM = "btcusdt@depth5@100ms"
TRADE_STREAM = "ethusdc@trade"

AT_ONCE = Reconnect(initial=0.01, cap=0.02)


def publish_books(world: World, first: int, last: int, stream: str = BOOK_STREAM) -> None:
    symbol = stream.partition("@")[0]
    for update_id in range(first, last + 1):
        world.exchange.publish(stream, book(symbol, update_id))


async def trickle(world: World, count: int, every: float, stream: str = BOOK_STREAM) -> None:
    for update_id in range(1, count + 1):
        publish_books(world, update_id, update_id, stream)
        await trio.sleep(every)


def drain(feed: Feed[Any]) -> list[Any]:
    """All that is buffered."""
    events = []
    while True:
        try:
            events.append(feed.receive_nowait())
        except trio.WouldBlock:
            return events


def ids(events: list[Any]) -> list[int]:
    return [event.update_id for event in events if not isinstance(event, Gap)]


def lost(events: list[Any]) -> int:
    return sum(event.dropped for event in events if isinstance(event, Gap))


# Every loss is an event of its feed.


def publish_trades(world: World, *ids: int, symbol: str = "ethusdc") -> None:
    for trade_id in ids:
        world.exchange.publish(f"{symbol}@trade", trade(symbol, trade_id))


async def let_one_fall_silent(world: World) -> None:
    for trade_id in range(1, 20):
        publish_trades(world, trade_id, symbol="btcusdt")
        await trio.sleep(0.25)


LOSSES: list[Any] = [
    ("disconnected", Overflow.BLOCK, lambda world: world.exchange.break_connections("reset")),
    ("decode error", Overflow.BLOCK, lambda world: world.exchange.publish(TRADE_STREAM, b"{}")),
    ("sequence", Overflow.BLOCK, lambda world: publish_trades(world, 1, 5)),
    ("resubscribed", Overflow.BLOCK, let_one_fall_silent),
    ("overflow", Overflow.DROP_OLDEST, lambda world: publish_trades(world, *range(1, 40))),
    ("conflated", Overflow.CONFLATE, lambda world: publish_trades(world, 1, 2)),
]


@pytest.mark.parametrize(("reason", "overflow", "lose"), LOSSES)
async def test_a_gap_says_when_and_on_which_connection_as_every_event_does(
    autojump_clock: MockClock, reason: str, overflow: Overflow, lose: Any
) -> None:
    channels = (TRADES, Trades("BTCUSDT"))
    async with (
        open_world(source=Silent(), reconnect=QUICK, stale_after=3.0) as world,
        world.adapter.subscribe(*channels, gaps="all", buffer=30, overflow=overflow) as feed,
    ):
        world.adapter.reconnect()
        await world.adapter.wait_connected()
        drain(feed)
        before = time.time_ns()
        losing = lose(world)
        if inspect.isawaitable(losing):
            await losing
        await trio.sleep(0.1)
        (gap,) = [each for each in drain(feed) if isinstance(each, Gap)]

    assert (gap.reason, gap.session) == (reason, 2)
    assert before <= gap.received_ns <= time.time_ns()


# Row 23: a frame that does not decode.


@pytest.mark.parametrize("asks", [True, False], ids=["gaps", "no gaps"])
async def test_a_truncated_frame_is_one_error_one_gap_and_no_more(
    autojump_clock: MockClock, asks: bool
) -> None:
    async with (
        open_world() as world,
        world.adapter.subscribe(BOOK, gaps=asks) as feed,
        world.adapter.subscribe(OTHER, gaps=True) as unconcerned,
    ):
        await take(feed, 3)
        world.happened()
        long = book("ethusdc", 1) | {"b": [["3000.10", "1.5"]] * 50}
        world.exchange.break_connections(Fault("truncated_json", stream=BOOK_STREAM))
        world.exchange.publish(BOOK_STREAM, long)
        after = await take(feed, 5 + asks)

        (error,) = [each for each in world.happened() if isinstance(each, DecodeError)]
        assert error.stream == BOOK_STREAM
        whole = json.dumps({"stream": BOOK_STREAM, "data": long}, separators=(",", ":")).encode()
        assert error.raw == whole[:200]
        gaps = [event for event in after if isinstance(event, Gap)]
        assert [(gap.reason, gap.channels) for gap in gaps] == [("decode error", (BOOK,))] * asks
        statistics = world.adapter.statistics()
        assert statistics.decode_errors == 1
        assert statistics.streams[BOOK_STREAM].decode_errors == 1
        assert statistics.streams[BOOK_STREAM].gaps == feed.statistics().gaps == 1
        assert statistics.unknown_messages == 0
        assert {event.session for event in after if event not in gaps} == {1}
        assert ids(after) == list(range(ids(after)[0], ids(after)[0] + 5))
        assert not any(isinstance(event, Gap) for event in drain(unconcerned))


UNDECODABLE = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"{", id="a brace"),
    pytest.param(b"null", id="null"),
    pytest.param(b"[]", id="a list"),
    pytest.param(b'{"e":"depthUpdate"}', id="hardly a field"),
    pytest.param(b'{"e":"trade"}', id="another event"),
    pytest.param(b'{"e":"depthUpdate","b":[["x","1"]]}', id="a price of letters"),
    pytest.param(b"[" * 5000, id="deeper than any stack"),
]


@pytest.mark.parametrize("payload", UNDECODABLE)
async def test_no_payload_ends_the_stream(autojump_clock: MockClock, payload: bytes) -> None:
    async with open_world() as world, world.adapter.subscribe(BOOK, gaps=True) as feed:
        await take(feed, 3)
        world.exchange.publish(BOOK_STREAM, payload)
        with trio.fail_after(1):
            _, gap = await take_until_gap(feed)
        assert gap.reason == "decode error"
        assert gap.channels == (BOOK,)
        assert {event.session for event in await take(feed, 3)} == {1}
        assert world.adapter.statistics().decode_errors == 1


async def test_a_thousand_wrong_frames_are_one_gap_in_a_buffer_that_nobody_reads(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(source=Silent()) as world,
        world.adapter.subscribe(BOOK, gaps=True, buffer=10) as feed,
    ):
        for _ in range(1000):
            world.exchange.publish(BOOK_STREAM, b"{}")
        await trio.sleep(1)
        assert world.adapter.statistics().decode_errors == 1000
        assert feed.statistics().buffered == 1
        assert len(world.happened()) <= 1024


# Row 24: what this library does not know.


async def test_an_unknown_message_is_counted_and_the_stream_goes_on(
    autojump_clock: MockClock,
) -> None:
    async with open_world() as world, world.adapter.subscribe(BOOK, gaps=True) as feed:
        await take(feed, 3)
        world.exchange.break_connections(Fault("unknown_event", stream="no such stream"))
        world.exchange.break_connections(Fault("unknown_event", stream="no such stream"))
        events = await take(feed, 10)
        assert all(isinstance(event, BookSnapshot) for event in events)
        statistics = world.adapter.statistics()
        assert (statistics.unknown_messages, statistics.decode_errors) == (2, 0)


async def test_an_unknown_event_on_a_known_stream_is_a_gap(autojump_clock: MockClock) -> None:
    async with open_world() as world, world.adapter.subscribe(BOOK, gaps=True) as feed:
        await take(feed, 3)
        world.exchange.break_connections(Fault("unknown_event", stream=BOOK_STREAM))
        _, gap = await take_until_gap(feed)
        assert gap.reason == "decode error"
        assert {event.session for event in await take(feed, 3)} == {1}


async def test_unknown_fields_are_ignored(autojump_clock: MockClock) -> None:
    async with open_world(source=Silent()) as world, world.adapter.subscribe(BOOK) as feed:
        world.exchange.publish(BOOK_STREAM, {"new": {"a": [1]}, **book("ethusdc", 7), "st": 1})
        assert (await feed.receive()).update_id == 7
        assert world.adapter.statistics().decode_errors == 0


# Row 25: the consumer raises.


@pytest.mark.parametrize("nested", [False, True], ids=["in the block", "in a nursery of its own"])
async def test_what_a_consumer_raises_comes_out_as_it_is(
    autojump_clock: MockClock, nested: bool
) -> None:
    error = ValueError("mine")
    network: MemoryNetwork | None = None

    async def consume(feed: Feed[Any]) -> None:
        async for event in feed:
            if event.update_id > 3:
                raise error

    with pytest.raises(ExceptionGroup if nested else ValueError) as caught:
        async with open_world() as world:
            network = world.network
            async with world.adapter.subscribe(BOOK) as feed:
                if nested:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(consume, feed)
                else:
                    await consume(feed)
    (raised,) = caught.value.exceptions if nested else (caught.value,)
    assert raised is error
    assert error.__context__ is None
    assert network is not None
    assert network.ledger.open_now() == 0


# Row 30: a consumer slower than the exchange, under each policy.


async def test_block_is_lossless_over_a_whole_run(autojump_clock: MockClock) -> None:
    count, capacity = 5000, 64
    waited = random.Random(1)
    unsent = buffered = 0
    received: list[int] = []
    async with (
        open_world(source=Silent()) as world,
        world.adapter.subscribe(BOOK, buffer=capacity, gaps=True) as feed,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(trickle, world, count, 0.0005)
        while len(received) < count:
            buffered = max(buffered, feed.statistics().buffered)
            received.append((await feed.receive()).update_id)
            (connection,) = world.exchange.connections
            unsent = max(unsent, connection.unsent_bytes)
            if waited.random() < 0.01:
                await trio.sleep(waited.choice((0.01, 0.1, 1.0)))
            if len(received) == count // 2:
                await trio.sleep(60)  # longer than any limit to silence

        assert received == list(range(1, count + 1))
        assert buffered == capacity
        assert unsent > 0  # the exchange itself was held back
        assert world.reasons() == {}
        assert world.adapter.statistics().drops == 0
        assert world.adapter.statistics().gaps == 0


@pytest.mark.parametrize("capacity", [1, 2, 7])
async def test_block_is_lossless_when_one_frame_is_more_than_the_buffer(
    autojump_clock: MockClock, capacity: int
) -> None:
    def tickers(now: int) -> list[object]:
        return [
            {
                "e": "24hrTicker", "E": now, "s": f"COIN{number}USDT", "p": "1", "P": "1",
                "c": "1", "o": "1", "h": "1", "l": "1", "v": "1", "q": "1",
            }
            for number in range(20)
        ]  # fmt: skip

    async with (
        open_world(source=Silent()) as world,
        world.adapter.subscribe(Tickers(), buffer=capacity) as feed,
    ):
        for now in (1, 2):
            world.exchange.publish("!ticker@arr", tickers(now))
            await trio.sleep(5)
            assert feed.statistics().buffered <= capacity
        with trio.fail_after(1):  # without another frame to push the rest
            events = await take(feed, 40)
        assert all(isinstance(event, Ticker) for event in events)
        assert [(each.exchange_time_ns // 10**6, each.symbol) for each in events] == [
            (now, f"COIN{number}USDT") for now in (1, 2) for number in range(20)
        ]


@pytest.mark.parametrize("overflow", [Overflow.BLOCK, Overflow.FAIL])
async def test_what_comes_while_a_feed_is_entered_is_no_fault_of_its_reader(
    autojump_clock: MockClock, overflow: Overflow
) -> None:
    coins = [PartialBook(f"COIN{number}USDT") for number in range(600)]
    async with (
        open_world(source=Pulse()) as world,
        world.adapter.subscribe(*coins, buffer=10, overflow=overflow) as feed,
    ):
        buffered = feed.statistics().buffered
        assert buffered > 160

        events = await take(feed, buffered)

        ids = [each.update_id for each in events if each.symbol == "COIN0USDT"]
        assert ids == list(range(ids[0], ids[0] + len(ids)))


async def test_a_blocked_feed_holds_back_its_link_and_no_other(autojump_clock: MockClock) -> None:
    async with (
        open_world(links=2) as world,
        world.adapter.subscribe(BOOK, buffer=5),
        world.adapter.subscribe(OTHER) as same_link,
        world.adapter.subscribe(TRADES) as other_link,
    ):
        await trio.sleep(120)  # longer than any limit to silence
        assert same_link.statistics().buffered <= 6
        assert other_link.statistics().buffered >= 119
        assert world.reasons() == {}


async def test_leaving_a_blocked_feed_lets_the_others_go_on_without_a_loss(
    autojump_clock: MockClock,
) -> None:
    async with open_world() as world, world.adapter.subscribe(OTHER, gaps=True) as patient:
        async with world.adapter.subscribe(BOOK, buffer=5):
            await trio.sleep(60)
        received = ids(await take(patient, 600))
        assert received == list(range(received[0], received[0] + 600))
        assert world.reasons() == {}


async def test_a_consumer_slower_than_the_exchange_has_patience_gets_a_gap(
    autojump_clock: MockClock,
) -> None:
    """Spot closes a connection whose ping is not answered for 60 s (binance_spot §4)."""
    async with (
        open_world(venue="spot", reconnect=QUICK, source=Pulse(0.01)) as world,
        world.adapter.subscribe(TRADES, buffer=5, gaps=True) as feed,
    ):
        await trio.sleep(300)
        assert world.exchange.accepted == 1
        old, gap = await take_until_gap(feed)
        received = [event.trade_id for event in old]
        assert received == list(range(received[0], received[0] + len(received)))
        assert gap.reason == "disconnected"
        assert (await feed.receive()).session == 2


async def test_a_blocked_link_reconnects_on_request(autojump_clock: MockClock) -> None:
    async with (
        open_world(reconnect=QUICK) as world,
        world.adapter.subscribe(BOOK, buffer=5, gaps=True) as feed,
    ):
        await trio.sleep(60)
        world.adapter.reconnect()
        await trio.sleep(5)
        assert world.exchange.accepted == 2
        old, _ = await take_until_gap(feed)
        assert len(old) == 5
        assert (await feed.receive()).session == 2
        assert world.reasons() == {"requested": 1}


async def test_subscribing_while_nobody_reads_a_busy_feed_of_the_same_link(
    autojump_clock: MockClock,
) -> None:
    """The task that subscribes is the one that would read."""
    async with (
        open_world(source=Pulse(0.004)) as world,
        world.adapter.subscribe(BOOK, buffer=8) as feed,
    ):
        await take(feed, 3)
        with trio.fail_after(5):
            await feed.add(OTHER)  # more than 8 books come before the reply
        ids = [event.update_id for event in await take(feed, 100) if event.symbol == "ETHUSDC"]
        assert ids == list(range(ids[0], ids[0] + len(ids)))  # still nothing is lost


@pytest.mark.parametrize("kind", [PartialBook, BookDeltas, OrderBook])
async def test_a_feed_is_entered_however_much_comes_before_its_last_acknowledgement(
    autojump_clock: MockClock, kind: Any
) -> None:
    many = [PartialBook(f"COIN{number}USDT") for number in range(120)]  # three requests
    async with (
        open_world(source=Pulse(0.01)) as world,
        world.adapter.subscribe(*many, kind("ETHUSDC"), buffer=1, gaps=True) as feed,
    ):
        before = feed.statistics().buffered
        assert before > 16
        events = await take(feed, before + 500)
        assert not any(isinstance(event, Gap) and event.reason == "overflow" for event in events)
        books = [event for event in events if event.symbol == "COIN0USDT"]
        assert ids(books) == list(range(books[0].update_id, books[0].update_id + len(books)))
        assert world.reasons() == {}


async def test_a_reply_behind_more_than_can_be_held_is_an_error_and_no_silence(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(source=Pulse(0.01)) as world,
        world.adapter.subscribe(BOOK, buffer=5) as feed,
    ):
        await trio.sleep(60)  # the acknowledgement will be behind all this
        with trio.fail_after(15), pytest.raises(SlowConsumer, match="in another task"):
            await feed.add(OTHER)
        assert feed.channels == (BOOK,)
        assert feed.statistics().buffered <= 16 * 5

        async with trio.open_nursery() as nursery:

            async def read() -> None:
                async for _ in feed:
                    pass

            nursery.start_soon(read)
            with trio.fail_after(5):
                await feed.add(OTHER)
            nursery.cancel_scope.cancel()
        assert feed.channels == (BOOK, OTHER)
        assert world.reasons() == {}


async def test_drop_oldest_keeps_the_newest_and_says_what_is_missing(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(source=Silent()) as world,
        world.adapter.subscribe(BOOK, buffer=10, overflow=Overflow.DROP_OLDEST, gaps=True) as feed,
        world.adapter.subscribe(BOOK, buffer=10, overflow=Overflow.DROP_OLDEST) as quiet,
    ):
        publish_books(world, 1, 1000)
        await trio.sleep(1)
        assert feed.statistics().dropped == quiet.statistics().dropped == 990
        assert feed.statistics().buffered <= 11
        assert world.adapter.statistics().drops == 1980
        gap, *events = drain(feed)
        assert (gap.reason, gap.dropped, gap.channels) == ("overflow", 990, (BOOK,))
        assert ids(events) == ids(drain(quiet)) == list(range(991, 1001))


@pytest.mark.parametrize("batches", [False, True], ids=["one by one", "batches"])
@pytest.mark.parametrize("overflow", [Overflow.DROP_OLDEST, Overflow.CONFLATE])
async def test_what_a_slow_consumer_gets_and_what_the_gaps_say_is_everything(
    autojump_clock: MockClock, overflow: Overflow, batches: bool
) -> None:
    count, capacity = 1000, 10
    seen: list[Any] = []
    async with open_world(source=Silent()) as world:
        async with (
            world.adapter.subscribe(
                BOOK, OTHER, buffer=capacity, overflow=overflow, gaps="all"
            ) as feed,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(trickle, world, count, 0.001)
            nursery.start_soon(trickle, world, count, 0.001, OTHER_STREAM)
            while len(ids(seen)) + lost(seen) < 2 * count:
                assert feed.statistics().buffered <= capacity + 2
                if batches:
                    seen += await anext(feed.batches())
                else:
                    seen.append(await feed.receive())
                await trio.sleep(0.05)
            statistics = feed.statistics()

        assert statistics.dropped + statistics.replaced == lost(seen) > 0
        for symbol in ("ETHUSDC", "BTCUSDT"):
            received = ids([event for event in seen if event.symbol == symbol])
            assert received == sorted(set(received))
            assert received[-1] == count
        # The last drops are in the statistics of the adapter after the feed has gone, too.
        assert world.adapter.statistics().drops == statistics.dropped


async def test_conflate_keeps_the_latest_of_each_symbol(autojump_clock: MockClock) -> None:
    async with (
        open_world(source=Silent()) as world,
        world.adapter.subscribe(BOOK, OTHER, overflow=Overflow.CONFLATE, gaps=True) as feed,
        world.adapter.subscribe(BOOK, OTHER, overflow=Overflow.CONFLATE, gaps="all") as all_gaps,
    ):
        publish_books(world, 1, 500)
        publish_books(world, 1, 300, OTHER_STREAM)
        await trio.sleep(1)
        gap, *events = drain(all_gaps)
        assert (gap.reason, gap.dropped, gap.symbol) == ("conflated", 798, "")
        assert set(gap.channels) == {BOOK, OTHER}
        # What is newer is there: nobody has lost anything.
        assert drain(feed) == events
        assert (feed.statistics().replaced, feed.statistics().dropped) == (798, 0)
        assert {event.symbol: event.update_id for event in events} == {
            "ETHUSDC": 500, "BTCUSDT": 300,
        }  # fmt: skip
        assert world.adapter.statistics().replaced == 2 * 798
        async with world.adapter.subscribe(BOOK, overflow=Overflow.CONFLATE):
            publish_books(world, 501, 510)
            await trio.sleep(1)
        # What a feed replaced that is closed still counts.
        assert world.adapter.statistics().replaced == 2 * 798 + 3 * 9


async def test_fail_is_raised_in_that_feed_only(autojump_clock: MockClock) -> None:
    async with (
        open_world() as world,
        world.adapter.subscribe(BOOK, buffer=10, overflow=Overflow.FAIL) as hasty,
        world.adapter.subscribe(BOOK) as patient,
    ):
        await trio.sleep(10)
        received = []
        with pytest.raises(SlowConsumer, match="10 events are waiting"):
            while True:
                received.append(await hasty.receive())
        assert len(received) == 10
        assert ids(received) == list(range(ids(received)[0], ids(received)[0] + 10))
        assert hasty.statistics().dropped >= 80
        everything = ids(await take(patient, 110))
        assert everything == list(range(everything[0], everything[0] + 110))
        assert world.reasons() == {}
        # Read again, it goes on.
        assert ids(await take(hasty, 1))[0] > ids(received)[-1]


@pytest.mark.parametrize("overflow", Overflow)
async def test_a_consumer_that_keeps_up_loses_nothing_under_any_policy(
    autojump_clock: MockClock, overflow: Overflow
) -> None:
    async with (
        open_world(source=Silent()) as world,
        world.adapter.subscribe(BOOK, buffer=1, overflow=overflow, gaps=True) as feed,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(trickle, world, 300, 0.01)
        assert ids(await take(feed, 300)) == list(range(1, 301))
        assert world.adapter.statistics().drops == 0


@pytest.mark.parametrize("overflow", Overflow)
async def test_no_buffer_grows_while_nobody_reads_and_the_connection_breaks(
    autojump_clock: MockClock, overflow: Overflow
) -> None:
    async with (
        open_world(reconnect=QUICK, source=Pulse(0.05)) as world,
        world.adapter.subscribe(BOOK, buffer=10, overflow=overflow, gaps=True) as feed,
    ):
        for kind in ("reset", "fin", "close", "bad_mask") * 3:
            await trio.sleep(5)
            world.exchange.break_connections(kind)  # type: ignore[arg-type]
            assert feed.statistics().buffered <= 10 + 4


# I11: nothing of an old session behind anything of a new one.


@pytest.mark.parametrize("overflow", Overflow)
async def test_a_slow_consumer_sees_the_sessions_in_order_and_a_gap_between(
    autojump_clock: MockClock, overflow: Overflow
) -> None:
    async with (
        open_world(reconnect=AT_ONCE, source=Pulse(0.02)) as world,
        world.adapter.subscribe(BOOK, OTHER, buffer=20, overflow=overflow, gaps=True) as feed,
        trio.open_nursery() as nursery,
    ):

        async def breaks() -> None:
            for kind in itertools.cycle(("reset", "fin", "close")):
                await trio.sleep(1.503)
                world.exchange.break_connections(kind)

        nursery.start_soon(breaks)
        session, gap_seen = 1, False
        with trio.fail_after(300):
            while session < 8:
                try:
                    event = await feed.receive()
                except SlowConsumer:
                    continue
                if isinstance(event, Gap):
                    gap_seen = True
                    continue
                assert event.session >= session
                assert event.session == session or gap_seen
                session, gap_seen = event.session, False
                await trio.sleep(0.03)
        nursery.cancel_scope.cancel()


async def test_nothing_is_put_for_an_old_session_once_the_new_one_is_connected(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(reconnect=AT_ONCE, source=Pulse(0.02)) as world,
        world.adapter.subscribe(BOOK, buffer=3) as narrow,
        world.adapter.subscribe(BOOK, buffer=10_000) as wide,
        trio.open_nursery() as nursery,
    ):
        before: dict[int, int] = {1: 0}

        async def watch() -> None:
            async for event in world.lifecycle:
                if isinstance(event, Connected):
                    before[event.session] = wide.statistics().buffered

        async def crawl() -> None:
            async for _ in narrow:
                await trio.sleep(0.03)

        nursery.start_soon(watch)
        nursery.start_soon(crawl)
        for kind in itertools.islice(itertools.cycle(("reset", "fin", "bad_mask", "close")), 20):
            await trio.sleep(2)
            world.exchange.break_connections(kind)
        await trio.sleep(5)
        everything = drain(wide)
        assert len(before) == 21
        for session, index in before.items():
            assert all(event.session < session for event in everything[:index])
            assert all(event.session >= session for event in everything[index:])
        nursery.cancel_scope.cancel()


# Row 37: ids that repeat or go back.


async def test_ids_that_repeat_are_dropped_and_ids_that_jump_are_flagged(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(source=Silent()) as world,
        world.adapter.subscribe(TRADES, gaps=True) as feed,
    ):
        for trade_id in (10, 11, 11, 10, 12, 15, 13, 14, 16):
            world.exchange.publish(TRADE_STREAM, trade("ethusdc", trade_id))
        await trio.sleep(1)
        seen = [event.reason if isinstance(event, Gap) else event.trade_id for event in drain(feed)]
        assert seen == [10, 11, 12, "sequence", 15, 16]
        stream = world.adapter.statistics().streams[TRADE_STREAM]
        assert (stream.duplicates, stream.gaps, stream.messages) == (4, 1, 9)


@pytest.mark.parametrize("kind", ["duplicate_frames", "reorder"])
async def test_a_wire_that_repeats_or_swaps_never_goes_back_for_the_consumer(
    autojump_clock: MockClock, kind: Any
) -> None:
    async with (
        open_world(source=Pulse(0.01)) as world,
        world.adapter.subscribe(TRADES, gaps=True) as feed,
    ):
        await take(feed, 3)
        world.exchange.break_connections(Fault(kind, count=5))
        events = await take(feed, 30)
        received = [event.trade_id for event in events if not isinstance(event, Gap)]
        assert received == sorted(set(received))
        if kind == "duplicate_frames":
            assert received == list(range(4, 34))
            assert world.adapter.statistics().streams[TRADE_STREAM].duplicates == 5
        else:
            missing = set(range(4, received[-1])) - set(received)
            assert len([event for event in events if isinstance(event, Gap)]) == len(missing) > 0


async def test_a_chain_of_deltas_that_breaks_is_flagged(autojump_clock: MockClock) -> None:
    def delta(last: int, previous: int) -> dict[str, object]:
        return book("ethusdc", last) | {"U": previous + 1, "u": last, "pu": previous}

    async with (
        open_world(source=Silent()) as world,
        world.adapter.subscribe(BookDeltas("ETHUSDC"), gaps=True) as feed,
    ):
        for last, previous in ((10, 5), (20, 10), (20, 10), (30, 20), (50, 40), (60, 50)):
            world.exchange.publish("ethusdc@depth@100ms", delta(last, previous))
        await trio.sleep(1)
        seen = [
            event.reason if isinstance(event, Gap) else event.last_update_id
            for event in drain(feed)
        ]
        assert seen == [10, 20, 30, "sequence", 50, 60]


# One consumer per feed, and what it can do.


async def test_a_second_consumer_is_refused_and_the_first_is_not_disturbed(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(source=Silent()) as world,
        world.adapter.subscribe(BOOK) as feed,
        trio.open_nursery() as nursery,
    ):
        received = []

        async def consume() -> None:
            received.append((await feed.receive()).update_id)

        nursery.start_soon(consume)
        await trio.testing.wait_all_tasks_blocked()
        for second in (feed.receive, feed.__anext__, feed.batches().__anext__):
            with pytest.raises(trio.BusyResourceError, match="one consumer"):
                await second()
        publish_books(world, 1, 2)
        await trio.sleep(1)
        assert received == [1]
        assert ids(await take(feed, 1)) == [2]


async def test_batches_are_all_that_is_buffered(autojump_clock: MockClock) -> None:
    async with open_world(source=Silent()) as world, world.adapter.subscribe(BOOK) as feed:
        sizes = []
        received: list[int] = []
        for burst in (1, 7, 300):
            publish_books(world, len(received) + 1, len(received) + burst)
            await trio.sleep(1)
            batch = await anext(feed.batches())
            sizes.append(len(batch))
            received += ids(batch)
        assert sizes == [1, 7, 300]
        assert received == list(range(1, 309))


async def test_batches_of_a_full_feed_are_lossless(autojump_clock: MockClock) -> None:
    async with (
        open_world(source=Silent()) as world,
        world.adapter.subscribe(BOOK, buffer=16) as feed,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(trickle, world, 3000, 0.0005)
        received: list[int] = []
        async for batch in feed.batches():
            assert 1 <= len(batch) <= 16
            received += ids(batch)
            if received[-1] == 3000:
                break
            await trio.sleep(0.02)
        assert received == list(range(1, 3001))


async def test_lag_shows_in_the_statistics_while_it_lasts(autojump_clock: MockClock) -> None:
    async with open_world() as world, world.adapter.subscribe(BOOK, buffer=50) as feed:
        await trio.sleep(30)
        (statistics,) = world.adapter.statistics().feeds
        assert statistics.buffered == statistics.capacity == 50
        assert world.adapter.statistics().links[0].state == "streaming"
        with trio.fail_after(1):
            while feed.statistics().buffered:
                feed.receive_nowait()
            await take(feed, 250)


async def test_a_raw_feed_gets_what_the_typed_one_cannot_read(autojump_clock: MockClock) -> None:
    async with (
        open_world(source=Silent()) as world,
        world.adapter.subscribe(RawStream(BOOK_STREAM)) as feed,
    ):
        world.exchange.publish(BOOK_STREAM, b'{"e":"unheardOf","x":[1e400]}')
        assert (await feed.receive()).data == b'{"e":"unheardOf","x":[1e400]}'
        assert math.isfinite(world.adapter.statistics().payload_bytes)
