"""ccxt.pro: unified trades in the user's task."""

from __future__ import annotations

import asyncio
import os

import ccxt.pro

from benchmarks.measure import Measure

MARKET = {
    "id": "ETHUSDC", "lowercaseId": "ethusdc", "symbol": "ETH/USDC:USDC",
    "base": "ETH", "quote": "USDC", "settle": "USDC",
    "baseId": "ETH", "quoteId": "USDC", "settleId": "USDC", "type": "swap", "spot": False,
    "swap": True, "future": False, "option": False, "contract": True, "linear": True,
    "inverse": False, "active": True, "margin": False, "contractSize": 1,
    "precision": {"amount": 0.001, "price": 0.01}, "limits": {},
}  # fmt: skip


async def main() -> None:
    measure = Measure()
    exchange = ccxt.pro.binanceusdm()
    exchange.set_markets([MARKET])
    streams = exchange.urls["api"]["ws"]
    for name, url in streams.items():
        if isinstance(url, str):
            streams[name] = f"{measure.url}/ws"
        else:
            streams[name] = dict.fromkeys(url, f"{measure.url}/ws")
    while True:
        trades = await exchange.watch_trades("ETH/USDC:USDC")
        # It keeps the newest 1,000 of what came in one go, so ids tell how many there were.
        if measure.take(0) or int(trades[-1]["id"]) >= measure.messages:
            break
    measure.report()
    os._exit(0)  # its close waits for the server


if __name__ == "__main__":
    asyncio.run(main())
