"""python-binance: its multiplex socket, dictionaries in the user's task."""

from __future__ import annotations

import asyncio

from binance import AsyncClient, BinanceSocketManager

from benchmarks.measure import Measure


async def main() -> None:
    measure = Measure()
    client = AsyncClient()
    sockets = BinanceSocketManager(client, max_queue_size=10**7)
    sockets.FSTREAM_URL = f"{measure.url}/"
    async with sockets.futures_multiplex_socket(measure.names()) as stream:
        while not measure.take():
            await stream.recv()
        measure.report()
    await client.close_connection()


if __name__ == "__main__":
    asyncio.run(main())
