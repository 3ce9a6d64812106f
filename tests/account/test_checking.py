"""What is checked before an order is sent: the exchange's limits of an account."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio

from connector.errors import LimitReached, OrderInvalid
from connector.orders import Limit, Market
from connector.testing.exchange.trading.methods import Call
from tests.account.trader import SYMBOL, World, bid, open_world


def change_instrument(world: World, **changes: Any) -> None:
    """Before an account is opened: instruments are read once."""
    instruments = world.exchange.trading._house.instruments
    instruments[SYMBOL] = attrs.evolve(instruments[SYMBOL], **changes)


async def test_the_most_that_an_account_may_hold_is_kept(autojump_clock: Any) -> None:
    async with open_world("spot") as world:
        change_instrument(world, max_position=Decimal(60))
        other = world.exchange.trading.place(
            "mm1", symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTC",
            quantity="2", price="2900",
        )  # fmt: skip
        async with world.account() as account:
            # 50 are held, 2 are being bought by somebody else.
            await account.place(bid(quantity="7"))
            with pytest.raises(OrderInvalid, match="the most that the exchange allows") as wrong:
                await account.place(bid(quantity="1.5"))
            assert wrong.value.nearest == bid(quantity="1")
            await account.place(bid(quantity="1"))
            with pytest.raises(OrderInvalid) as wrong:
                await account.place(Market(SYMBOL, "buy", quantity="0.01"))
            assert wrong.value.nearest is None
            await account.place(Limit(SYMBOL, "sell", quantity="5", price="3100"))
            world.exchange.trading.cancel(other)
            await world.settled(account)
            await account.place(bid(quantity="2"))
            assert not account.statistics().refusals


@pytest.mark.parametrize(("venue", "counts"), [("spot", True), ("usdm", False)])
async def test_conditional_orders_count_where_they_are_among_the_others(
    venue: str, counts: bool, autojump_clock: Any
) -> None:
    async with open_world(venue) as world:
        change_instrument(world, max_orders=2)
        async with world.account() as account:
            await account.place(bid())
            place_stop(world, venue)
            await trio.sleep(1)
            (stop,) = account.other_orders
            assert stop.conditional
            if counts:
                with pytest.raises(LimitReached, match="2 orders of ETHUSDC are open"):
                    await account.place(bid())
            else:
                await account.place(bid())
            assert not account.statistics().refusals


def place_stop(world: World, venue: str) -> None:
    stop = {"symbol": SYMBOL, "side": "SELL", "quantity": "0.5"}
    if venue == "spot":
        world.exchange.trading.place(
            "mm1", **stop, type="STOP_LOSS_LIMIT", timeInForce="GTC", price="2800", stopPrice="2850"
        )
        return
    stop |= {"algoType": "CONDITIONAL", "type": "STOP_MARKET", "triggerPrice": "2500"}
    method = world.exchange.trading._desk.gateway.methods.table["algoOrder.place"]
    method.act(Call(name="algoOrder.place", params=stop, account=world.truth))
