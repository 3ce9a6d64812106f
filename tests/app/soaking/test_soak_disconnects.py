"""Thousands of disconnects in virtual time: what there is afterwards is exactly what there was.

2,000 of them here; ``nox -s soak`` has 10,000.
"""

from __future__ import annotations

import gc
import logging
import os
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pytest
import trio
from trio._core._run import GLOBAL_RUN_CONTEXT
from trio.testing import MockClock

from connector import Adapter, Feed, Reconnect, open_adapter
from connector.channels import BestQuote
from connector.exchanges import binance
from connector.testing import FaultKind, MemoryNetwork, SimulatedExchange, open_exchange
from connector.testing.explore import Numbered
from connector.testing.leaks import descriptors

DISCONNECTS = int(os.environ.get("CONNECTOR_DISCONNECTS", "400"))
COLLECT_EVERY = 200
"""What is in cycles is memory until it is collected; nothing that is counted here may be."""
WAYS: tuple[FaultKind, ...] = (
    "reset", "close", "fin", "bad_mask",
    "close_and_hold", "bad_utf8", "truncated_json", "half_open",
)  # fmt: skip
FORGETFUL = {"DialRecord", "LogEntry"}
"""What the network and the exchange note down."""


@pytest.fixture
def collector_off() -> Iterator[None]:
    """Nothing is collected unless the test says so, and nothing is logged by the thousand."""
    log = logging.getLogger("connector")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    log.setLevel(level)


def counts(adapter: Adapter, feed: Feed[Any], network: MemoryNetwork) -> dict[str, object]:
    """What I3 is about, without a collection of garbage before."""
    statistics = adapter.statistics()
    return {
        "tasks": trio.lowlevel.current_statistics().tasks_living,
        "tasks of the adapter": statistics.tasks,
        "sockets": statistics.sockets_open,
        "connections": len(network.connections),
        "descriptors": descriptors(),
        "streams": [link.streams for link in statistics.links],
        "feeds": len(statistics.feeds),
        "buffered": feed.statistics().buffered,
    }


def objects() -> Counter[str]:
    """All objects of this package and of trio that are alive, by class."""
    # Trio keeps up to a thousand scopes whose deadlines were taken back.
    GLOBAL_RUN_CONTEXT.runner.deadlines._prune()
    gc.collect()
    alive = Counter(
        type(each).__qualname__
        for each in gc.get_objects()
        if str(type(each).__module__).partition(".")[0] in ("connector", "trio", "trio_websocket")
    )
    return Counter({name: count for name, count in alive.items() if name not in FORGETFUL})


async def disconnect(
    exchange: SimulatedExchange, adapter: Adapter, feed: Feed[Any], way: FaultKind
) -> None:
    """Break the connection, and read on until there is data of the next one."""
    (link,) = adapter.statistics().links
    exchange.break_connections(way)
    if way == "truncated_json":
        adapter.reconnect()  # which by itself is no reason to
    while True:
        event = await feed.receive()
        if event.session > link.session:
            return


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_after_any_number_of_disconnects_everything_is_as_before(
    collector_off: None, autojump_clock: MockClock
) -> None:
    network = MemoryNetwork()
    async with (
        open_exchange("usdm", source=Numbered(0.4), network=network) as exchange,
        open_adapter(
            binance.UsdMFutures(endpoints=exchange.endpoints),
            dialer=network,
            reconnect=Reconnect(initial=0.01, cap=0.1, stable_after=0.1),
            stale_after=2.0,
        ) as adapter,
        adapter.subscribe(BestQuote("ETHUSDC")) as feed,
    ):
        await feed.receive()
        for way in WAYS:  # what is allocated once is there then
            await disconnect(exchange, adapter, feed, way)
        await trio.sleep(0.1)
        before, alive = counts(adapter, feed, network), objects()

        for number, way in zip(range(1, DISCONNECTS + 1), cycle(WAYS), strict=False):
            await disconnect(exchange, adapter, feed, way)
            await trio.sleep(0.1)  # the exchange notices
            assert counts(adapter, feed, network) == before, f"after disconnect {number}: {way}"
            if not number % COLLECT_EVERY:
                gc.collect()

        assert objects() == alive
        (link,) = adapter.statistics().links
        assert link.sessions_opened == 1 + len(WAYS) + DISCONNECTS
        assert network.ledger.max_open() == 1
        assert exchange.max_concurrent == 1
    assert network.connections == ()
