"""Accounts of every kind: hedge mode, other keys, several at once, and real sockets."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import trio
import trio.lowlevel

from connector import open_adapter
from connector.errors import OrderInvalid, OrderNotPlaced
from connector.keys import ApiKey, Kind
from connector.orders import Limit, Limits, Market
from connector.testing import open_exchange
from connector.testing.exchange.trading.accounts import TradingAccount
from tests.account.trader import (
    RICH,
    STILL,
    SYMBOL,
    VENUES,
    bid,
    exchange_of,
    listening,
    open_world,
)


async def test_hedge_mode(autojump_clock: Any) -> None:
    rich = TradingAccount("mm1", RICH, hedge=True)
    async with open_world("usdm", rich) as world, world.account() as account:
        async with listening(account) as told:
            with pytest.raises(OrderInvalid, match="hedge mode"):
                await account.place(bid())
            for leg, side in (("long", "buy"), ("short", "sell")):
                order = await account.place(Market(SYMBOL, side, quantity="0.5", leg=leg))  # type: ignore[arg-type]
                assert await order.wait_done() == "filled"
            await world.settled(account)
            position = account.positions[SYMBOL]
            assert (position.long, position.short, position.quantity) == (
                Decimal("0.5"),
                Decimal("0.5"),
                0,
            )
            closing = Limit(
                SYMBOL, "sell", quantity="0.2", price="2900", leg="long", reduce_only=True
            )
            order = await account.place(closing)
            await order.wait_done()
            await world.settled(account)
            assert account.positions[SYMBOL].long == Decimal("0.3")
            told.judge_complete(world.truth)
            async with account.quotes(
                SYMBOL, max_long=1, max_short=0, max_age=10, leg="long"
            ) as quotes:
                quotes.want(bids=[("2980", "1")])
                await quotes.settled()
                (resting,) = world.truth.open_orders
                assert (resting.position_side, resting.quantity) == ("LONG", Decimal("0.7"))


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
async def test_keys_of_other_kinds(venue: str, kind: Kind, autojump_clock: Any) -> None:
    spec = TradingAccount("mm1", RICH, kind=kind)  # type: ignore[arg-type]
    async with open_world(venue, spec) as world:
        key = ApiKey(spec.key, spec.secret, kind=kind)
        async with world.adapter.open_account(key, name="mm1", limits=Limits.none()) as account:
            order = await account.place(bid())
            assert await account.cancel(order) == "cancelled"


@pytest.mark.parametrize("venue", VENUES)
async def test_two_accounts_of_one_adapter(venue: str, autojump_clock: Any) -> None:
    specs = TradingAccount("mm1", RICH), TradingAccount("mm2", RICH)
    async with open_world(venue, *specs) as world, world.account() as first:
        second_key = ApiKey(specs[1].key, specs[1].secret)
        async with world.adapter.open_account(
            second_key, name="mm1", limits=Limits.none()
        ) as second:
            await first.place(bid())
            await second.place(bid("2980"))
            assert len(world.exchange.accounts["mm1"].open_orders) == 1
            assert len(world.exchange.accounts["mm2"].open_orders) == 1
        assert world.exchange.accounts["mm2"].open_orders == ()
        world.judge(first)


@pytest.mark.parametrize("venue", VENUES)
async def test_ctrl_c(venue: str, autojump_clock: Any) -> None:
    async with open_world(venue) as world:
        with pytest.raises(KeyboardInterrupt):
            async with world.account() as account:
                await account.place(bid())
                raise KeyboardInterrupt
        assert world.truth.open_orders == ()


@pytest.mark.parametrize("venue", VENUES)
async def test_over_real_sockets(venue: str) -> None:
    spec = TradingAccount("mm1", RICH)
    async with open_exchange(venue, source=STILL, accounts=(spec,)) as exchange:  # type: ignore[arg-type]
        truth = exchange.accounts["mm1"]
        async with open_adapter(exchange_of(venue, exchange)) as adapter:
            key = ApiKey(spec.key, spec.secret)
            with trio.fail_after(30):
                async with adapter.open_account(key, name="mm1", limits=Limits.none()) as account:
                    order = await account.place(bid())
                    exchange.trading.fill(truth.open_orders[0], "0.1")
                    assert await order.wait_filled("0.1") == Decimal("0.1")
                    exchange.break_connections("reset")
                    link = account._running.link
                    while link.dialling.sessions < 2 or not link.connected:
                        await trio.sleep(0.01)
                    other = await place_when_synced(account)
                    assert await account.cancel(order) == "cancelled"
                    assert other.state == "open"
        assert truth.open_orders == ()
        assert len(truth.client_ids) == 2


async def place_when_synced(account: Any) -> Any:
    while True:
        await account.wait_synced()
        try:
            return await account.place(bid("2980"))
        except OrderNotPlaced:  # order entry is not connected yet
            await trio.sleep(0.1)
