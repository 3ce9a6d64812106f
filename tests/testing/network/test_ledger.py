"""What a ledger remembers."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from connector.testing import MemoryNetwork


async def test_open_connections_stay_in_a_short_ledger(autojump_clock: MockClock) -> None:
    network = MemoryNetwork()
    listener = network.listen("127.0.0.1", 0)
    network.ledger.keep_last(2)
    async with network.connect("127.0.0.1", listener.port):
        for _ in range(5):
            async with network.connect("127.0.0.1", listener.port):
                pass
        assert [(each.number, each.state) for each in network.ledger] == [
            (1, "open"), (5, "closed"), (6, "closed"),
        ]  # fmt: skip
    assert len(network.ledger) == 6
    await trio.aclose_forcefully(listener)
