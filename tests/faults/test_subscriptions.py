"""Rows 26–29 and 31 of the fault table: the wire equals what is wanted, whatever happens."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from connector import open_adapter
from connector.channels import BookDeltas, Channel, OrderBook, PartialBook, RawStream, Tickers
from connector.errors import ConfigError, SubscriptionRejected
from connector.events import BookSnapshot, Gap, Trade
from connector.exchanges import binance
from connector.lifecycle import Rejected, Subscribed
from connector.testing import Fault, FaultPlan, MemoryNetwork, Silent, When
from tests.faults.asked import asked, check_no_duplicate, check_pace
from tests.faults.steps import schedule
from tests.faults.world import (
    BOOK,
    BOOK_STREAM,
    QUICK,
    TRADES,
    World,
    book,
    open_world,
    take,
    take_until_gap,
)

TRADE_STREAM = "ethusdc@trade"


def books(count: int) -> list[PartialBook]:
    return [PartialBook(f"COIN{number}USDT") for number in range(count)]


def names(channels: list[PartialBook]) -> set[str]:
    return {f"{each.symbol.lower()}@depth5@100ms" for each in channels}


def on_the_wire(world: World) -> dict[int, set[str]]:
    """What each live connection is subscribed to, as the exchange has it."""
    return {each.number: set(each.subscriptions) for each in world.exchange.connections}


# Row 26: the connection ends in the middle of subscribing.

BREAKS = [number / 2000 for number in range(24)]  # dial, upgrade, first request, its reply …
BREAKS += [moment + number / 2000 for moment in (0.125, 0.25) for number in range(8)]


@pytest.mark.parametrize("kind", ["reset", "close"])
async def test_broken_off_subscribing_is_done_once_in_full(
    autojump_clock: MockClock, kind: Any
) -> None:
    wanted = books(120)  # three requests
    for moment in BREAKS:
        async with open_world(reconnect=QUICK, source=Silent()) as world:

            async def breaks(world: World = world, moment: float = moment) -> None:
                await trio.sleep(moment)
                if kind == "reset":  # also before there is a WebSocket
                    for connection in world.network.connections:
                        connection.reset()
                else:
                    world.exchange.break_connections(kind)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(breaks)
                with trio.fail_after(5):
                    async with world.adapter.subscribe(*wanted) as feed:
                        await trio.sleep(1)
                        last = max(check_no_duplicate(asked(world.exchange)))
                        assert on_the_wire(world) == {last: names(wanted)}
                        streams = world.adapter.statistics().streams
                        assert streams.keys() == names(wanted)
                        assert all(stream.live for stream in streams.values())
                        world.exchange.publish("coin119usdt@depth5@100ms", book("COIN119USDT", 7))
                        assert (await feed.receive()).update_id == 7
                        assert world.exchange.max_concurrent == 1
                        assert len(world.network.ledger) <= 2
            check_pace(world.exchange)


async def test_a_reply_that_never_comes_ends_the_session(autojump_clock: MockClock) -> None:
    plan = FaultPlan((Fault("no_ack", When(last=1)),))
    async with open_world(reconnect=QUICK, faults=plan) as world:
        async with world.adapter.subscribe(BOOK) as feed:
            assert (await feed.receive()).session == 2

        assert world.reasons() == {"no reply": 1}
        assert trio.current_time() < 12


# Row 27: the exchange refuses.

BAD = PartialBook("NOSUCHUSDT")
BAD_STREAM = "nosuchusdt@depth5@100ms"
REFUSED = Fault("reject_subscription", stream=BAD_STREAM, code=-1121, message="Invalid symbol.")


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
@pytest.mark.parametrize("venue", ["spot", "usdm"])
async def test_a_refusal_has_code_and_text_and_leaves_the_others_alone(
    autojump_clock: MockClock, venue: str, nested: bool
) -> None:
    async with (
        open_world(
            venue=venue,
            faults=FaultPlan((REFUSED,)),
            links=2,
            exchange_options={"nested_errors": nested},
        ) as world,
        world.adapter.subscribe(TRADES, gaps=True) as feed,
    ):
        with pytest.raises(SubscriptionRejected) as caught:
            async with world.adapter.subscribe(*books(20), BAD, *books(40)[20:]):
                raise AssertionError("unreachable")
        rejection = caught.value
        assert (rejection.channel, rejection.code) == (BAD, -1121)
        assert rejection.message == "Invalid symbol."

        await trio.sleep(2)
        assert set().union(*on_the_wire(world).values()) == {TRADE_STREAM}
        assert not any(isinstance(event, Gap) for event in await take(feed, 3))
        (told,) = [each for each in world.happened() if isinstance(each, Rejected)]
        assert str(told.error) == str(rejection)
        assert world.reasons() == {}
        assert list(world.adapter.statistics().streams) == [TRADE_STREAM]
    check_no_duplicate(asked(world.exchange))
    check_pace(world.exchange)


async def test_adding_channels_of_which_one_is_rejected_adds_the_others(
    autojump_clock: MockClock,
) -> None:
    one, other = books(2)
    async with (
        open_world(faults=FaultPlan((REFUSED,))) as world,
        world.adapter.subscribe(BOOK) as feed,
    ):
        with pytest.raises(SubscriptionRejected, match="NOSUCHUSDT"):
            await feed.add(one, BAD, other)
        assert feed.channels == (BOOK, one, other)
        assert on_the_wire(world) == {1: {BOOK_STREAM, *names([one, other])}}
        symbols = {event.symbol for event in await take(feed, 20)}
        assert symbols == {"ETHUSDC", "COIN0USDT", "COIN1USDT"}


async def test_two_channels_rejected_at_once_are_both_reported(autojump_clock: MockClock) -> None:
    refused = Fault("reject_subscription", stream="nosuch*", code=7, message="no")
    bad = [PartialBook(f"NOSUCH{number}") for number in range(3)]
    async with open_world(faults=FaultPlan((refused,))) as world:
        with pytest.raises(SubscriptionRejected):
            async with world.adapter.subscribe(*books(5), *bad):
                raise AssertionError("unreachable")
        told = [each.error.channel for each in world.happened() if isinstance(each, Rejected)]
        assert sorted(told, key=str) == bad


async def test_a_rejected_channel_can_be_subscribed_again(autojump_clock: MockClock) -> None:
    async with (
        open_world(faults=FaultPlan((REFUSED,)), reconnect=QUICK) as world,
        world.adapter.subscribe(BOOK) as feed,
    ):
        with pytest.raises(SubscriptionRejected):
            await feed.add(BAD)
        world.exchange.mend()
        world.exchange.break_connections("fin")
        while (await feed.receive()).session == 1:
            pass
        await feed.add(BAD)
        assert on_the_wire(world) == {2: {BOOK_STREAM, BAD_STREAM}}


async def test_a_refusal_after_a_reconnect_reaches_the_feed_once(
    autojump_clock: MockClock,
) -> None:
    later = Fault(
        "reject_subscription", When(first=2), stream=BAD_STREAM, code=-1121, message="delisted"
    )
    async with (
        open_world(faults=FaultPlan((later,)), reconnect=QUICK) as world,
        world.adapter.subscribe(BOOK, BAD) as feed,
        world.adapter.subscribe(BOOK) as unconcerned,
    ):
        rejections = []
        for _ in range(3):
            world.exchange.break_connections("reset")
            with trio.move_on_after(5):
                while True:
                    try:
                        await feed.receive()
                    except SubscriptionRejected as rejection:
                        rejections.append(rejection)
            async for event in unconcerned:
                if event.session == world.exchange.accepted:
                    break
        assert [each.channel for each in rejections] == [BAD]
        assert len([each for each in world.happened() if isinstance(each, Rejected)]) == 1
        assert feed.channels == (BOOK,)
        assert on_the_wire(world) == {4: {BOOK_STREAM}}
        # The next session is not asked again.
        requests = [each for each in asked(world.exchange) if BAD_STREAM in each.streams]
        assert [each.connection for each in requests] == [1, 2, 2]

        world.exchange.mend()
        world.exchange.break_connections("reset")
        await feed.add(BAD)
        assert on_the_wire(world) == {5: {BOOK_STREAM, BAD_STREAM}}


# Row 28: hundreds of streams under the exchange's message rate.


@pytest.mark.parametrize(("venue", "seconds"), [("usdm", 4), ("spot", 8)])
@pytest.mark.parametrize("count", [300, 1024])
async def test_hundreds_of_streams_come_back_below_the_rate(
    autojump_clock: MockClock, venue: str, seconds: float, count: int
) -> None:
    wanted = books(count)
    async with (
        open_world(venue=venue, reconnect=QUICK, source=Silent()) as world,
        world.adapter.subscribe(*wanted, gaps=True) as feed,
    ):
        for session in (1, 2, 3):
            assert on_the_wire(world) == {session: names(wanted)}
            world.exchange.break_connections("reset")
            gap = await feed.receive()
            assert set(gap.channels) == set(wanted)
            began = trio.current_time()
            await world.adapter.wait_connected()
            assert trio.current_time() - began < seconds

        check_pace(world.exchange)
        check_no_duplicate(asked(world.exchange))
        told = [each.streams for each in world.happened() if isinstance(each, Subscribed)]
        assert told == [count] * 4


async def test_one_stream_more_than_a_connection_holds_opens_a_second_link(
    autojump_clock: MockClock,
) -> None:
    wanted = books(1030)
    async with (
        open_world(reconnect=QUICK, source=Silent(), links=2) as world,
        world.adapter.subscribe(*wanted),
    ):
        second, first = sorted(on_the_wire(world).values(), key=len)
        assert (len(first), len(second)) == (1024, 6)
        assert first | second == names(wanted)
        assert [link.name for link in world.adapter.statistics().links] == [
            "binance_usdm/public", "binance_usdm/public#2",
        ]  # fmt: skip


# Row 29: what is wanted changes while the connection comes and goes.

POOL = [BOOK, PartialBook("BTCUSDT"), PartialBook("SOLUSDT"), BookDeltas("ETHUSDC")]
STREAM_OF = dict(
    zip(
        POOL,
        (BOOK_STREAM, "btcusdt@depth5@100ms", "solusdt@depth5@100ms", "ethusdc@depth@100ms"),
        strict=True,
    )
)

PAUSES = st.sampled_from((0.0, 0.0, 0.0005, 0.001, 0.002, 0.003, 0.1, 0.125, 0.3, 1.0))
STEPS = st.one_of(
    st.tuples(st.just("subscribe"), st.sampled_from(POOL)),
    st.tuples(st.just("leave"), st.integers(0, 20)),
    st.tuples(st.just("cancel"), st.integers(0, 20)),
    st.tuples(st.just("break"), st.sampled_from(("reset", "fin", "close", "half_open", "no_ack"))),
    st.tuples(st.just("reconnect"), st.none()),
)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**16), steps=st.lists(st.tuples(PAUSES, STEPS), max_size=25))
def test_the_wire_converges_to_the_wanted_streams(
    seed: int, steps: list[tuple[float, Any]]
) -> None:
    async def subscriber(
        world: World,
        channel: Channel[Any],
        held: list[Channel[Any]],
        scope: trio.CancelScope,
        leave: trio.Event,
    ) -> None:
        with scope:
            async with world.adapter.subscribe(channel):
                held.append(channel)
                try:
                    await leave.wait()
                finally:
                    held.remove(channel)

    async def scenario() -> None:
        held: list[Channel[Any]] = []
        subscribers: list[tuple[Channel[Any], trio.CancelScope, trio.Event]] = []
        async with open_world(reconnect=QUICK, source=Silent(), links=2) as world:
            async with trio.open_nursery() as nursery:
                for pause, (what, detail) in steps:
                    await trio.sleep(pause)
                    if what == "subscribe":
                        one = (detail, trio.CancelScope(), trio.Event())
                        subscribers.append(one)
                        nursery.start_soon(subscriber, world, detail, held, *one[1:])
                    elif what in ("leave", "cancel") and subscribers:
                        _, scope, leave = subscribers.pop(detail % len(subscribers))
                        leave.set() if what == "leave" else scope.cancel()
                    elif what == "break":
                        world.exchange.break_connections(detail)
                    elif what == "reconnect":
                        world.adapter.reconnect()
                await trio.sleep(120)

                assert sorted(map(str, held)) == sorted(str(each[0]) for each in subscribers)
                wanted = {STREAM_OF[channel] for channel, _, _ in subscribers}
                connections = on_the_wire(world)
                assert len(connections) <= 1
                assert set().union(*connections.values()) == wanted
                statistics = world.adapter.statistics()
                assert statistics.streams.keys() == wanted
                assert all(stream.live for stream in statistics.streams.values())
                assert len(statistics.feeds) == len(subscribers)
                nursery.cancel_scope.cancel()
            check_no_duplicate(asked(world.exchange))
            check_pace(world.exchange)

    with schedule(seed):
        trio.run(scenario, clock=MockClock(autojump_threshold=0))


async def test_a_stream_wanted_again_before_the_unsubscription_stays_subscribed(
    autojump_clock: MockClock,
) -> None:
    async with open_world() as world, world.adapter.subscribe(BOOK) as kept:
        async with world.adapter.subscribe(POOL[1]):
            pass
        async with world.adapter.subscribe(POOL[1]) as again:
            assert (await again.receive()).symbol == "BTCUSDT"
            assert (await kept.receive()).symbol == "ETHUSDC"
        assert [each.method for each in asked(world.exchange)] == ["SUBSCRIBE", "SUBSCRIBE"]


async def test_the_adapter_is_connected_when_a_stream_is_wanted_again_at_once(
    autojump_clock: MockClock,
) -> None:
    async with open_world() as world:
        async with world.adapter.subscribe(BOOK):
            await world.adapter.wait_connected()
        async with world.adapter.subscribe(BOOK):
            with trio.fail_after(60):
                await world.adapter.wait_connected()


async def test_nothing_wanted_during_a_disconnect_lets_the_link_rest(
    autojump_clock: MockClock,
) -> None:
    async with open_world(reconnect=QUICK) as world:
        async with world.adapter.subscribe(BOOK):
            pass
        world.exchange.break_connections("reset")
        await trio.sleep(60)
        assert len(world.network.ledger) == 1
        assert world.adapter.statistics().links[0].state == "idle"
        async with world.adapter.subscribe(BOOK) as feed:
            assert (await feed.receive()).session == 2


# Row 31: one of several leaves.


async def test_a_feed_that_is_left_is_unsubscribed_and_the_others_live(
    autojump_clock: MockClock,
) -> None:
    async with open_world(links=2) as world, world.adapter.subscribe(BOOK, gaps=True) as feed:
        async with world.adapter.subscribe(POOL[1], TRADES) as early:
            async for _ in early:
                break
        await take(feed, 10)

        assert on_the_wire(world) == {1: {BOOK_STREAM}, 2: set()}
        assert list(world.adapter.statistics().streams) == [BOOK_STREAM]
        assert all(isinstance(event, BookSnapshot) for event in await take(feed, 10))
        assert world.reasons() == {}
    check_no_duplicate(asked(world.exchange))


async def test_a_channel_twice_is_one_subscription_with_two_feeds(
    autojump_clock: MockClock,
) -> None:
    async with open_world() as world:
        async with world.adapter.subscribe(BOOK) as one:
            async with world.adapter.subscribe(BOOK, BOOK) as other:
                assert (await one.receive()).update_id == (await other.receive()).update_id
                assert [each.update_id for each in await take(one, 3)] == [
                    each.update_id for each in await take(other, 3)
                ]
            assert on_the_wire(world) == {1: {BOOK_STREAM}}
            ids = [each.update_id for each in await take(one, 10)]
            assert ids == list(range(ids[0], ids[0] + 10))
        await trio.sleep(1)
        assert [(each.method, each.streams) for each in asked(world.exchange)] == [
            ("SUBSCRIBE", (BOOK_STREAM,)),
            ("UNSUBSCRIBE", (BOOK_STREAM,)),
        ]


async def test_a_stream_is_not_decoded_in_two_ways(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        with pytest.raises(ConfigError, match="are the same stream"):
            async with world.adapter.subscribe(RawStream(BOOK_STREAM), BOOK):
                raise AssertionError("unreachable")
        async with world.adapter.subscribe(BOOK) as feed:
            with pytest.raises(ConfigError, match="are the same stream"):
                await feed.add(TRADES, RawStream(BOOK_STREAM))
            assert feed.channels == (BOOK,)
        async with world.adapter.subscribe(RawStream(BOOK_STREAM)) as raw:
            assert (await raw.receive()).stream == BOOK_STREAM
    assert len(world.network.ledger) == 1
    check_no_duplicate(asked(world.exchange))


async def test_a_symbol_in_another_case_is_the_same_stream(autojump_clock: MockClock) -> None:
    small = PartialBook("ethusdc")
    async with open_world() as world, world.adapter.subscribe(BOOK, small) as feed:
        ids = [event.update_id for event in await take(feed, 5)]
        assert ids == list(range(ids[0], ids[0] + 5))
        await feed.discard(BOOK)
        assert feed.channels == (small,)
        await trio.sleep(1)
        assert feed.statistics().buffered >= 9
        await feed.discard(small)
        await trio.sleep(1)
        assert on_the_wire(world) == {1: set()}
    check_no_duplicate(asked(world.exchange))


async def test_a_channel_is_discarded_however_its_symbol_is_spelled(
    autojump_clock: MockClock,
) -> None:
    book = OrderBook("ETHUSDC", depth=5)
    async with open_world() as world, world.adapter.subscribe(BOOK, POOL[1], book) as feed:
        await feed.discard(PartialBook("ethUsdc"), OrderBook("ethusdc", depth=5))
        assert feed.channels == (POOL[1],)
        await trio.sleep(1)
        assert on_the_wire(world) == {1: {STREAM_OF[POOL[1]]}}


@pytest.mark.parametrize("wrong", ["ethusdc@depth5", PartialBook, [BOOK], PartialBook("X", 7)])
async def test_only_channels_can_be_discarded(wrong: Any, autojump_clock: MockClock) -> None:
    async with open_world() as world, world.adapter.subscribe(BOOK) as feed:
        with pytest.raises(ConfigError, match=r"is not a channel|does not offer"):
            await feed.discard(BOOK, wrong)
        assert feed.channels == (BOOK,)


# Feeds that change while they run.


async def test_a_feed_grows_and_shrinks(autojump_clock: MockClock) -> None:
    async with open_world() as world, world.adapter.subscribe(BOOK) as feed:
        await feed.add(*POOL[1:3])
        assert feed.channels == tuple(POOL[:3])
        assert len({event.symbol for event in await take(feed, 9)}) == 3
        await feed.add(POOL[1])  # has it already
        await feed.discard(BOOK, POOL[2])
        assert feed.channels == (POOL[1],)
        await trio.sleep(1)
        assert on_the_wire(world) == {1: {STREAM_OF[POOL[1]]}}
        before = feed.statistics().buffered
        assert {event.symbol for event in (await take(feed, before + 5))[-5:]} == {"BTCUSDT"}
        await feed.discard(TRADES)  # never had it
    check_no_duplicate(asked(world.exchange))


NEVER = FaultPlan((Fault("no_ack"),))


async def test_a_cancelled_task_adds_no_channel(autojump_clock: MockClock) -> None:
    async with open_world() as world, world.adapter.subscribe(BOOK) as feed:
        with trio.CancelScope() as scope:
            scope.cancel()
            await feed.add(POOL[1])
        assert scope.cancelled_caught
        assert feed.channels == (BOOK,)
        await trio.sleep(1)
        assert [each.streams for each in asked(world.exchange)] == [(BOOK_STREAM,)]


async def test_a_channel_discarded_while_it_is_added_ends_the_wait(
    autojump_clock: MockClock,
) -> None:
    async with open_world(reconnect=QUICK) as world, world.adapter.subscribe(BOOK) as feed:
        world.exchange.inject("no_ack")
        async with trio.open_nursery() as nursery:

            async def adds() -> None:
                with pytest.raises(trio.ClosedResourceError, match="was discarded"):
                    await feed.add(POOL[1])

            nursery.start_soon(adds)
            await trio.sleep(1)
            assert feed.channels == (BOOK, POOL[1])
            await feed.discard(POOL[1])
        assert feed.channels == (BOOK,)


async def test_a_second_task_that_adds_the_same_waits_as_long(autojump_clock: MockClock) -> None:
    async with open_world(reconnect=QUICK) as world, world.adapter.subscribe(BOOK) as feed:
        acknowledged = []

        async def adds() -> None:
            await feed.add(POOL[1])
            acknowledged.append(set(*on_the_wire(world).values()))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(adds)
            nursery.start_soon(adds)
        assert acknowledged == [{BOOK_STREAM, STREAM_OF[POOL[1]]}] * 2


async def test_leaving_the_adapter_ends_the_wait_of_other_tasks(
    autojump_clock: MockClock,
) -> None:
    async with trio.open_nursery() as nursery:
        async with open_world(faults=NEVER) as world:

            async def enters() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    async with world.adapter.subscribe(BOOK):
                        raise AssertionError("unreachable")

            async def waits() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await world.adapter.wait_connected()

            nursery.start_soon(enters)
            nursery.start_soon(waits)
            await trio.sleep(1)


def assert_both(events: list[Any]) -> None:
    kinds = {kind for kind in (BookSnapshot, Trade) for each in events if isinstance(each, kind)}
    assert kinds == {BookSnapshot, Trade}


async def test_a_feed_over_two_routes_lives_on_either(autojump_clock: MockClock) -> None:
    async with (
        open_world(links=2, reconnect=QUICK) as world,
        world.adapter.subscribe(BOOK, TRADES, gaps=True) as feed,
    ):
        assert_both(await take(feed, 30))
        for route, channel in (("/market", TRADES), ("/public", BOOK)):
            world.exchange.break_connections("reset", route=route)
            _, gap = await take_until_gap(feed)
            assert gap.channels == (channel,)
            assert gap.symbol == "ETHUSDC"
            await world.adapter.wait_connected()
        assert_both(await take(feed, 30))
        assert world.exchange.max_concurrent_by_route == {"/public": 1, "/market": 1}
        await feed.discard(TRADES)
        await trio.sleep(1)
        assert sorted(on_the_wire(world).values(), key=len) == [set(), {BOOK_STREAM}]


# What cannot work is refused before anything is dialled.

NONSENSE = [
    pytest.param((), {}, "at least one channel", id="no channel"),
    pytest.param(("ETHUSDC",), {}, "is not a channel", id="a symbol"),
    pytest.param(([BOOK],), {}, "is not a channel", id="a list"),
    pytest.param((PartialBook,), {}, "is not a channel", id="a class"),
    pytest.param((PartialBook("ETHUSDC", levels=7),), {}, "levels can be 5, 10, 20", id="levels"),
    pytest.param((BOOK, RawStream("listenKey")), {}, "no market data", id="a private stream"),
    pytest.param((BOOK,), {"buffer": 0}, "buffer=0", id="no buffer"),
    pytest.param((BOOK,), {"buffer": True}, "buffer=True", id="a true buffer"),
    pytest.param((BOOK,), {"buffer": 1.5}, "buffer=1.5", id="half an event"),
    pytest.param((BOOK,), {"overflow": "block"}, "Overflow.BLOCK", id="a policy's name"),
]


@pytest.mark.parametrize(("channels", "options", "words"), NONSENSE)
async def test_nonsense_is_refused_with_words_and_without_a_dial(
    autojump_clock: MockClock, channels: Any, options: Any, words: str
) -> None:
    async with open_world() as world:
        with pytest.raises(ConfigError, match=words):
            async with world.adapter.subscribe(*channels, **options):
                raise AssertionError("unreachable")
        await trio.sleep(10)
        assert len(world.network.ledger) == 0
        assert world.adapter.statistics().feeds == ()


async def test_adding_nonsense_changes_nothing(autojump_clock: MockClock) -> None:
    async with open_world() as world, world.adapter.subscribe(BOOK) as feed:
        with pytest.raises(ConfigError, match="symbol"):
            await feed.add(POOL[1], PartialBook(""))
        with pytest.raises(ConfigError, match="interval_ms can be"):
            await feed.add(POOL[1], BookDeltas("ETHUSDC", interval_ms=7))
        assert feed.channels == (BOOK,)
        await trio.sleep(1)
        assert on_the_wire(world) == {1: {BOOK_STREAM}}


async def test_spot_has_no_tickers_of_all_symbols(autojump_clock: MockClock) -> None:
    async with open_world(venue="spot") as world:
        with pytest.raises(ConfigError, match="for one symbol at a time"):
            async with world.adapter.subscribe(Tickers()):
                raise AssertionError("unreachable")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stale_after": 0}, "stale_after=0"),
        ({"stale_after": float("nan")}, "stale_after=nan"),
        ({"close_timeout": -1}, "close_timeout=-1"),
        ({"close_timeout": float("inf")}, "close_timeout=inf"),
        ({"reconnect": 5}, "reconnect=5"),
        ({"dialer": "tcp"}, "dialer='tcp'"),
    ],
    ids=str,
)
async def test_an_adapter_with_nonsense_is_never_opened(
    autojump_clock: MockClock, options: dict[str, Any], words: str
) -> None:
    options = {"dialer": MemoryNetwork(), **options}
    with pytest.raises(ConfigError, match=words):
        async with open_adapter(binance.Spot(), **options):
            raise AssertionError("unreachable")


@pytest.mark.parametrize("exchange", ["binance", binance, binance.Spot], ids=str)
async def test_an_exchange_is_a_value(autojump_clock: MockClock, exchange: Any) -> None:
    with pytest.raises(ConfigError, match=r"Spot\(\)"):
        async with open_adapter(exchange, dialer=MemoryNetwork()):
            raise AssertionError("unreachable")
