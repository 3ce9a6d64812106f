"""Row 38 of the fault table, and links: routes and shards, and what statistics say of them."""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector import Reconnect, open_adapter
from connector.channels import AggregateTrades, Channel, MarkPrices, Trades
from connector.errors import ConnectorError, ExchangeUnavailable
from connector.events import BookSnapshot, Event
from connector.exchanges import binance
from connector.lifecycle import Connected, Connecting, Disconnected, Subscribed
from connector.testing import Fault, FaultPlan, Silent, When
from connector.testing.venues.rules import VENUES
from tests.faults.world import (
    BOOK,
    BOOK_STREAM,
    QUICK,
    TRADES,
    World,
    book,
    narrowed,
    open_world,
    take,
    take_until_gap,
    trade,
)


def tasks_below(nursery: trio.Nursery) -> list[trio.lowlevel.Task]:
    """Every task alive in a nursery, found without asking the package."""
    found = []
    waiting = list(nursery.child_tasks)
    while waiting:
        task = waiting.pop()
        found.append(task)
        for child in task.child_nurseries:
            waiting += child.child_tasks
    return found


def check_counts(world: World, nursery: trio.Nursery) -> None:
    """What statistics say of tasks and sockets is what trio and the network say."""
    statistics = world.adapter.statistics()
    tasks = tasks_below(nursery)
    assert statistics.tasks == len(tasks)
    # One task starts the links, and every other belongs to one of them.
    assert sum(link.tasks for link in statistics.links) == len(tasks) - 1
    assert statistics.sockets_open == len(world.network.connections)
    assert statistics.sockets_open <= world.network.ledger.open_now() <= len(statistics.links)
    assert statistics.sessions_open <= statistics.sockets_open
    assert all(link.sockets_open <= 1 and link.sessions_open <= 1 for link in statistics.links)


# Routes.


async def test_each_route_has_a_link_of_its_own(autojump_clock: MockClock) -> None:
    async with (
        open_world(links=2) as world,
        world.adapter.subscribe(TRADES, BOOK, AggregateTrades("ETHUSDC")) as feed,
    ):
        events = await take(feed, 30)

        assert {isinstance(event, BookSnapshot) for event in events} == {True, False}
        by_route = {each.route: set(each.subscriptions) for each in world.exchange.connections}
        assert by_route == {
            "/public": {BOOK_STREAM},
            "/market": {"ethusdc@trade", "ethusdc@aggTrade"},
        }
        assert world.exchange.max_concurrent_by_route == {"/public": 1, "/market": 1}
        links = {link.name: link for link in world.adapter.statistics().links}
        assert set(links) == {"binance_usdm/public", "binance_usdm/market"}
        assert {link.streams for link in links.values()} == {1, 2}


async def test_one_route_breaks_and_the_other_does_not_notice(autojump_clock: MockClock) -> None:
    async with (
        open_world(links=2, reconnect=QUICK) as world,
        world.adapter.subscribe(TRADES, gaps=True) as trades,
        world.adapter.subscribe(BOOK, gaps=True) as books,
    ):
        await take(trades, 1)
        for _ in range(10):
            world.exchange.break_connections("reset", route="/market")
            await take_until_gap(trades)
            await take(trades, 1)

        assert {event.session for event in await take(books, 100)} == {1}
        assert world.reasons() == {"reset": 10}
        assert world.exchange.max_concurrent_by_route == {"/public": 1, "/market": 1}


async def test_spot_needs_one_link_for_everything(autojump_clock: MockClock) -> None:
    async with (
        open_world(venue="spot", source=Silent()) as world,
        world.adapter.subscribe(TRADES, AggregateTrades("BTCUSDC")),
    ):
        (connection,) = world.exchange.connections
        assert set(connection.subscriptions) == {"ethusdc@trade", "btcusdc@aggTrade"}


# Shards.


def coins(numbers: range) -> list[Trades]:
    return [Trades(f"COIN{number}USDT") for number in numbers]


