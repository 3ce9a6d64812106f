"""What the simulated REST interfaces of Kraken refuse: kraken §7, kraken_futures_v1."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector.testing import MemoryNetwork, OrderFlow, open_exchange
from connector.testing.kits.kraken.kit import SpotKit, UnifiedKit
from connector.testing.network.server_websocket import Request


def said(reply: bytes) -> tuple[int, Any]:
    head, _, body = reply.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body) if body else None


@pytest.mark.parametrize("query", ["since=x", "since=-1", "interval=2", "interval=x"])
async def test_spot_refuses_arguments_that_are_wrong(query: str) -> None:
    symbols = ("BTC/USD",)
    async with open_exchange(
        "kraken", source=OrderFlow(symbols=symbols), network=MemoryNetwork()
    ) as exchange:
        request = Request("GET", f"/0/public/OHLC?pair=XBTUSD&{query}", {})
        status, body = said(SpotKit().answer(request, symbols, exchange._player))
        assert (status, body) == (200, {"error": ["EGeneral:Invalid arguments"]})


async def test_derivatives_have_tokens_for_ten_seconds() -> None:
    symbols = ("PF_XBTUSD",)
    async with open_exchange(
        "kraken_unified", source=OrderFlow(symbols=symbols), network=MemoryNetwork()
    ) as exchange:

        def ask(target: str) -> tuple[int, Any]:
            answer = UnifiedKit().answer(Request("GET", target, {}), symbols, exchange._player)
            return said(answer)

        chart = "/api/charts/v1/trade/PF_XBTUSD/1m"
        status, body = ask(f"{chart}?from=x")
        assert (status, body["result"]) == (200, "error")
        assert ask("/api/charts/v1/trade/PF_NOPE/1m") == (404, None)
        assert ask("/derivatives/api/v3/nothing") == (404, None)
        for _ in range(500):
            assert ask("/derivatives/api/v3/instruments")[0] == 200
        status, body = ask("/derivatives/api/v3/instruments")
        assert (status, body["error"]) == (429, "apiLimitExceeded")
        assert ask(chart)[0] == 200
