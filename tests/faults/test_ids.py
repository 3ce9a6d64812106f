"""Row 37 of the fault table: ids that repeat, go back, or begin anew."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from connector.events import Gap
from connector.testing import Silent
from tests.faults.world import QUICK, TRADES, open_world, trade


async def test_restarted_ids_do_not_stall_a_stream_silently(autojump_clock: MockClock) -> None:
    async with (
        open_world(source=Silent()) as world,
        world.adapter.subscribe(TRADES, gaps=True) as feed,
    ):
        for trade_id in [1000, 1001, *range(1, 101)]:
            world.exchange.publish("ethusdc@trade", trade("ethusdc", trade_id))
        events = [await feed.receive()]
        while getattr(events[-1], "trade_id", None) != 100:
            events.append(await feed.receive())

    ids = [event.trade_id for event in events if not isinstance(event, Gap)]
    assert ids == [1000, 1001, *range(17, 101)]
    assert [event.reason for event in events if isinstance(event, Gap)] == ["sequence"]


async def test_duplicates_are_dropped_and_counted(autojump_clock: MockClock) -> None:
    async with (
        open_world(source=Silent()) as world,
        world.adapter.subscribe(TRADES, gaps=True) as feed,
    ):
        for trade_id in [1, 2, 2, 3, 1, 4]:
            world.exchange.publish("ethusdc@trade", trade("ethusdc", trade_id))
        ids = [(await feed.receive()).trade_id for _ in range(4)]
        statistics = world.adapter.statistics().streams["ethusdc@trade"]

    assert ids == [1, 2, 3, 4]
    assert statistics.duplicates == 2
    assert statistics.gaps == 0


async def test_missing_ids_are_a_gap(autojump_clock: MockClock) -> None:
    async with (
        open_world(source=Silent()) as world,
        world.adapter.subscribe(TRADES, gaps=True) as feed,
    ):
        for trade_id in [1, 2, 5]:
            world.exchange.publish("ethusdc@trade", trade("ethusdc", trade_id))
        events = [await feed.receive() for _ in range(4)]

    assert isinstance(events[2], Gap)
    assert events[2].reason == "sequence"
    assert events[3].trade_id == 5


@pytest.mark.parametrize("venue", ["spot", "usdm"])
async def test_a_trade_with_the_id_0_is_a_trade(autojump_clock: MockClock, venue: str) -> None:
    async with (
        open_world(venue=venue, source=Silent(), reconnect=QUICK) as world,
        world.adapter.subscribe(TRADES, gaps=True) as feed,
    ):
        for _ in range(2):
            for trade_id in [0, 1, 1, 2]:
                world.exchange.publish("ethusdc@trade", trade("ethusdc", trade_id))
            assert [(await feed.receive()).trade_id for _ in range(3)] == [0, 1, 2]
            world.exchange.break_connections("reset")
            assert isinstance(await feed.receive(), Gap)
            await world.adapter.wait_connected()
        statistics = world.adapter.statistics().streams["ethusdc@trade"]

    assert statistics.duplicates == 2
    assert statistics.gaps == 2
