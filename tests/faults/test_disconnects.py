"""Rows 1–6, 13–15, 21, 22, 39 of the fault table: the connection ends, in every way."""

from __future__ import annotations

import itertools

import pytest
import trio
from trio.testing import MockClock

from connector import Reconnect
from connector.events import BookSnapshot
from connector.lifecycle import Connected, Connecting, Disconnected
from connector.testing import Fault, FaultPlan, When
from tests.faults.world import BOOK, QUICK, open_world, take, take_until_gap

ENDS = [
    pytest.param(Fault("close", code=1000), "closed", id="1 close 1000"),
    pytest.param(Fault("close", code=1001), "closed", id="2 close 1001"),
    pytest.param(Fault("close", code=1011), "closed", id="3 close 1011"),
    pytest.param(Fault("reset"), "reset", id="4 RST"),
    pytest.param(Fault("fin"), "eof", id="5 FIN"),
    pytest.param(Fault("close_and_hold"), "closed", id="6 close, TCP held open"),
    pytest.param(Fault("bad_reserved_bits"), "protocol error", id="21 reserved bits"),
    pytest.param(Fault("bad_mask"), "protocol error", id="21 masked"),
    pytest.param(Fault("bad_opcode"), "protocol error", id="21 opcode"),
    pytest.param(Fault("bad_length"), "protocol error", id="21 length"),
    pytest.param(Fault("bad_utf8"), "protocol error", id="22 UTF-8"),
    pytest.param(Fault("oversized"), "too big", id="22 oversized"),
]


@pytest.mark.parametrize(("fault", "reason"), ENDS)
async def test_one_end_one_gap_one_new_session(
    autojump_clock: MockClock, fault: Fault, reason: str
) -> None:
    async with (
        open_world(reconnect=QUICK) as world,
        world.adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        before = await take(feed, 5)
        broken_at = trio.current_time()
        world.exchange.break_connections(fault)
        old, gap = await take_until_gap(feed)
        noticed_after = trio.current_time() - broken_at
        new = await take(feed, 5)

        assert {event.session for event in before + old} == {1}
        assert {event.session for event in new} == {2}
        assert gap.reason == "disconnected"
        assert gap.channels == (BOOK,)
        assert gap.since_ns is not None and gap.since_ns >= before[-1].received_ns
        # trio-websocket notices a message that is too big only when it has read up to the limit.
        assert noticed_after < (2 if reason == "too big" else 0.3)
        assert world.reasons() == {reason: 1}
        # Both sides agree that one connection is open: ours in sockets, theirs in connections.
        assert world.adapter.statistics().sockets_open == 1
        assert world.exchange.max_concurrent == 1
        assert world.network.ledger.open_now() == 1


async def test_nothing_of_the_old_session_after_connected_of_the_new(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(reconnect=QUICK) as world,
        world.adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        async with trio.open_nursery() as nursery:
            connected = 1
            world.happened()

            async def breaks() -> None:
                for _ in range(20):
                    await trio.sleep(1.0)
                    world.exchange.break_connections("fin")
                nursery.cancel_scope.cancel()

            nursery.start_soon(breaks)
            async for event in feed:
                for happened in world.happened():
                    if isinstance(happened, Connected):
                        connected = happened.session
                if isinstance(event, BookSnapshot):
                    assert event.session == connected

    assert world.exchange.max_concurrent == 1


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        pytest.param(Fault("accept_close"), "unavailable", id="13 close at accept"),
        pytest.param(Fault("close", When(age_seconds=0), code=1000), "closed", id="13 close 1000"),
        pytest.param(Fault("close_at_first_data"), "closed", id="14 close at first data"),
        pytest.param(Fault("accept_reset"), "unavailable", id="15 RST at accept"),
    ],
)
async def test_a_server_that_accepts_and_closes_sees_growing_intervals(
    autojump_clock: MockClock, plan: Fault, reason: str
) -> None:
    reconnect = Reconnect(initial=0.25, cap=10, jitter="none")
    async with open_world(faults=FaultPlan((plan,)), reconnect=reconnect) as world:
        with trio.move_on_after(120):
            async with world.adapter.subscribe(BOOK) as feed:
                async for _ in feed:
                    pass

        dials = world.dials()
        intervals = [new - old for old, new in itertools.pairwise(dials)]
        assert set(world.reasons()) == {reason}
        # 0.25, 0.5, 1, 2, 4, 8, 10, 10 … : the cap is reached, and kept.
        assert all(new > 1.5 * old for old, new in itertools.pairwise(intervals[:5]))
        assert all(interval >= 10 for interval in intervals[6:])
        assert 10 <= len(dials) <= 20


