"""Rows 35 and 40 of the fault table: an end that was announced, and clocks that jump."""

from __future__ import annotations

import time
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector.channels import AggregateTrades
from connector.events import Gap
from connector.lifecycle import Connected, Connecting, Disconnected, ShutdownAnnounced, Stale
from connector.testing import Audience, Fault, Silent
from tests.faults.world import (
    BOOK,
    QUICK,
    TRADES,
    narrowed,
    open_world,
    take,
    take_until_gap,
    trade,
)

LIFETIME = 910.0
MARGIN = (300.0, 900.0)
"""How long before the exchange's limit a session may end itself."""


@attrs.frozen
class Bursts:
    """Trades in bursts: 20 within 4 s, then 4 s without.

    The session looks every second, counted from the handshake: never just before a burst.
    """

    def begin(self, audience: Audience) -> BurstsPlayer:
        return BurstsPlayer(audience)


@attrs.frozen
class BurstsPlayer:
    audience: Audience
    symbols: tuple[str, ...] = ()

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        return None

    async def play(self) -> None:
        trade_id = 0
        while True:
            for _ in range(20):
                trade_id += 1
                for stream in self.audience.streams:
                    self.audience.publish(stream, trade("ethusdc", trade_id))
                await trio.sleep(0.2)
            await trio.sleep(4)


# Row 35: the exchange closes connections of a certain age.


async def test_a_session_ends_itself_before_its_age_limit(autojump_clock: MockClock) -> None:
    async with (
        open_world(
            source=Silent(),
            reconnect=QUICK,
            describe=narrowed(lifetime_seconds=LIFETIME),
            exchange_options={"lifetime_seconds": LIFETIME},
        ) as world,
        world.adapter.subscribe(TRADES, gaps=True) as feed,
    ):
        for session in (1, 2, 3):
            gap = await feed.receive()
            assert isinstance(gap, Gap)
            assert (gap.reason, gap.channels) == ("disconnected", (TRADES,))
            with trio.move_on_after(10):
                await feed.receive()
            record = list(world.network.ledger)[session - 1]
            assert record.ended is not None
            age = record.ended - record.began
            assert LIFETIME - MARGIN[1] <= age <= LIFETIME - MARGIN[0] + 15

        assert world.reasons() == {"age": 3}
        assert world.adapter.statistics().gaps == 3
        # It was a polite farewell, of the client's.
        ends = [entry.detail for entry in world.exchange.log.of("disconnected")]
        assert ends == ["closed by the client: 1000"] * 3
        (first, *_) = [e for e in world.happened() if isinstance(e, Disconnected)]
        assert (first.reason, first.retry_seconds) == ("age", QUICK.initial)


async def test_links_of_one_age_do_not_end_together(autojump_clock: MockClock) -> None:
    async with (
        open_world(
            source=Silent(),
            reconnect=QUICK,
            links=8,
            describe=narrowed(lifetime_seconds=LIFETIME, streams_per_connection=1),
        ) as world,
        world.adapter.subscribe(*(AggregateTrades(f"COIN{n}USDT") for n in range(8))),
    ):
        await trio.sleep(LIFETIME - MARGIN[0] + 15)

        firsts = list(world.network.ledger)[:8]
        ends = [record.ended for record in firsts if record.ended is not None]
        assert len(ends) == 8
        assert max(ends) - min(ends) > 60


async def test_a_quiet_moment_is_waited_for_so_that_nothing_is_missed(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(
            source=Bursts(),
            reconnect=QUICK,
            describe=narrowed(lifetime_seconds=LIFETIME),
            exchange_options={"lifetime_seconds": LIFETIME},
        ) as world,
        world.adapter.subscribe(TRADES, gaps=True) as feed,
    ):
        events: list[Any] = []
        while not events or events[-1].session < 3:
            events += await take(feed, 1)

        trades = [event.trade_id for event in events if not isinstance(event, Gap)]
        assert trades == list(range(trades[0], trades[0] + len(trades)))
        assert [e.reason for e in events if isinstance(e, Gap)] == ["disconnected"] * 2
        assert world.reasons() == {"age": 2}


