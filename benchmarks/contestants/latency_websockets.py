"""websockets on asyncio + msgspec, paced."""

from __future__ import annotations

import asyncio

from websockets.asyncio.client import connect

from benchmarks.measure import Latency


async def main() -> None:
    measure = Latency()
    decode = measure.decoder()
    async with connect(f"{measure.url}/stream", compression=None, max_size=None) as websocket:
        await websocket.send(measure.request())
        await websocket.recv(decode=False)
        measure.begin()
        while not measure.note(decode(await websocket.recv(decode=False)).data.T):
            pass
        measure.report()


if __name__ == "__main__":
    asyncio.run(main())
