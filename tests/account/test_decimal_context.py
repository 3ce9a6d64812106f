"""The program's decimal context, of few digits and with traps, does not change an account."""

from __future__ import annotations

from contextvars import copy_context
from decimal import Decimal, Inexact, localcontext
from typing import Any

import pytest
import trio

from connector.testing.exchange.trading.accounts import TradingAccount
from tests.account.trader import SYMBOL, VENUES, bid, open_world

MUCH = Decimal("123456.12345678")


@pytest.mark.parametrize("venue", VENUES)
async def test_balances_fills_amends_and_quotes_are_exact(venue: str, autojump_clock: Any) -> None:
    rich = TradingAccount("mm1", {"USDC": MUCH, "ETH": MUCH})
    async with open_world(venue, rich) as world:
        exact = copy_context()
        with localcontext(prec=3, traps=[Inexact]):
            async with world.account() as account:
                assert account.balances["USDC"].total == MUCH
                order = await account.place(bid("2990.11", "1.234"))
                (truth,) = world.truth.open_orders
                exact.run(world.exchange.trading.fill, truth, "0.111")
                exact.run(world.exchange.trading.fill, truth, "1.1")
                await trio.sleep(5)
                assert order.filled == Decimal("1.211")
                fees = order.fees.get("USDC", Decimal(0))
                paid = exact.run(Decimal.__add__, Decimal("3621.02321"), fees)
                assert order.net_quote == paid.copy_negate()
                if venue == "usdm":
                    await account.amend(order, quantity="1.233")
                    assert order.remaining == Decimal("0.022")
                async with account.quotes(
                    SYMBOL, max_long="123460", max_short="123456", max_age=60
                ) as quotes:
                    quotes.want(bids=[("2980.11", "1.234")], asks=[("3011.23", "1.234")])
                    await trio.sleep(1)
                    assert len(quotes.orders) == 2
                exact.run(world.judge, account)
