"""What an adapter says of itself: a program decides by it, so every word of it must be right."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints

from connector import Overflow, open_adapter
from connector.adapter.book_subscription import BookSubscription
from connector.channels import AggregateTrades, BestQuote, OrderBook
from connector.errors import ConfigError
from connector.exchanges import binance
from connector.lifecycle import Connected, Connecting, Disconnected, Subscribed
from connector.testing import Fault, FaultPlan, MemoryNetwork, OrderFlow, open_exchange
from tests.faults.world import BOOK, QUICK, TRADES, Pulse, World, open_world, take

STATES = {"idle", "waiting", "connecting", "subscribing", "streaming", "closing"}


def only_state(world: World) -> str:
    (link,) = world.adapter.statistics().links
    return link.state


async def test_the_end_of_a_session_says_that_it_was_connected_and_why_it_ended(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
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
    # Who does not read the lifecycle finds it in the log.
    assert "maintenance" in caplog.text


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


async def test_events_dropped_by_a_closed_feed_stay_counted(
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


async def test_waiting_for_an_existing_state_executes_a_checkpoint(
    autojump_clock: MockClock,
) -> None:
    async with open_world() as world, world.adapter.subscribe(BOOK) as feed:
        await world.adapter.wait_connected()
        with assert_checkpoints():
            await world.adapter.wait_connected()
        with assert_checkpoints():
            await feed.add(BOOK)
        with assert_checkpoints(), pytest.raises(ConfigError):
            await feed.add("ethusdc@depth5")  # type: ignore[arg-type]


class Clinging(MemoryNetwork):
    """A dialer that does not come back from closing a connection, until it is cancelled."""

    @asynccontextmanager
    async def connect(self, host: str, port: int) -> AsyncIterator[trio.abc.Stream]:
        async with super().connect(host, port) as stream:
            yield stream
        await trio.sleep_forever()


@pytest.mark.parametrize("close_timeout", [0.0, 3.0])
async def test_leaving_has_a_bound_though_a_dialer_has_none(
    autojump_clock: MockClock, close_timeout: float
) -> None:
    network = Clinging()
    async with open_world(network=network, close_timeout=close_timeout) as world:
        async with world.adapter.subscribe(BOOK) as feed:
            await take(feed, 1)
        left_at = trio.current_time()

    assert close_timeout < trio.current_time() - left_at <= close_timeout + 1


async def test_the_whole_close_timeout_is_there_for_a_polite_end(
    autojump_clock: MockClock,
) -> None:
    async with open_world(close_timeout=2) as world:
        async with world.adapter.subscribe(BOOK) as feed:
            await take(feed, 1)
        world.exchange.break_connections("half_open")
        left_at = trio.current_time()

    assert trio.current_time() - left_at == pytest.approx(2, abs=0.1)


async def test_the_latest_1024_lifecycle_events_are_kept_without_a_word_about_the_others(
    autojump_clock: MockClock,
) -> None:
    async with open_world() as world:
        told = [Connecting(link="toy/all", session=n, attempt=1, time_ns=n) for n in range(3_000)]
        for each in told:
            world.adapter.announce(each)

        assert world.happened() == told[-1024:]

        with world.adapter.lifecycle() as closed:
            world.adapter.announce(told[0])
            assert closed.receive_nowait() == told[0]
        world.adapter.announce(told[1])
        assert closed.statistics().buffered == 0
        with pytest.raises(trio.ClosedResourceError):
            closed.receive_nowait()


async def test_a_cancelled_addition_leaves_the_feed_unchanged(autojump_clock: MockClock) -> None:
    async with open_world() as world, world.adapter.subscribe(BOOK) as feed:
        world.exchange.break_connections("no_ack")
        with trio.move_on_after(1) as given_up:
            await feed.add(BestQuote("ETHUSDC"), BestQuote("BTCUSDC"))

        assert given_up.cancelled_caught
        assert feed.channels == (BOOK,)
        assert [stream.channel for stream in feed.streams()] == [BOOK]
        assert list(world.adapter.statistics().streams) == ["ethusdc@depth5@100ms"]


async def test_a_kept_adapter_says_what_it_was_and_does_nothing(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        adapter = world.adapter
        assert adapter.exchange.name == "binance_usdm"
        with pytest.raises(ConfigError, match="frames cannot replace each other"):
            with adapter.frames(overflow=Overflow.CONFLATE):
                raise AssertionError("unreachable")

    assert adapter.exchange.name == "binance_usdm"
    with pytest.raises(trio.ClosedResourceError, match="only inside its `async with`"):
        await adapter.instruments()
    with pytest.raises(trio.ClosedResourceError, match="only inside its `async with`"):
        with adapter.frames():
            raise AssertionError("unreachable")
    assert len(world.network.ledger) == 0


async def test_a_feed_that_rests_holds_back_the_links_that_it_reads_and_no_other(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(links=2) as world,
        world.adapter.subscribe(BOOK, TRADES, AggregateTrades("ETHUSDC"), buffer=4) as resting,
        world.adapter.subscribe(TRADES, buffer=100) as other,
    ):
        # It still has trades, which come over the other link.
        await resting.discard(AggregateTrades("ETHUSDC"))
        await trio.sleep(20)
        assert resting.statistics().buffered == 4
        held = other.statistics().buffered
        assert held < 10

        # Now it has books only.
        await resting.discard(TRADES)
        await trio.sleep(20)
        assert resting.statistics().buffered == 4
        assert other.statistics().buffered > held + 15


async def test_ctrl_c_waits_for_no_close_frame(autojump_clock: MockClock) -> None:
    network = MemoryNetwork()
    async with open_exchange("usdm", network=network, source=Pulse()) as exchange:
        venue = binance.UsdMFutures(endpoints=exchange.endpoints)
        with pytest.raises(KeyboardInterrupt):
            async with open_adapter(venue, dialer=network, close_timeout=60) as adapter:
                async with adapter.subscribe(BOOK) as feed:
                    await take(feed, 1)
                    exchange.break_connections("half_open")
                    pressed_at = trio.current_time()
                    raise KeyboardInterrupt
        assert trio.current_time() - pressed_at < 0.1
        assert network.ledger.open_now() == 0


def test_without_trio_there_is_a_clear_error_at_the_door() -> None:
    async def main() -> None:
        async with open_adapter(binance.Spot()):
            raise AssertionError("unreachable")

    with pytest.raises(ConfigError, match=r"needs trio: write trio\.run\(main\)"):
        asyncio.run(main())


@pytest.mark.parametrize("overflow", Overflow)
@pytest.mark.parametrize("channel", [TRADES, BOOK, OrderBook("ETHUSDC")])
async def test_an_adapter_that_was_left_is_freed_at_once(
    autojump_clock: MockClock, channel: Any, overflow: Overflow
) -> None:
    source = OrderFlow(symbols=("ETHUSDC", "BTCUSDC"))
    async with (
        open_world(links=3, source=source) as world,
        world.adapter.subscribe(BestQuote("BTCUSDC"), overflow=Overflow.DROP_OLDEST),
    ):
        gc.collect()
        gc.disable()
        try:
            async with world.adapter.subscribe(channel, overflow=overflow, buffer=4096) as feed:
                await feed.receive()
                await trio.sleep(3)  # it is looked at for silence
                held = [weakref.ref(feed), weakref.ref(feed.buffer)]
                for subscription in world.adapter._feeds[feed].values():
                    held += [weakref.ref(subscription), weakref.ref(subscription.wire)]
                    if isinstance(subscription, BookSubscription):
                        held.append(weakref.ref(subscription.book))
                del subscription
            del feed
            await trio.sleep(0.5)  # the exchange answers
            assert [ref() for ref in held if ref() is not None] == []
        finally:
            gc.enable()
