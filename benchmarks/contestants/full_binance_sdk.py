"""Binance's official SDK for USD-M futures: typed models in its callback."""

from __future__ import annotations

import asyncio

from binance_common.configuration import ConfigurationWebSocketStreams
from binance_sdk_derivatives_trading_usds_futures import DerivativesTradingUsdsFutures

from benchmarks.measure import Measure


async def main() -> None:
    measure = Measure()
    done = asyncio.Event()

    def take(_: object) -> None:
        if not done.is_set() and measure.take():
            done.set()

    configuration = ConfigurationWebSocketStreams(stream_url=measure.url)
    client = DerivativesTradingUsdsFutures(config_ws_streams=configuration)
    connection = await client.websocket_streams.create_connection()
    if measure.workload == "depth5":
        stream = await connection.partial_book_depth_streams(
            symbol="ethusdc", levels=5, update_speed="100ms"
        )
    else:
        stream = await connection.aggregate_trade_streams(symbol="ethusdc")
    stream.on("message", take)
    await done.wait()
    measure.report()
    await connection.close_connection(close_session=True)


if __name__ == "__main__":
    asyncio.run(main())
