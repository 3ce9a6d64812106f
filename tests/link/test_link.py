"""The tripwires of a link: what its loop cannot do, a specimen does, and is stopped in time.

Each specimen is the seed bug in one line: something else than the loop makes an attempt. Behind
them: what a link counts, and how it draws its consequences, over more than one session.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import trio
from trio.testing import MockClock
from wsproto.handshake import H11Handshake

from connector import Adapter, open_adapter
from connector.channels import AnyChannel, BestQuote, PartialBook
from connector.errors import DecodeError, InvariantViolated
from connector.exchanges import binance
from connector.feeds import wakeup
from connector.lifecycle import Disconnected
from connector.link.link import Link
from connector.testing import MemoryNetwork, Silent, open_exchange
from tests.faults.test_leaving import LeakyNetwork
from tests.faults.world import (
    BOOK,
    BOOK_STREAM,
    QUICK,
    Pulse,
    book,
    open_world,
    take,
    take_until_gap,
)


def only_link(adapter: Adapter) -> Link:
    (link,) = adapter._loops
    return link


async def test_a_second_attempt_while_one_is_under_way_is_refused(
    autojump_clock: MockClock,
) -> None:
    network = MemoryNetwork()
    network.fail_dials("hang", times=1)
    async with open_exchange("usdm", network=network) as exchange:
        venue = binance.UsdMFutures(endpoints=exchange.endpoints)
        with pytest.raises(InvariantViolated, match="a second session of one link"):
            async with open_adapter(venue, dialer=network) as adapter:
                with trio.move_on_after(1):
                    await adapter.wait_connected()
                assert network.ledger.open_now() == 1
                await only_link(adapter)._attempt(2)

    assert len(network.ledger) == 1


async def test_an_attempt_while_a_session_streams_is_refused(autojump_clock: MockClock) -> None:
    with pytest.raises(InvariantViolated, match="the socket of the last session is still open"):
        async with open_world() as world, world.adapter.subscribe(BOOK) as feed:
            await take(feed, 1)
            await only_link(world.adapter)._attempt(2)

    assert len(world.network.ledger) == 1


async def test_a_socket_that_survives_its_session_stops_the_loop(
    autojump_clock: MockClock,
) -> None:
    """A dialer that does not close: no second socket beside the one that it left open."""
    network = LeakyNetwork()
    async with open_exchange("usdm", network=network, source=Pulse()) as exchange:
        venue = binance.UsdMFutures(endpoints=exchange.endpoints)
        with pytest.raises(InvariantViolated, match="the socket of the last session is still open"):
            async with open_adapter(venue, dialer=network, reconnect=QUICK) as adapter:
                async with adapter.subscribe(BOOK) as feed:
                    await take(feed, 1)
                    exchange.break_connections("reset")
                    await trio.sleep(60)

    assert len(network.ledger) == 1


async def test_a_link_at_rest_holds_three_tasks_and_no_handshake(
    autojump_clock: MockClock,
) -> None:
    """Its loop, the reader, and who takes what the reader passes up: each is a KiB or two."""

    def handshakes() -> set[int]:
        return {
            id(each) for each in gc.get_objects() if isinstance(each, H11Handshake) and each.client
        }

    before = handshakes()  # other tests may have left some
    async with open_world() as world, world.adapter.subscribe(BOOK) as feed:
        await take(feed, 1)
        await trio.sleep(90)  # pings included

        (link,) = world.adapter.statistics().links
        assert link.tasks == 3
        assert handshakes() <= before


async def test_an_interrupt_leaves_no_waiter_of_a_link_behind(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot strike between noting the task and waiting (`tests/feeds/test_wakeup.py`)."""
    really_wait = trio.lowlevel.wait_task_rescheduled
    protected: set[bool] = set()

    def wait(abort: Callable[[Any], trio.lowlevel.Abort]) -> Coroutine[Any, Any, Any]:
        protected.add(trio.lowlevel.currently_ki_protected())
        return really_wait(abort)

    monkeypatch.setattr(wakeup, "wait_task_rescheduled", wait)
    async with open_world() as world:
        await trio.sleep(1)
        async with world.adapter.subscribe(BOOK) as feed:
            await take(feed, 3)

    assert protected == {True}


async def test_the_counts_of_a_link_add_up_over_its_sessions(autojump_clock: MockClock) -> None:
    async with open_world(reconnect=QUICK) as world, world.adapter.subscribe(BOOK) as feed:
        (link,) = world.adapter._loops
        bytes_before = messages = 0
        between_tasks = 1  # only the loop itself
        for session in (1, 2, 3):
            events = await take(feed, 10)
            assert {each.session for each in events} == {session}
            messages += len(events)
            counted = link.statistics()
            assert (counted.session, counted.sessions_opened) == (session, session)
            assert (counted.messages, counted.sessions_open) == (messages, 1)
            assert counted.tasks > between_tasks
            assert 150 < counted.payload_bytes / messages < 200
            assert counted.wire_bytes - bytes_before > counted.payload_bytes // session
            newest = events[-1]
            assert counted.lag_seconds == (newest.received_ns - newest.exchange_time_ns) / 10**9
            bytes_before = counted.wire_bytes

            world.adapter.reconnect()
            while link.state != "waiting":
                await trio.sleep(0.001)
            between = link.statistics()
            assert (between.sessions_open, between.sockets_open, between.lag_seconds) == (
                0,
                0,
                None,
            )
            assert between.tasks == between_tasks
            assert (between.messages, between.reconnects) == (messages, {"requested": session})
            assert between.wire_bytes >= bytes_before


