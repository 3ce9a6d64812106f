"""The market maker's tests: its arithmetic, one run in a market, and every step with faults."""

from __future__ import annotations

import io
import os
import traceback
from decimal import Decimal

import pytest
import trio
import trio.testing

from connector import open_adapter
from connector.errors import OrdersLeft
from connector.events import Quote
from connector.exchanges import binance
from connector.instruments import Instrument, Status
from connector.keys import ApiKey
from connector.testing import MemoryNetwork, OrderFlow, SimulatedExchange, TradingAccount
from examples.market_maker import Strategy, make_market

ME = TradingAccount("me", {"USDC": "10000"})
STRATEGY = Strategy(symbol="ETHUSDC", quantity=Decimal("0.1"))
STRIDE = int(os.environ.get("CONNECTOR_STEP_STRIDE", "97"))
"""Every so many steps; 1 for all, which takes some minutes."""


def instrument() -> Instrument:
    return Instrument(
        symbol="ETHUSDC", base="ETH", quote="USDC", kind="perpetual",
        status=Status.TRADING, exchange_status="TRADING",
        tick_size=Decimal("0.01"), step_size=Decimal("0.001"),
    )  # fmt: skip


def market(bid: str, ask: str) -> Quote[Decimal]:
    return Quote(
        symbol="ETHUSDC", bid_price=Decimal(bid), bid_quantity=Decimal(1),
        ask_price=Decimal(ask), ask_quantity=Decimal(1), update_id=1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("position", "bid", "ask"),
    [("0", "2998.50", "3001.50"), ("0.2", "2997.00", "3000.01"), ("-0.2", "2999.99", "3003.01")],
)
def test_quotes_lean_against_the_position(position: str, bid: str, ask: str) -> None:
    bids, asks = STRATEGY.quotes(market("2999.99", "3000.01"), Decimal(position), instrument())

    assert (bids[0][0], asks[0][0]) == (Decimal(bid), Decimal(ask))
    assert len(bids) == len(asks) == 2
    assert bids[1][0] < bids[0][0] < asks[0][0] < asks[1][0]


async def quote_for_a_while(exchange: SimulatedExchange, network: MemoryNetwork) -> str:
    """Run the market maker until one of its bids was taken, and a moment more."""
    out, me = io.StringIO(), exchange.accounts["me"]
    usdm = binance.UsdMFutures(numbers=Decimal, endpoints=exchange.endpoints)
    try:
        async with (
            open_adapter(usdm, dialer=network, stale_after=3.0) as adapter,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(make_market, adapter, ApiKey(me.key, me.secret), STRATEGY, out)
            while not me.open_orders:
                await trio.sleep(0.1)
            exchange.trading.fill(me.open_orders[0])
            await trio.sleep(0.2)
            nursery.cancel_scope.cancel()
    except* OrdersLeft as group:
        # What it could not confirm it has named, and nothing else is open.
        named = "".join(traceback.format_exception(group))
        assert all(each.client_id in named for each in me.open_orders)
    else:
        assert me.open_orders == ()
    finally:
        assert len(set(me.client_ids)) == len(me.orders), "an intent has become two orders"
        assert abs(me.position("ETHUSDC").quantity) <= STRATEGY.max_position
    return out.getvalue()


@pytest.mark.no_leaks
@pytest.mark.simulated_exchange("usdm", source=OrderFlow(seed=1), accounts=[ME])
async def test_it_quotes_and_leaves_nothing(
    simulated_exchange: SimulatedExchange,
    memory_network: MemoryNetwork,
    autojump_clock: trio.testing.MockClock,
) -> None:
    said = await quote_for_a_while(simulated_exchange, memory_network)

    assert " 0.1 at " in said
    assert len(simulated_exchange.accounts["me"].orders) >= 4
    assert simulated_exchange.accounts["me"].open_orders == ()


@pytest.mark.every_step(
    "cancel", "interrupt", "reset", "half_open",
    "lose_reply", "unknown_done", "late_event", "expire_key", kinds=["steps"], stride=STRIDE,
    links=8, groups=True, cancel_seconds=25.0,
)  # fmt: skip
@pytest.mark.simulated_exchange(
    "usdm", source=OrderFlow(seed=1, rate_per_second=10.0), accounts=[ME]
)
async def test_it_leaves_nothing_whatever_happens(
    simulated_exchange: SimulatedExchange, memory_network: MemoryNetwork
) -> None:
    await quote_for_a_while(simulated_exchange, memory_network)
