"""What a simulated market remembers, and how much of it."""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from connector import open_adapter
from connector.channels import Trades
from connector.exchanges import binance, bybit
from connector.testing import MemoryNetwork, OrderFlow, open_exchange

FLOW = OrderFlow(symbols=("ETHUSDT",), rate_per_second=100)


@pytest.mark.parametrize(
    ("venue", "described"),
    [("binance_usdm", binance.UsdMFutures), ("bybit_linear", bybit.Linear)],
)
async def test_it_remembers_no_more_than_it_is_told(
    venue: Any, described: Any, autojump_clock: MockClock
) -> None:
    network = MemoryNetwork()
    async with open_exchange(venue, source=FLOW, network=network) as exchange:
        exchange.keep_history(5)
        value = described(endpoints=exchange.endpoints)
        async with (
            open_adapter(value, dialer=network) as adapter,
            adapter.subscribe(Trades("ETHUSDT")) as feed,
        ):
            told = [await feed.receive() for _ in range(20)]
            newest = await adapter.recent_trades("ETHUSDT", limit=100)

        assert len(newest) == 5
        assert newest[-1].trade_id >= told[-1].trade_id


async def test_a_source_that_remembers_nothing_is_left_alone() -> None:
    async with open_exchange("okx", network=MemoryNetwork()) as exchange:
        exchange.keep_history(5)