@pytest.mark.parametrize(
    ("channels", "symbol"),
    [
        ((PartialBook("ethUSDC"),), "ETHUSDC"),
        ((BOOK, BestQuote("ETHUSDC")), "ETHUSDC"),
        ((BOOK, BestQuote("BTCUSDT")), ""),
    ],
    ids=["one", "two", "two symbols"],
)
async def test_a_gap_names_the_symbol_when_there_is_only_one(
    autojump_clock: MockClock, channels: tuple[AnyChannel, ...], symbol: str
) -> None:
    async with open_world(reconnect=QUICK) as world:
        async with world.adapter.subscribe(*channels, gaps=True) as feed:
            (before,) = await take(feed, 1)
            world.exchange.break_connections("reset")
            _, gap = await take_until_gap(feed)

            assert gap.symbol == symbol
            assert (gap.channels, gap.session, gap.reason) == (channels, 1, "disconnected")
            assert gap.since_ns == before.received_ns


@pytest.mark.parametrize(("lived", "wait"), [(5.0, 0.25), (4.9, 1.0)], ids=["stable", "not yet"])
async def test_a_session_that_carried_data_for_long_enough_begins_the_backoff_anew(
    autojump_clock: MockClock, lived: float, wait: float
) -> None:
    async with open_world(reconnect=QUICK, source=Silent()) as world:
        async with world.adapter.subscribe(BOOK) as feed:
            for _ in range(2):
                world.exchange.break_connections("reset")
                await trio.sleep(2)
            (link,) = world.adapter._loops
            # The clock begins with the data, not with the handshake.
            await trio.sleep(6)
            world.exchange.publish(BOOK_STREAM, book("ethusdc", 1))
            await take(feed, 1)
            await trio.sleep(lived)
            world.happened()
            link.reconnect("reset")
            await trio.sleep(0.2)

            (ended,) = [each for each in world.happened() if isinstance(each, Disconnected)]
            assert (ended.reason, ended.retry_seconds) == ("reset", wait)


async def test_leaving_does_not_wait_for_the_next_dial(autojump_clock: MockClock) -> None:
    async with open_world(reconnect=QUICK) as world:
        async with world.adapter.subscribe(BOOK) as feed:
            await take(feed, 1)
    *_, ended = world.happened()

    assert isinstance(ended, Disconnected)
    assert (ended.reason, ended.retry_seconds) == ("left", 0)
    # It was no reconnect either.
    assert world.adapter.statistics().reconnects == {}


async def test_twins_see_whether_a_link_carries_what_is_wanted(autojump_clock: MockClock) -> None:
    async with open_world(reconnect=QUICK) as world:
        link = world.adapter._loops.link_for("public")
        assert not link.interrupted, "nothing is wanted"
        async with world.adapter.subscribe(BOOK) as feed:
            await world.adapter.wait_connected()
            assert not link.interrupted
            assert link.twins_carry_on() is True, "there are none"
            async with trio.open_nursery() as nursery:
                nursery.start_soon(feed.add, BestQuote("ETHUSDC"))
                while link.state == "streaming":
                    await trio.sleep(0.0001)
                assert link.interrupted, "not everything is carried"
            await world.adapter.wait_connected()
            assert not link.interrupted
            world.adapter.reconnect()
            assert link.interrupted, "its session is about to end"
            seen = set()
            while link.session == 1 or link.state != "streaming":
                assert link.interrupted
                seen.add(link.state)
                await trio.sleep(0.0001)
            assert {"waiting", "connecting", "subscribing"} <= seen
            assert not link.interrupted
        await trio.sleep(1)
        assert not link.interrupted
    assert not link.interrupted


async def test_a_frame_that_does_not_decode_is_told_and_the_session_goes_on(
    autojump_clock: MockClock,
) -> None:
    async with open_world(reconnect=QUICK) as world, world.adapter.subscribe(BOOK) as feed:
        await take(feed, 1)
        world.happened()
        world.exchange.break_connections("truncated_json")
        events = await take(feed, 10)

        (told,) = world.happened()
        assert isinstance(told, DecodeError)
        (link,) = world.adapter.statistics().links
        assert (link.decode_errors, link.session) == (1, 1)
        assert {event.session for event in events} == {1}
