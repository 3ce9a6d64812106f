"""Venues with heartbeats send them on a quiet market, and none under the fault `mute`."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from connector import open_adapter
from connector.channels import Trades
from connector.testing import MemoryNetwork, OrderFlow, open_exchange
from connector.testing.exchange.connection import ServerConnection
from connector.testing.explore.venue_scenarios import VENUES
from connector.testing.kits.table import KITS

HEARTBEATS = {"kraken", "kraken_futures", "kraken_unified", "coinbase", "deribit"}
LONG_SECONDS = 31.0
"""Longer than any venue is silent for."""


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the exchange says on its first connection that is neither data nor a reply."""
    texts: list[bytes] = []
    say = ServerConnection.say

    def note(connection: ServerConnection, text: bytes) -> None:
        if connection.number == 1:
            texts.append(text)
        say(connection, text)

    monkeypatch.setattr(ServerConnection, "say", note)
    return texts


@pytest.mark.parametrize("name", KITS)
async def test_a_mute_venue_sends_no_heartbeat(
    autojump_clock: MockClock, name: Any, said: list[bytes]
) -> None:
    case = VENUES[name]
    flow = OrderFlow(symbols=(case.symbol,), rate_per_second=1e-6)
    network = MemoryNetwork()
    async with (
        open_exchange(name, source=flow, network=network) as exchange,
        open_adapter(
            case.exchange(endpoints=exchange.endpoints), dialer=network, stale_after=600.0
        ) as adapter,
        adapter.subscribe(Trades(case.symbol)),
    ):
        await trio.sleep(LONG_SECONDS)
        assert any(b"heartbeat" in text for text in said) == (name in HEARTBEATS)

        exchange.break_connections("mute")
        said.clear()
        await trio.sleep(3 * LONG_SECONDS)

        assert not [text for text in said if b"heartbeat" in text]
        # Nor does it take offence. Coinbase's client misses the heartbeats, and connects anew.
        assert [each.number for each in exchange.connections] == [2 if name == "coinbase" else 1]