async def test_the_stream_that_is_one_too_many_opens_a_second_link(
    autojump_clock: MockClock,
) -> None:
    async with open_world(links=2, source=Silent()) as world:
        async with world.adapter.subscribe(*coins(range(1024))) as feed:
            assert len(world.exchange.connections) == 1

            await feed.add(*coins(range(1024, 1025)))
            first, second = world.exchange.connections
            assert len(first.subscriptions) == 1024
            assert second.subscriptions == ("coin1024usdt@trade",)
            names = [link.name for link in world.adapter.statistics().links]
            assert names == ["binance_usdm/market", "binance_usdm/market#2"]
            for number in (0, 1023, 1024):
                world.exchange.publish(f"coin{number}usdt@trade", trade(f"coin{number}usdt", 1))
            symbols = {event.symbol for event in await take(feed, 3)}
            assert symbols == {"COIN0USDT", "COIN1023USDT", "COIN1024USDT"}

            # Room on the first one is used before a third is opened.
            await feed.discard(*coins(range(5)))
            await feed.add(*coins(range(2000, 2006)))
            await trio.sleep(2)
            assert len(first.subscriptions) == 1024
            assert len(second.subscriptions) == 2
            assert not world.exchange.log.of("violation")

        await trio.sleep(10)
        assert first.subscriptions == second.subscriptions == ()
        assert world.exchange.max_concurrent == 2
        assert not world.exchange.log.of("violation")


async def test_a_shard_that_breaks_restores_its_own_streams_only(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(
            links=4,
            source=Silent(),
            reconnect=QUICK,
            describe=narrowed(streams_per_connection=3),
        ) as world,
        world.adapter.subscribe(*coins(range(12))) as feed,
    ):
        before = {each.number: set(each.subscriptions) for each in world.exchange.connections}
        (second,) = [each for each in world.exchange.connections if each.number == 2]
        second.strike(Fault("reset"))
        await trio.sleep(2)
        after = {each.number: set(each.subscriptions) for each in world.exchange.connections}

        assert set(after) == {*before, 5} - {2}
        assert after[5] == before[2]
        for number in range(12):
            world.exchange.publish(f"coin{number}usdt@trade", trade(f"coin{number}usdt", 1))
        assert Counter(e.symbol for e in await take(feed, 12)).most_common(1)[0][1] == 1


# Row 38: many links lose their connection at once.


LINKS = 50


async def test_links_that_break_at_once_do_not_come_back_at_once(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(
            links=LINKS,
            source=Silent(),
            reconnect=Reconnect(initial=5, cap=10),
            describe=narrowed(streams_per_connection=1),
        ) as world,
        world.adapter.subscribe(*coins(range(LINKS)), gaps=True) as feed,
    ):
        broken_at = trio.current_time()
        assert world.exchange.break_connections("reset") == LINKS
        await trio.sleep(11)

        waits = sorted(dial - broken_at for dial in world.dials()[LINKS:])
        assert len(waits) == LINKS
        assert waits[0] < 2 and 3 < waits[-1] < 5.1
        assert max(Counter(int(wait) for wait in waits).values()) <= 25
        assert world.reasons() == {"reset": LINKS}
        assert len(world.exchange.connections) == LINKS
        # Fifty links, one feed: every channel is told of once.
        told: Counter[Any] = Counter()
        while feed.statistics().buffered:
            told.update((await feed.receive()).channels)  # type: ignore[union-attr]
        assert told == Counter(coins(range(LINKS)))


async def test_links_that_break_again_and_again_do_not_fall_into_step(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(
            links=LINKS,
            source=Silent(),
            reconnect=Reconnect(initial=1, cap=3),
            describe=narrowed(streams_per_connection=1),
        ) as world,
        world.adapter.subscribe(*coins(range(LINKS))),
    ):
        for _ in range(3):
            await trio.sleep(4)
            known = len(world.network.ledger)
            world.exchange.break_connections("reset")
        await trio.sleep(4)

        moments = Counter(round(dial, 2) for dial in world.dials()[known:])
        assert moments.total() == LINKS
        assert max(moments.values()) <= 8