async def test_a_busy_market_does_not_keep_a_session_beyond_its_time(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(
            reconnect=QUICK,
            describe=narrowed(lifetime_seconds=LIFETIME),
            exchange_options={"lifetime_seconds": LIFETIME},
        ) as world,
        world.adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        _, gap = await take_until_gap(feed)
        (event,) = await take(feed, 1)

        assert gap.reason == "disconnected"
        assert event.session == 2
        assert world.reasons() == {"age": 1}
        assert trio.current_time() < LIFETIME - MARGIN[0] + 15


# Row 35: the exchange says that it is about to go.


@pytest.mark.parametrize("busy", [False, True], ids=["quiet", "busy"])
@pytest.mark.parametrize("notice", [6.0, 10.0, 600.0])
async def test_an_announced_shutdown_is_one_gap(
    autojump_clock: MockClock, busy: bool, notice: float
) -> None:
    async with (
        open_world(
            venue="spot",
            source=EveryStream() if busy else Silent(),
            reconnect=QUICK,
            exchange_options={
                "lifetime_seconds": notice + 20,
                "shutdown_notice_seconds": notice,
            },
        ) as world,
        world.adapter.subscribe(TRADES, gaps=True) as feed,
    ):
        await trio.sleep(1)
        world.happened()
        old, gap = await take_until_gap(feed)
        with trio.move_on_after(15):
            new = await take(feed, 1)
            assert busy and new[0].session == 2

        announced, ended, _, connected, *_ = world.happened()
        assert isinstance(announced, ShutdownAnnounced)
        assert announced.detail == "serverShutdown"
        assert isinstance(ended, Disconnected)
        assert ended.reason == "shutdown"
        assert isinstance(connected, Connected)
        assert gap.reason == "disconnected"
        assert world.reasons() == {"shutdown": 1}
        assert world.adapter.statistics().gaps == 1
        assert busy == bool(old)
        # Before the exchange did it, and not at the very moment at which everybody hears of it.
        (record, _) = world.network.ledger
        assert record.ended is not None
        assert 20.5 <= record.ended - record.began < 26


@attrs.frozen
class EveryStream:
    """Ten messages a second of whatever is subscribed."""

    def begin(self, audience: Audience) -> EveryStreamPlayer:
        return EveryStreamPlayer(audience)


@attrs.frozen
class EveryStreamPlayer:
    audience: Audience
    symbols: tuple[str, ...] = ()

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        return None

    async def play(self) -> None:
        trade_id = 0
        while True:
            trade_id += 1
            for stream in self.audience.streams:
                self.audience.publish(stream, trade("ethusdc", trade_id))
            await trio.sleep(0.1)


async def test_a_shutdown_that_comes_quicker_than_announced_is_one_gap_too(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(venue="spot", source=EveryStream(), reconnect=QUICK) as world,
        world.adapter.subscribe(TRADES, gaps=True) as feed,
    ):
        await take(feed, 15)
        world.happened()
        world.exchange.break_connections(Fault("server_shutdown", after_seconds=0.1))
        await take_until_gap(feed)
        (event,) = await take(feed, 1)
        with trio.move_on_after(30):
            async for each in feed:
                assert not isinstance(each, Gap)

        assert event.session == 2
        assert world.reasons() == {"closed": 1}
        assert isinstance(world.happened()[0], ShutdownAnnounced)


async def test_a_shutdown_announced_again_and_again_ends_one_session(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(venue="spot", source=EveryStream(), reconnect=QUICK) as world,
        world.adapter.subscribe(TRADES, gaps=True) as feed,
    ):
        await take(feed, 5)
        for _ in range(100):
            world.exchange.break_connections(Fault("server_shutdown", after_seconds=60))
        await take_until_gap(feed)
        with trio.move_on_after(120):
            async for each in feed:
                assert not isinstance(each, Gap)

        assert world.reasons() == {"shutdown": 1}


async def test_planned_ends_are_no_failures(autojump_clock: MockClock) -> None:
    async with (
        open_world(reconnect=QUICK) as world,
        world.adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        for _ in range(10):
            await take(feed, 1)
            world.adapter.reconnect()
            await take_until_gap(feed)
        await take(feed, 1)

        told = world.happened()
        assert {e.retry_seconds for e in told if isinstance(e, Disconnected)} == {QUICK.initial}
        assert {e.attempt for e in told if isinstance(e, Connecting)} == {1}


# Row 40: the wall clock jumps, and no timer of ours looks at it.

YEAR_NS = 365 * 86_400 * 10**9


@pytest.mark.parametrize("jump_ns", [YEAR_NS, -YEAR_NS, -3_600_000_000_000])
async def test_a_jump_of_the_wall_clock_moves_no_timer(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, jump_ns: int
) -> None:
    async with (
        open_world(reconnect=QUICK, stale_after=2) as world,
        world.adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        (before, *_) = await take(feed, 5)
        world.happened()
        real = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: real() + jump_ns)
        after = await take(feed, 600)

        assert {event.session for event in after} == {1}
        assert world.happened() == []
        # What is stamped says what the clock says.
        assert abs(after[-1].received_ns - before.received_ns - jump_ns) < 60 * 10**9

        world.exchange.break_connections("mute")
        muted_at = trio.current_time()
        await take_until_gap(feed)
        await take(feed, 1)

        assert trio.current_time() - muted_at < 2 * 1.25 + 1
        stale, ended, *_ = world.happened()
        assert isinstance(stale, Stale) and isinstance(ended, Disconnected)
        assert ended.retry_seconds == QUICK.initial
        assert world.dials()[1] - world.dials()[0] < 70


async def test_a_machine_that_slept_finds_its_connection_again(autojump_clock: MockClock) -> None:
    # Where the monotonic clock counts sleep, everything seems silent at once on waking.
    async with (
        open_world(reconnect=QUICK) as world,
        world.adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        await take(feed, 5)
        autojump_clock.jump(3600)
        events = await take(feed, 50)

        assert {event.session for event in events if not isinstance(event, Gap)} <= {1, 2}
        assert sum(isinstance(event, Gap) for event in events) <= 1
        assert world.exchange.max_concurrent == 1
