"""Promises about accounts that no other test holds: what others did while nobody listened."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import trio

from connector.account import Order
from connector.accounts import Fill
from connector.errors import OrderUnknown
from connector.orders import Limit
from connector.testing import OrderFlow
from connector.testing.exchange.trading.accounts import TradingAccount
from tests.account.trader import World, listening, open_world

DAY = 86_400
SYMBOLS = {
    "spot": ("ETHUSDC", "BTCUSDC", "BNBUSDC"),
    "usdm": ("ETHUSDC", "BTCUSDC", "BNBUSDC"),
    "binance_coinm": ("ETHUSD_PERP", "BTCUSD_PERP", "BTCUSD_261225"),
}
RICH = TradingAccount("mm1", {"USDC": "100000", "ETH": "50", "BTC": "3"})


def open_market(venue: str) -> Any:
    source = OrderFlow(symbols=SYMBOLS[venue], rate_per_second=1e-6)
    return open_world(venue, RICH, source=source)


def trade(world: World, symbol: str, side: str = "BUY") -> None:
    """Another program takes something from the book."""
    quantity = "1" if "_" in symbol else "0.1"
    world.exchange.trading.place(
        "mm1", symbol=symbol, side=side, type="MARKET", quantity=quantity,
        newClientOrderId=f"web_{len(world.truth.orders)}",
    )  # fmt: skip


@pytest.mark.parametrize("venue", SYMBOLS)
async def test_a_trade_that_moved_a_balance_in_a_disconnect_is_told(
    venue: str, autojump_clock: Any
) -> None:
    """Of an instrument that the account never traded, and was not asked to look at."""
    with trio.fail_after(3 * DAY):
        async with open_market(venue) as world, world.account() as account:
            async with listening(account) as told:
                world.cut_streams()
                trade(world, SYMBOLS[venue][1])
                await trio.sleep(1)
                await world.settled(account)
                for fill in told.of(Fill):
                    assert (fill.symbol, fill.backfilled) == (SYMBOLS[venue][1], True)
                    assert fill.client_id == "web_0"
                told.judge_complete(world.truth)


@pytest.mark.parametrize("venue", SYMBOLS)
async def test_a_position_that_came_and_went_in_a_disconnect_is_told(
    venue: str, autojump_clock: Any
) -> None:
    """Only fees are missing afterwards."""
    with trio.fail_after(DAY):
        async with open_market(venue) as world, world.account() as account:
            async with listening(account) as told:
                world.cut_streams()
                for side in ("BUY", "SELL"):
                    trade(world, SYMBOLS[venue][1], side)
                await trio.sleep(1)
                await world.settled(account)
                told.judge_complete(world.truth)
                assert {each.client_id for each in told.of(Fill)} == {"web_0", "web_1"}


@pytest.mark.parametrize("venue", ["spot", "usdm"])
async def test_a_run_that_comes_back_after_days_misses_no_trade(
    venue: str, autojump_clock: Any
) -> None:
    """A list of trades since a time ends after 24 hours on spot, after 7 days on futures."""
    with trio.fail_after(DAY):
        async with open_market(venue) as world:
            async with world.account(symbols=(SYMBOLS[venue][0],)) as account:
                mark = account.bookmark
            for _ in range(3):
                world.exchange.trading.shift_clock(9 * DAY)
                trade(world, SYMBOLS[venue][0])
            async with world.account(bookmark=mark) as account, listening(account) as told:
                await world.settled(account)
                told.judge_complete(world.truth)


@pytest.mark.parametrize("venue", ["spot", "usdm"])
async def test_an_order_that_is_found_after_its_block_is_cancelled(
    venue: str, autojump_clock: Any
) -> None:
    """`working` raises what is unknown, so its block is over when the order is found."""
    async with open_market(venue) as world, world.account() as account:
        trading = world.exchange.trading
        trading.lose_reply()
        trading.lose_event(times=None)
        trading.lag_queries(20.0)
        with pytest.raises(OrderUnknown) as unknown:
            symbol = SYMBOLS[venue][0]
            async with account.working(Limit(symbol, "buy", quantity="0.5", price="2990")):
                raise AssertionError
        assert len(world.truth.orders) == 1
        assert world.truth.open_orders == ()
        order = unknown.value.order
        assert isinstance(order, Order)
        assert order.ended


async def test_an_order_that_is_cut_in_silence_is_noticed(autojump_clock: Any) -> None:
    """The exchange cuts what reduces a position that has become smaller, and tells nobody."""
    async with open_market("usdm") as world, world.account() as account:
        trade(world, "ETHUSDC")
        await trio.sleep(1)
        order = await account.place(
            Limit("ETHUSDC", "sell", quantity="0.1", price="3100", reduce_only=True)
        )
        world.exchange.trading.place(
            "mm1", symbol="ETHUSDC", side="SELL", type="MARKET", quantity="0.06"
        )
        await trio.sleep(60)
        (true,) = world.truth.open_orders
        assert true.quantity == Decimal("0.04")
        assert account.synced
        assert (order.quantity, order.remaining) == (true.quantity, true.quantity)