async def test_the_connection_budget_of_the_host_holds_in_a_storm(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit, window = 100, 60.0
    strict = attrs.evolve(VENUES["usdm"], attempts_per_window=limit, window_seconds=window)
    monkeypatch.setitem(VENUES, "usdm", strict)
    async with (
        open_world(
            links=LINKS,
            source=Silent(),
            reconnect=Reconnect(initial=0.1, cap=0.2, jitter="none"),
            describe=narrowed(
                streams_per_connection=1, connections_per_window=limit, window_seconds=window
            ),
        ) as world,
        world.adapter.subscribe(*coins(range(LINKS))),
    ):
        with trio.move_on_after(2.5 * window):
            # The way to the exchange is now long, now short.
            for world.network.latency_seconds in itertools.cycle((0.001, 0.2, 0.001, 0.001)):
                await trio.sleep(2)
                world.exchange.break_connections("reset")

        # The budget is used and not exceeded: the exchange, who counts too, refused nobody.
        dials = world.dials()
        assert 2 * limit <= len(dials) <= 3 * limit
        assert all(new - old >= window for old, new in zip(dials, dials[limit:], strict=False))
        assert not world.exchange.log.of("rejected")
        with trio.fail_after(window + 10):
            await world.adapter.wait_connected()


async def test_two_adapters_share_the_budget_of_their_host(autojump_clock: MockClock) -> None:
    limits = narrowed(connections_per_window=4, window_seconds=60, streams_per_connection=1)
    async with (
        open_world(links=6, source=Silent(), describe=limits) as world,
        world.adapter.subscribe(*coins(range(3))),
    ):
        exchange = limits(binance.UsdMFutures(endpoints=world.exchange.endpoints))
        async with (
            open_adapter(exchange, dialer=world.network) as second,
            second.subscribe(*coins(range(3))),
        ):
            dials = world.dials()
            assert len(dials) == 6
            assert dials[3] - dials[0] < 1
            assert dials[4] - dials[0] >= 60


# wait_connected.


async def test_wait_connected_without_subscriptions_connects(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        assert len(world.network.ledger) == 0
        await world.adapter.wait_connected()

        (connection,) = world.exchange.connections
        assert connection.route == "/public"
        assert connection.subscriptions == ()
        (link,) = world.adapter.statistics().links
        assert link.state == "streaming"
        await world.adapter.wait_connected()
        assert len(world.network.ledger) == 1


async def test_wait_connected_waits_for_every_link_and_every_acknowledgement(
    autojump_clock: MockClock,
) -> None:
    plan = FaultPlan((Fault("no_ack", When(last=1, route="/market")),))
    async with open_world(links=2, faults=plan, reconnect=QUICK) as world:
        async with world.adapter.subscribe(BOOK), trio.open_nursery() as nursery:

            async def trades() -> None:
                async with world.adapter.subscribe(TRADES):
                    await trio.sleep_forever()

            world.exchange.inject(Fault("http_status", When(last=3), status=503))
            nursery.start_soon(trades)
            await trio.sleep(0.5)
            await world.adapter.wait_connected()

            streams = world.adapter.statistics().streams
            assert {name: stream.live for name, stream in streams.items()} == {
                BOOK_STREAM: True,
                "ethusdc@trade": True,
            }
            assert {link.state for link in world.adapter.statistics().links} == {"streaming"}
            world.exchange.break_connections("reset")
            await trio.sleep(0.01)
            with trio.move_on_after(0.1) as not_yet:
                await world.adapter.wait_connected()
            assert not_yet.cancelled_caught
            await world.adapter.wait_connected()
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("channels", [(), (BOOK,), (BOOK, TRADES)], ids=len)
async def test_wait_connected_after_reconnect_waits_for_the_next_sessions(
    channels: tuple[Channel[Event], ...], autojump_clock: MockClock
) -> None:
    async with open_world(links=max(len(channels), 1), reconnect=QUICK) as world:
        async with AsyncExitStack() as subscribed:
            if channels:
                await subscribed.enter_async_context(world.adapter.subscribe(*channels))
            await world.adapter.wait_connected()
            for session in range(2, 5):
                world.adapter.reconnect()
                await world.adapter.wait_connected()

                for link in world.adapter.statistics().links:
                    assert (link.session, link.state) == (session, "streaming")
                assert world.adapter.statistics().sockets_open == max(len(channels), 1)


async def test_wait_connected_ends_with_the_reason_when_the_adapter_gives_up(
    autojump_clock: MockClock,
) -> None:
    plan = FaultPlan((Fault("http_status", status=503),))
    with pytest.raises(ExchangeUnavailable, match="gave up after 4 failed attempts"):
        async with open_world(faults=plan, reconnect=Reconnect(max_attempts=4)) as world:
            await world.adapter.wait_connected()


async def test_a_link_that_gives_up_takes_the_others_with_it(autojump_clock: MockClock) -> None:
    closed: list[bool] = []
    with pytest.raises(ConnectorError, match="HTTP status 451"):
        patience = Reconnect(max_attempts=2)
        async with (
            open_world(links=2, reconnect=patience) as world,
            world.adapter.subscribe(BOOK) as feed,
        ):
            await take(feed, 1)
            world.exchange.inject(Fault("http_status", status=451))
            try:
                async with world.adapter.subscribe(TRADES):
                    raise AssertionError("unreachable")
            finally:
                closed.append(True)

    assert closed


# lifecycle.


async def test_lifecycle_ends_after_telling_the_end(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        await world.adapter.wait_connected()

    told = world.happened()
    assert [type(event) for event in told] == [Connecting, Connected, Subscribed, Disconnected]
    assert isinstance(told[-1], Disconnected) and told[-1].reason == "left"
    with pytest.raises(trio.EndOfChannel):
        await world.lifecycle.receive()
    assert [event async for event in world.lifecycle] == []
    with pytest.raises(trio.ClosedResourceError):
        world.adapter.lifecycle()


async def test_lifecycle_names_the_link_and_numbers_its_sessions(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(links=2, reconnect=Reconnect(initial=0.1, cap=0.2)) as world,
        world.adapter.subscribe(TRADES, BOOK),
    ):
        for _ in range(5):
            await trio.sleep(1)
            world.exchange.break_connections("fin", route="/market")
        await trio.sleep(1)

        told: dict[str, list[int]] = {}
        for event in world.happened():
            if isinstance(event, Connected):
                told.setdefault(event.link, []).append(event.session)
        assert told == {
            "binance_usdm/public": [1],
            "binance_usdm/market": [1, 2, 3, 4, 5, 6],
        }


async def test_a_lifecycle_feed_that_nobody_reads_stays_bounded(autojump_clock: MockClock) -> None:
    plan = FaultPlan((Fault("accept_close"),))
    async with open_world(
        faults=plan,
        reconnect=Reconnect(initial=0.01, cap=0.01),
        describe=narrowed(connections_per_window=10_000),
    ) as world:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.adapter.wait_connected)
            while len(world.network.ledger) < 520:
                await trio.sleep(0.1)
            nursery.cancel_scope.cancel()

        told = world.happened()
        assert len(told) == 1024
        assert isinstance(told[-1], Connecting | Disconnected)
        assert told[-1].session >= 520


# statistics.


async def test_statistics_count_tasks_and_sockets_as_they_are(autojump_clock: MockClock) -> None:
    async with open_world(links=3, reconnect=QUICK) as world:
        nursery = trio.lowlevel.current_task().child_nurseries[-1]
        states: set[str] = set()
        assert world.adapter.statistics().tasks == len(nursery.child_tasks) == 1
        channels = (TRADES, BOOK, MarkPrices("ETHUSDC", interval_ms=1000))
        async with (
            world.adapter.subscribe(*channels[:1], gaps=True),
            trio.open_nursery() as others,
        ):

            async def subscribe_and_leave() -> None:
                while True:
                    async with world.adapter.subscribe(*channels) as feed:
                        with trio.move_on_after(1.5):
                            async for _ in feed:
                                pass

            async def break_it() -> None:
                for kind in itertools.cycle(("reset", "close", "half_open", "fin")):
                    await trio.sleep(2.3)
                    world.exchange.break_connections(kind)  # type: ignore[arg-type]

            others.start_soon(subscribe_and_leave)
            others.start_soon(break_it)
            world.network.fail_dials("hang", times=2)
            for _ in range(3000):
                await trio.sleep(0.013)
                check_counts(world, nursery)
                states |= {link.state for link in world.adapter.statistics().links}
            others.cancel_scope.cancel()

        assert states >= {"waiting", "connecting", "subscribing", "streaming"}


async def test_statistics_count_what_the_exchange_has_sent(autojump_clock: MockClock) -> None:
    async with (
        open_world(source=Silent(), reconnect=QUICK) as world,
        world.adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        sent = 0
        overhead = set()
        for session in (1, 2, 3):
            first = world.adapter.statistics()
            for number in range(1, 101):
                world.exchange.publish(BOOK_STREAM, book("ethusdc", number))
            await trio.sleep(1)
            (connection,) = world.exchange.connections
            assert connection.messages_sent == 100
            sent += connection.bytes_sent
            last = world.adapter.statistics()
            overhead.add(last.wire_bytes - sent - (session - 1) * max(overhead, default=0))

            assert last.messages - first.messages == 100
            assert last.messages == 100 * session
            assert last.streams[BOOK_STREAM].messages == 100 * session
            assert last.sessions_opened == session
            assert last.sessions_open == last.sockets_open == 1
            assert 0 < last.streams[BOOK_STREAM].payload_bytes < last.payload_bytes
            assert last.payload_bytes < last.wire_bytes
            assert (last.decode_errors, last.unknown_messages, last.drops) == (0, 0, 0)
            assert last.gaps == session - 1
            for name in ("messages", "wire_bytes", "payload_bytes", "sessions_opened"):
                assert getattr(last, name) == sum(getattr(link, name) for link in last.links)
            world.exchange.break_connections("fin")
            await trio.sleep(1)

        # What the adapter read beyond the frames is the answer to the handshake, each time.
        (handshake,) = overhead
        assert 100 < handshake < 200
        assert feed.statistics().gaps == 3
