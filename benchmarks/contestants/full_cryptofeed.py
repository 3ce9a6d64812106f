"""cryptofeed: its own trade objects in its callback."""

from __future__ import annotations

import os

from cryptofeed import FeedHandler
from cryptofeed.connection import RestEndpoint, Routes, WebsocketEndpoint
from cryptofeed.defines import TRADES
from cryptofeed.exchanges import BinanceFutures
from cryptofeed.symbols import Symbols

from benchmarks.measure import Measure


def main() -> None:
    measure = Measure()

    async def take(trade: object, received: float) -> None:
        if measure.take():
            measure.report()
            os._exit(0)

    Symbols.set(
        BinanceFutures.id, {"ETH-USDC-PERP": "ETHUSDC"},
        {"tick_size": {"ETH-USDC-PERP": "0.01"}, "instrument_type": {"ETH-USDC-PERP": "perpetual"}},
    )  # fmt: skip
    BinanceFutures.websocket_endpoints = [
        WebsocketEndpoint(measure.url, options={"compression": None})
    ]
    BinanceFutures.rest_endpoints = [RestEndpoint("http://localhost:9", routes=Routes("/none"))]
    handler = FeedHandler(config={"log": {"disabled": True, "filename": os.devnull}})
    handler.add_feed(
        BinanceFutures(symbols=["ETH-USDC-PERP"], channels=[TRADES], callbacks={TRADES: take})
    )
    handler.run()


if __name__ == "__main__":
    main()
