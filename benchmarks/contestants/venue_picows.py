"""picows + msgspec, decoding frames of any venue in its callback. The mark to reach."""

from __future__ import annotations

import asyncio

from picows import WSFrame, WSListener, WSTransport, ws_connect

from benchmarks.venue_structs import decoder
from benchmarks.venues import PASSES, Count


class Listener(WSListener):
    def __init__(self, count: Count) -> None:
        self.count = count
        self.decode = decoder(count.venue, count.kind)
        self.left = count.frames

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.count.begin()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.decode(frame.get_payload_as_memoryview())
        self.left -= 1
        if not self.left:
            self.count.end()
            transport.disconnect()


async def main() -> None:
    count = Count.from_arguments()
    for _ in range(PASSES):
        transport, _ = await ws_connect(lambda: Listener(count), f"ws://localhost:{count.port}/")
        await transport.wait_disconnected()
    count.report()


if __name__ == "__main__":
    asyncio.run(main())
