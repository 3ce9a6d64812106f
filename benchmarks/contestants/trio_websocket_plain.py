"""trio-websocket as it is + msgspec."""

from __future__ import annotations

import os

import trio
from trio_websocket import open_websocket_url

from benchmarks.measure import Measure


async def main() -> None:
    measure = Measure()
    decode = measure.decoder()
    async with open_websocket_url(f"{measure.url}/stream", max_message_size=2**24) as websocket:
        await websocket.send_message(measure.request())
        await websocket.get_message()
        measure.begin()
        for _ in range(measure.messages):
            message = await websocket.get_message()
            assert isinstance(message, str)
            decode(message.encode())
        measure.report()
        os._exit(0)  # else it waits for the close frame of a server that is still sending


if __name__ == "__main__":
    trio.run(main)