async def test_backoff_is_reset_by_stable_data_only(autojump_clock: MockClock) -> None:
    reconnect = Reconnect(initial=0.5, cap=60, jitter="none", stable_after=10)
    plan = FaultPlan((Fault("close_at_first_data", When(last=5)),))
    async with (
        open_world(faults=plan, reconnect=reconnect) as world,
        world.adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        while (await feed.receive()).session < 6:
            pass
        with trio.move_on_after(4):  # data, but not for long enough
            async for _ in feed:
                pass
        world.happened()
        world.exchange.break_connections("reset")
        while (await feed.receive()).session < 7:
            pass
        (unstable,) = [each for each in world.happened() if isinstance(each, Disconnected)]
        with trio.move_on_after(11):
            async for _ in feed:
                pass
        world.exchange.break_connections("reset")
        while (await feed.receive()).session < 8:
            pass
        (stable,) = [each for each in world.happened() if isinstance(each, Disconnected)]

        assert unstable.retry_seconds == 0.5 * 2**5
        assert stable.retry_seconds == 0.5


async def test_max_attempts_gives_up_with_the_reason(autojump_clock: MockClock) -> None:
    plan = FaultPlan((Fault("accept_close"),))
    reconnect = Reconnect(initial=0.25, max_attempts=3)
    with pytest.raises(Exception, match="gave up after 3 failed attempts") as caught:
        async with open_world(faults=plan, reconnect=reconnect) as world:
            async with world.adapter.subscribe(BOOK):
                raise AssertionError("unreachable")

    assert not isinstance(_innermost(caught.value), ExceptionGroup)


def _innermost(error: BaseException) -> BaseException:
    """The simulated exchange's nursery wraps what crosses it; the adapter's does not."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


async def test_hundreds_of_disconnects_leave_nothing_behind(autojump_clock: MockClock) -> None:
    kinds = itertools.cycle(("reset", "fin", "close", "bad_mask", "bad_utf8"))
    async with (
        open_world(reconnect=Reconnect(initial=0.01, cap=0.02)) as world,
        world.adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        await take(feed, 3)
        first = world.adapter.statistics()
        for _ in range(400):
            world.exchange.break_connections(next(kinds))  # type: ignore[arg-type]
            await take_until_gap(feed)
            await take(feed, 1)
            world.happened()
        last = world.adapter.statistics()

        assert last.sessions_opened == 401
        assert last.tasks == first.tasks
        assert last.sockets_open == first.sockets_open == 1
        assert len(last.links) == len(first.links) == 1
        assert last.feeds[0].buffered <= 2
        assert list(last.streams) == list(first.streams)
        assert world.exchange.max_concurrent == 1
        assert last.gaps == 400


async def test_reconnect_on_request_is_polite_and_opens_one_session(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_world(reconnect=QUICK) as world,
        world.adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        await take(feed, 3)
        world.adapter.reconnect()
        world.adapter.reconnect()
        _, gap = await take_until_gap(feed)
        new = await take(feed, 3)

        assert gap.reason == "disconnected"
        assert {event.session for event in new} == {2}
        assert world.reasons() == {"requested": 1}
        entries = [str(entry) for entry in world.exchange.log]
        assert any("closed by the client: 1000" in entry for entry in entries)


async def test_lifecycle_tells_the_story_in_order(autojump_clock: MockClock) -> None:
    async with (
        open_world(reconnect=QUICK) as world,
        world.adapter.subscribe(BOOK, gaps=True) as feed,
    ):
        await take(feed, 1)
        world.exchange.break_connections(Fault("close", code=1011, message="bye"))
        await take_until_gap(feed)
        await take(feed, 1)
        names = [type(event).__name__ for event in world.happened()]

        one = ["Connecting", "Connected", "Subscribed"]
        assert names == [*one, "Disconnected", *one]


async def test_connecting_counts_the_attempts(autojump_clock: MockClock) -> None:
    plan = FaultPlan((Fault("accept_close", When(last=3)),))
    async with open_world(faults=plan, reconnect=QUICK) as world:
        async with world.adapter.subscribe(BOOK):
            attempts = [e.attempt for e in world.happened() if isinstance(e, Connecting)]

    assert attempts == [1, 2, 3, 4]
