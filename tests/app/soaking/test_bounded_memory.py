"""Nothing is kept of a session that has ended, neither by the adapter nor by a simulated exchange.

What both may remember is bounded, as in a soak: the log of the exchange, the ledger of the network.
A gate of each host remembers as many attempts to connect as its budget has.
"""

from __future__ import annotations

import gc
import logging
import sys
from collections import Counter
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from connector import Reconnect, open_adapter
from connector.app.soaking import bounded_memory
from connector.app.soaking.bounded_memory import bound_memory
from connector.channels import Trades
from connector.testing import MemoryNetwork, open_exchange
from connector.testing.explore.venue_scenarios import VENUES

SESSIONS = 12
LONGEST_DEADLINE_SECONDS = 100
BLOCKS_PER_SESSION = 12
"""One is the attempt that the host's gate remembers, some are a cancel scope whose deadline would
have been in the far future: trio keeps up to a thousand of them. A kept session has far more."""


@pytest.mark.parametrize("name", VENUES)
async def test_nothing_is_kept_of_a_session(
    name: Any,
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounded_memory, "KEPT", 5)
    caplog.set_level(logging.CRITICAL)  # pytest keeps every record
    case, network = VENUES[name], MemoryNetwork()
    async with open_exchange(name, network=network) as exchange:
        bound_memory(exchange, network)
        value = case.exchange(endpoints=exchange.endpoints)
        reconnect = Reconnect(initial=0.1, cap=0.1, jitter="none")
        async with (
            open_adapter(value, dialer=network, reconnect=reconnect) as adapter,
            adapter.subscribe(Trades(case.symbol)),
        ):

            async def reconnect_often() -> None:
                for _ in range(SESSIONS):
                    assert exchange.break_connections("reset") == 1
                    await trio.sleep(2)
                # A scope that was left stays with trio until its deadline would have come.
                await trio.sleep(LONGEST_DEADLINE_SECONDS)
                gc.collect()

            await reconnect_often()
            before, blocks = objects(), sys.getallocatedblocks()
            await reconnect_often()
            grown = objects() - before
            kept = sys.getallocatedblocks() - blocks
            (link,) = adapter.statistics().links
            assert link.sessions_opened == 2 * SESSIONS + 1
    assert not {
        kind: count
        for kind, count in grown.items()
        if kind.startswith("connector") and count >= SESSIONS // 4
    }
    assert kept < BLOCKS_PER_SESSION * SESSIONS


def objects() -> Counter[str]:
    """What the garbage collector knows, by class."""
    kinds = (type(each) for each in gc.get_objects())
    return Counter(f"{kind.__module__}.{kind.__qualname__}" for kind in kinds)
