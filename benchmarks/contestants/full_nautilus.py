"""nautilus_trader: its WebSocket client in Rust, its own message types decoded in its callback."""

from __future__ import annotations

import asyncio
import os

import msgspec
from nautilus_trader.adapters.binance.futures.schemas.market import BinanceFuturesTradeMsg
from nautilus_trader.adapters.binance.websocket.client import BinanceWebSocketClient
from nautilus_trader.common.component import LiveClock

from benchmarks.measure import Measure


async def main() -> None:
    measure = Measure()
    decode = msgspec.json.Decoder(BinanceFuturesTradeMsg).decode

    def take(raw: bytes) -> None:
        if raw.startswith(b'{"result'):
            return
        decode(raw)
        if measure.take():
            measure.report()
            os._exit(0)

    client = BinanceWebSocketClient(
        clock=LiveClock(), base_url=f"{measure.url}", handler=take, handler_reconnect=None,
        loop=asyncio.get_running_loop(),
    )  # fmt: skip
    await client.subscribe_trades("ETHUSDC")
    await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main())
