"""picows' client with the interface of websockets, which compresses, + msgspec."""

from __future__ import annotations

import asyncio

from picows.websockets import connect

from benchmarks.measure import Measure


async def main() -> None:
    measure = Measure()
    decode = measure.decoder()
    compression = "deflate" if measure.deflate else None
    async with connect(
        f"{measure.url}/stream", compression=compression, max_size=None
    ) as websocket:
        await websocket.send(measure.request())
        await websocket.recv(decode=False)
        measure.begin()
        for _ in range(measure.messages):
            decode(await websocket.recv(decode=False))
        measure.report()
        await websocket.close()


if __name__ == "__main__":
    asyncio.run(main())
