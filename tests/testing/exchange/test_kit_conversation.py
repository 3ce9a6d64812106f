"""A venue that speaks by the clock, in a process that did not run for a while."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from connector import open_adapter
from connector.channels import BestQuote
from connector.exchanges import coinbase
from connector.testing import MemoryNetwork, open_exchange


async def test_heartbeats_that_a_stalled_process_missed_are_sent_at_once(
    autojump_clock: MockClock,
) -> None:
    network = MemoryNetwork()
    async with open_exchange("coinbase", network=network) as exchange:
        described = coinbase.AdvancedTrade(endpoints=exchange.endpoints)
        async with (
            open_adapter(described, dialer=network) as adapter,
            adapter.subscribe(BestQuote("ETH-USD")),
        ):
            await trio.sleep(0.5)
            before = adapter.statistics().wire_bytes
            await trio.sleep(1)
            one = adapter.statistics().wire_bytes - before

            autojump_clock.jump(5)
            await trio.sleep(0.1)
            after = adapter.statistics().wire_bytes - before

            assert one > 0 and after >= 6 * one
            assert len(exchange.connections) == 1
