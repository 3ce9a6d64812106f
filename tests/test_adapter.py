"""What an adapter says of itself: a program decides by it, so every word of it must be right."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints

from connector import Overflow
from connector.channels import BestQuote
from connector.errors import ConfigError
from connector.lifecycle import Connected, Disconnected, Subscribed
from connector.testing import Fault, FaultPlan
from tests.faults.world import BOOK, QUICK, World, open_world, take

STATES = {"idle", "waiting", "connecting", "subscribing", "streaming", "closing"}


def only_state(world: World) -> str:
    (link,) = world.adapter.statistics().links
    return link.state


async def test_the_end_of_a_session_says_that_it_was_connected_and_why_it_ended(
    autojump_clock: MockClock,
) -> None:
    async with open_world(reconnect=QUICK) as world, world.adapter.subscribe(BOOK) as feed:
        world.exchange.break_connections(Fault("close", code=1011, message="maintenance"))
        await trio.sleep(2)
        await take(feed, 2)

        (ended,) = [each for each in world.happened() if isinstance(each, Disconnected)]

    assert ended.reason == "closed"
    assert ended.connected is True
    assert ended.detail == "maintenance"
    assert ended.retry_seconds == 0.25


async def test_a_failed_attempt_says_that_it_was_not_connected(autojump_clock: MockClock) -> None:
    faults = FaultPlan((Fault("refuse", times=1),))
    async with (
        open_world(reconnect=QUICK, faults=faults) as world,
        world.adapter.subscribe(BOOK) as feed,
    ):
        await take(feed, 1)

        (ended,) = [each for each in world.happened() if isinstance(each, Disconnected)]

    assert ended.reason == "unavailable"
    assert ended.connected is False


async def test_the_state_of_a_link_is_told_from_the_first_moment_to_the_last(
    autojump_clock: MockClock,
) -> None:
    async with open_world(reconnect=QUICK) as world:
        seen = set()
        async with world.adapter.subscribe(BOOK) as feed, trio.open_nursery() as nursery:
            await world.adapter.wait_connected()
            assert only_state(world) == "streaming"
            nursery.start_soon(feed.add, BestQuote("ETHUSDC"))
            while only_state(world) == "streaming":
                await trio.sleep(0.0001)
            assert only_state(world) == "subscribing"
            await world.adapter.wait_connected()
            assert only_state(world) == "streaming"
            world.exchange.break_connections("reset")
            for _ in range(4000):
                seen.add(only_state(world))
                await trio.sleep(0.0001)
            await take(feed, 1)

    assert {"waiting", "connecting", "subscribing", "streaming"} <= seen <= STATES


async def test_a_link_that_has_not_begun_is_idle(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        link = world.adapter._loops.link_for("public")
        assert link.statistics().state == "idle"
        assert link.statistics().tasks == 0
        assert link.statistics().session == 0


async def test_one_convergence_is_announced_once(autojump_clock: MockClock) -> None:
    async with open_world() as world, world.adapter.subscribe(BOOK) as feed:
        await take(feed, 5)
        await feed.add(BestQuote("ETHUSDC"))
        await take(feed, 5)

        told = [each for each in world.happened() if isinstance(each, Connected | Subscribed)]

    assert [type(each) for each in told] == [Connected, Subscribed, Subscribed]
    assert [each.streams for each in told if isinstance(each, Subscribed)] == [1, 2]


async def test_what_a_feed_has_dropped_is_counted_when_it_is_gone(
    autojump_clock: MockClock,
) -> None:
    async with open_world() as world:
        for lost in (0, 1):
            before = world.adapter.statistics().drops
            async with world.adapter.subscribe(
                BOOK, buffer=1, overflow=Overflow.DROP_OLDEST
            ) as feed:
                await trio.sleep(2)
                dropped = feed.statistics().dropped
                assert dropped > lost
                assert world.adapter.statistics().drops == before + dropped
            assert world.adapter.statistics().drops == before + dropped


async def test_what_is_there_already_is_waited_for_with_a_checkpoint(
    autojump_clock: MockClock,
) -> None:
    async with open_world() as world, world.adapter.subscribe(BOOK) as feed:
        with assert_checkpoints():
            await world.adapter.wait_connected()
        with assert_checkpoints():
            await feed.add(BOOK)
        with assert_checkpoints(), pytest.raises(ConfigError):
            await feed.add("ethusdc@depth5")  # type: ignore[arg-type]
