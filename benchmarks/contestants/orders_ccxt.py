"""Orders over ccxt.pro: `create_order_ws`, unified orders. It has no private stream here."""

from __future__ import annotations

import asyncio

import ccxt.pro

from benchmarks.contestants.full_ccxt import MARKET
from benchmarks.order_workload import PRICE, QUANTITY, OrderMeasure, stay_on_loopback


async def main() -> None:
    stay_on_loopback()
    measure = OrderMeasure()
    exchange = ccxt.pro.binanceusdm({"apiKey": "key", "secret": "secret", "enableRateLimit": False})
    exchange.set_markets([{**MARKET, "info": {"orderTypes": ["LIMIT", "MARKET"]}}])
    exchange.urls["api"]["ws"]["ws-api"]["linear"] = f"ws://127.0.0.1:{measure.port}/ws-fapi/v1"
    for chunk in measure.chunks():
        for number in chunk:
            if measure.rate:
                await asyncio.sleep(measure.wait())
            measure.sending()
            await exchange.create_order_ws(
                "ETH/USDC:USDC", "limit", "buy", float(QUANTITY), float(PRICE),
                {"newClientOrderId": f"{number:032x}", "selfTradePreventionMode": "EXPIRE_TAKER",
                 "recvWindow": 2000},
            )  # fmt: skip
            measure.accepted()
        measure.chunk_is_placed()
    measure.end()


if __name__ == "__main__":
    asyncio.run(main())
