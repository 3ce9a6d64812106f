"""What one more link at rest holds of ours, in bytes that Python has allocated: always the same.

What is allocated in `trio`, `trio_websocket` and `wsproto` is not counted, nor what the simulated
exchange holds. If a link needs more than its budget, see what grew (`Snapshot.compare_to`, by
line), and whether it must be held while nothing happens.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from pathlib import Path

import attrs
import pytest

import connector
from connector import open_adapter
from connector.channels import Trades
from connector.exchanges import binance
from connector.exchanges.protocol import Limits
from connector.testing import MemoryNetwork, open_exchange

LINKS = 20
BUDGET_BYTES = 9_400
"""It was 9,170 when this was written; 10,600 and 12,600 before."""
ROOMS = ("adapter", "feeds", "link", "transport")


class OneStreamPerLink(binance.UsdMFutures):
    """So that each stream of an adapter needs a link of its own."""

    @property
    def limits(self) -> Limits:
        return attrs.evolve(super().limits, streams_per_connection=1)


def allocated() -> int:
    """Bytes that lines of our rooms have allocated and not freed."""
    gc.collect()
    home = Path(connector.__file__).parent
    ours = [tracemalloc.Filter(True, str(home / room / "*")) for room in ROOMS]
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(ours).traces)


@pytest.mark.skipif(
    sys.implementation.name != "cpython" or sys.version_info[:2] != (3, 11),
    reason="objects of other versions of Python have other sizes",
)
async def test_one_more_link_at_rest_stays_small(autojump_clock: object) -> None:
    network = MemoryNetwork()
    async with (
        open_exchange("usdm", network=network) as exchange,
        open_adapter(OneStreamPerLink(endpoints=exchange.endpoints), dialer=network) as adapter,
        adapter.subscribe(Trades("COIN0USDT")) as feed,
    ):
        await feed.add(Trades("COIN1USDT"))
        tracemalloc.start()
        try:
            before = allocated()
            for number in range(2, LINKS + 2):
                await feed.add(Trades(f"COIN{number}USDT"))
            each = (allocated() - before) / LINKS
        finally:
            tracemalloc.stop()

        assert len(adapter.statistics().links) == LINKS + 2
        assert 0 < each <= BUDGET_BYTES
