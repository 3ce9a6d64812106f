"""What the simulated Bitget answers about the past (bitget §6)."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from connector.testing import MemoryNetwork, OrderFlow, open_exchange
from connector.testing.kits.bitget.kit import BitgetKit
from connector.testing.network.server_websocket import Request

SYMBOLS = ("BTCUSDT", "ETHPERP")


async def test_funding_rates_are_paged_and_strictly_so() -> None:
    async with open_exchange(
        "bitget_futures", source=OrderFlow(symbols=SYMBOLS), network=MemoryNetwork()
    ) as exchange:
        kit = BitgetKit("futures")

        def ask(**query: object) -> Any:
            target = f"/api/v3/market/history-fund-rate?{urlencode(query)}"
            reply = kit.answer(Request("GET", target, {}), SYMBOLS, exchange._player)
            head, _, body = reply.partition(b"\r\n\r\n")
            said = json.loads(body)
            assert (b" 200 " in head.splitlines()[0]) == (said["code"] == "00000")
            return said["data"]["resultList"] if said["code"] == "00000" else said["code"]

        there = {"category": "USDT-FUTURES", "symbol": "BTCUSDT"}
        everything = ask(**there, limit=100)
        times = [int(each["fundingRateTimestamp"]) for each in everything]
        assert len(times) in (5, 6, 7)
        assert all(before - after == 8 * 3_600_000 for before, after in pairwise(times))
        assert ask(**there, limit=2, cursor=1) == everything[:2]
        assert ask(**there, limit=2, cursor=3) == everything[4:6]
        assert ask(**there, limit=2, cursor=5) == []
        assert {each["symbol"] for each in everything} == {"BTCUSDT"}
        for wrong in ({"limit": 101}, {"limit": 0}, {"cursor": 0}, {"cursor": "x"}):
            assert ask(**there, **wrong) == "40020"
        assert ask(category="usdt-futures", symbol="BTCUSDT") == "40020"
        assert ask(category="USDT-FUTURES", symbol="ETHPERP") == "25100"
        assert ask(category="USDC-FUTURES", symbol="ETHPERP", limit=1) != []


async def test_spot_has_no_funding_rates() -> None:
    async with open_exchange(
        "bitget_spot", source=OrderFlow(symbols=SYMBOLS[:1]), network=MemoryNetwork()
    ) as exchange:
        target = "/api/v3/market/history-fund-rate?category=SPOT&symbol=BTCUSDT"
        reply = BitgetKit("spot").answer(Request("GET", target, {}), SYMBOLS[:1], exchange._player)
        assert b'"code":"40020"' in reply
