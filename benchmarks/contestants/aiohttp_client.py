"""aiohttp's WebSocket client + msgspec."""

from __future__ import annotations

import asyncio

import aiohttp

from benchmarks.measure import Measure


async def main() -> None:
    measure = Measure()
    decode = measure.decoder()
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            f"{measure.url}/stream", max_msg_size=0, compress=15 * measure.deflate
        ) as websocket,
    ):
        await websocket.send_str(measure.request())
        await websocket.receive()
        measure.begin()
        for _ in range(measure.messages):
            decode((await websocket.receive()).data.encode())
        measure.report()


if __name__ == "__main__":
    asyncio.run(main())
