"""Orders over python-binance: its WebSocket API, dictionaries. It has no private stream here."""

from __future__ import annotations

import asyncio

from binance import AsyncClient
from binance.ws.websocket_api import WebsocketAPI

from benchmarks.order_workload import PRICE, QUANTITY, SYMBOL, OrderMeasure, stay_on_loopback


async def main() -> None:
    stay_on_loopback()
    measure = OrderMeasure()
    client = AsyncClient("key", "secret")
    client.ws_future = WebsocketAPI(url=f"ws://127.0.0.1:{measure.port}/ws-fapi/v1")
    for chunk in measure.chunks():
        for number in chunk:
            if measure.rate:
                await asyncio.sleep(measure.wait())
            measure.sending()
            await client.ws_futures_create_order(
                symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTC", quantity=QUANTITY,
                price=PRICE, newClientOrderId=f"{number:032x}",
                selfTradePreventionMode="EXPIRE_TAKER", recvWindow=2000,
            )  # fmt: skip
            measure.accepted()
        measure.chunk_is_placed()
    measure.end()


if __name__ == "__main__":
    asyncio.run(main())
