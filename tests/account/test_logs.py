"""What the log says of orders and accounts: each thing once, at its level, with its cause."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

import pytest
import trio

from connector.errors import AmendRefused, NameInUse, OrderNotPlaced, OrdersLeft, OrderUnknown
from connector.trading.client_ids import ClientIds
from tests.account.trader import SYMBOL, VENUES, bid, open_world

venues = pytest.mark.parametrize("venue", VENUES)


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="connector.account")


def said(caplog: pytest.LogCaptureFixture, level: int, text: str) -> list[str]:
    """Lines as they were when they were written: an order goes on changing."""
    name = logging.getLevelName(level)
    return [each for each in caplog.text.splitlines() if each.startswith(name) and text in each]


@venues
async def test_an_order_is_logged_when_accepted_and_when_over(
    venue: str, autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_world(venue) as world, world.account() as account:
        order = await account.place(bid("2980"))
        if venue == "usdm":
            with suppress(AmendRefused):
                await account.amend(order, price="2981")
        world.exchange.trading.fill(world.truth.open_orders[0], "0.1")
        await order.wait_filled("0.1")
        await account.cancel(order)
        await trio.sleep(3)
        other = await account.place(bid("2982"))
        await account.cancel(other)
        for each in (order, other):
            (accepted,) = said(caplog, logging.INFO, f"order open: <Order {each.client_id}")
            (over,) = said(caplog, logging.INFO, f"order ended: <Order {each.client_id}")
            assert "open, 0 filled" in accepted and "cancelled" in over


@venues
async def test_an_unknown_order_is_a_warning_after_a_second(
    venue: str, autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_world(venue) as world, world.account() as account:
        world.exchange.trading.lose_request("order.place")
        world.exchange.trading.lose_request("order.status", times=2)
        with pytest.raises(OrderUnknown):
            await account.place(bid())
        while "unknown" not in account.statistics().orders_by_state:
            await trio.sleep(0.01)
        assert not said(caplog, logging.WARNING, "unknown")
        await trio.sleep(1.1)
        (warned,) = said(caplog, logging.WARNING, "unknown")
        assert next(iter(account.orders)) in warned
        await world.settled(account)
        assert len(said(caplog, logging.WARNING, "unknown")) == 1


@venues
async def test_an_order_that_is_found_within_a_second_is_no_warning(
    venue: str, autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_world(venue) as world, world.account() as account:
        world.exchange.trading.cut_reply("order.place")
        order = await account.place(bid())
        await world.settled(account)
        assert order.state == "open"
        assert not said(caplog, logging.WARNING, "unknown")


@venues
async def test_a_lost_sync_is_a_warning_with_its_cause(
    venue: str, autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_world(venue) as world, world.account() as account:
        world.cut_streams()
        await trio.sleep(5)
        await account.wait_synced()
        (warned,) = said(caplog, logging.WARNING, "is not synced")
        assert account.statistics().unsynced_reason in warned
        assert len(said(caplog, logging.INFO, "is synced")) == 2


@venues
async def test_refusals_are_warnings_at_most_one_a_second(
    venue: str, autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_world(venue) as world, world.account() as account:
        world.exchange.trading.restrict("mm1")
        for _ in range(20):
            with suppress(OrderNotPlaced):
                await account.place(bid())
            await trio.sleep(0.1)
        assert sum(account.statistics().refusals.values()) == 20
        assert 2 <= len(said(caplog, logging.WARNING, "order refused")) <= 3


@venues
async def test_what_is_left_is_an_error(
    venue: str, autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_world(venue) as world:
        with pytest.raises(OrdersLeft):
            async with world.account() as account:
                order = await account.place(bid())
                world.exchange.inject("refuse")
                world.cut_streams()
    (error,) = said(caplog, logging.ERROR, "order left")
    assert order.client_id in error


@venues
async def test_a_second_program_of_the_name_is_an_error(
    venue: str, autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_world(venue) as world:
        with pytest.raises(NameInUse):
            async with world.account():
                await trio.sleep(100)
                world.exchange.trading.place(
                    "mm1", symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTC",
                    quantity="0.5", price="2900", newClientOrderId=ClientIds("mm1", 5).make(),
                )  # fmt: skip
                await trio.sleep(5)
    (error,) = said(caplog, logging.ERROR, "another program uses this account")
    assert "mm1" in error


@venues
async def test_an_order_that_lives_after_all_is_an_error(
    venue: str, autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The engine takes a request far later than the venue's constants say."""
    async with open_world(venue) as world, world.account() as account:
        order = await account.place(bid())
        record = order._record
        # As if it had been given up; what the exchange says next is that it lives.
        record.state = "absent"
        world.exchange.trading.fill(world.truth.open_orders[0], "0.1")
        await trio.sleep(3)
        assert account.statistics().late == 1
    assert account.statistics().late == 1
    (error,) = said(caplog, logging.ERROR, "is open although considered lost")
    assert order.client_id in error


@venues
async def test_an_audit_that_disagrees_is_an_error(
    venue: str, autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_world(venue) as world, world.account() as account:
        world.exchange.trading.lose_event(times=None)
        world.exchange.trading.deposit("mm1", "USDC", "5")
        await trio.sleep(70)
        world.exchange.trading.mend()
        await account.wait_synced()
        world.judge(account)
    assert said(caplog, logging.ERROR, "an audit found differences")
