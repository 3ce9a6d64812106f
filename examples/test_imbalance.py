"""The application's tests: its arithmetic, one run of it, and every step with every fault."""

from __future__ import annotations

import io
import os

import pytest
import trio
import trio.testing

from connector import open_adapter
from connector.events import Quote
from connector.exchanges import binance
from connector.testing import MemoryNetwork, SimulatedExchange
from examples.imbalance import Imbalance, run, side_of

STRIDE = int(os.environ.get("CONNECTOR_STEP_STRIDE", "1"))
"""Every so many steps; 1 for all."""


def quote(bid_quantity: float, ask_quantity: float) -> Quote:
    return Quote(
        symbol="ETHUSDC", bid_price=3000.1, bid_quantity=bid_quantity,
        ask_price=3000.2, ask_quantity=ask_quantity, update_id=1,
    )  # fmt: skip


def test_the_heavier_side() -> None:
    imbalance = Imbalance()

    assert side_of(imbalance.update(quote(9.0, 1.0))) == "buy"
    assert side_of(imbalance.update(quote(1.0, 1.0))) == "buy"
    assert imbalance.value == pytest.approx(0.72)


async def run_until_a_signal(exchange: SimulatedExchange, network: MemoryNetwork) -> str:
    """Run the application until it has written a line, and leave."""
    out = io.StringIO()
    async with (
        open_adapter(
            binance.UsdMFutures(endpoints=exchange.endpoints), dialer=network, stale_after=3.0
        ) as adapter,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(run, adapter, "ETHUSDC", out)
        while not out.getvalue():
            await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
    return out.getvalue()


@pytest.mark.no_leaks
async def test_a_signal(
    simulated_exchange: SimulatedExchange,
    memory_network: MemoryNetwork,
    autojump_clock: trio.testing.MockClock,
) -> None:
    line = await run_until_a_signal(simulated_exchange, memory_network)

    assert line.startswith("ETHUSDC ")


@pytest.mark.every_step("cancel", "interrupt", "reset", "half_open", stride=STRIDE, groups=True)
async def test_a_signal_whatever_happens(
    simulated_exchange: SimulatedExchange, memory_network: MemoryNetwork
) -> None:
    line = await run_until_a_signal(simulated_exchange, memory_network)

    assert line == "ETHUSDC sell -0.33\n"
