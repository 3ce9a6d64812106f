"""Orders over a network that cuts, delays and swallows bytes at random, and what it has found."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from connector.accounts import Fill
from tests.account.hostile import Weather, run
from tests.account.trader import VENUES, bid, listening, open_world


@pytest.mark.parametrize("venue", VENUES)
def test_orders_survive_a_hostile_network(venue: str) -> None:
    judge, fates = run(venue, seed=1, orders=250, chapter_seconds=40.0)
    assert fates["cut"] + fates["swallow"] > 3
    assert len(judge.truth.client_ids) > 100
    assert judge.outcomes["blocks"] > 1
    assert judge.fills


def test_contracts_survive_a_hostile_network() -> None:
    judge, fates = run("binance_coinm", seed=4, orders=100, chapter_seconds=30.0)
    assert fates["cut"] + fates["swallow"] > 1
    assert len(judge.truth.client_ids) > 50
    assert judge.fills


def test_orders_over_real_sockets_that_are_slow() -> None:
    slow = Weather(delay=0.3, longest_delay=0.05)
    judge, fates = run(
        "usdm", seed=2, orders=12, storm=slow, over_sockets=True, chapter_seconds=2.0, calm=True
    )
    assert len(judge.truth.client_ids) > 6
    assert fates["delay"]


@pytest.mark.parametrize("venue", VENUES)
async def test_a_trade_that_is_read_before_its_order_is_known(
    venue: str, autojump_clock: Any
) -> None:
    async with open_world(venue) as world, world.account() as account, listening(account) as told:
        world.exchange.trading.lose_reply()
        world.exchange.trading.lose_event(times=None)
        order = account.submit(bid())
        await trio.sleep(0.1)
        (true,) = world.truth.open_orders
        world.exchange.trading.fill(true, "0.1")
        world.exchange.trading.mend()
        world.cut_streams()
        await world.settled(account, 200.0)

        (fill,) = told.of(Fill)
        assert fill.client_id == order.client_id
        assert order.filled == fill.quantity
        told.judge_complete(world.truth)


@pytest.mark.parametrize("venue", VENUES)
async def test_what_was_filled_between_two_runs_is_told_to_the_first_feed(
    venue: str, autojump_clock: Any
) -> None:
    async with open_world(venue) as world:
        async with world.account(on_leave="keep") as account:
            await account.place(bid())
            bookmark = account.bookmark
        (true,) = world.truth.open_orders
        world.exchange.trading.fill(true)

        async with world.account(bookmark=bookmark) as account, listening(account) as told:
            (fill,) = told.of(Fill)
            assert fill.backfilled
            again = account.bookmark
        async with world.account(bookmark=again) as account, listening(account) as told:
            assert told.of(Fill) == []


async def test_a_bookmark_forgets_no_trade_that_was_passed_over(autojump_clock: Any) -> None:
    async with open_world("spot") as world:
        async with world.account(on_leave="keep") as account, listening(account) as told:
            await account.place(bid())
            await account.place(bid("2980"))
            first, second = world.truth.open_orders
            world.exchange.trading.lose_event("executionReport:TRADE")
            world.exchange.trading.fill(first, "0.1")
            world.exchange.trading.fill(second, "0.1")
            await trio.sleep(0.5)
            (heard,) = told.of(Fill)
            bookmark = account.bookmark
        async with world.account(bookmark=bookmark) as account, listening(account) as told:
            (fill,) = told.of(Fill)
            assert {fill.trade_id, heard.trade_id} == {
                str(each.trade_id) for each in world.truth.fills
            }
