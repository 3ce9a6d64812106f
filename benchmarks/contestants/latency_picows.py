"""picows + msgspec, paced: to its callback."""

from __future__ import annotations

import asyncio

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.measure import Latency


class Listener(WSListener):
    def __init__(self, measure: Latency) -> None:
        self.measure = measure
        self.decode = measure.decoder()
        self.replied = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        transport.send(WSMsgType.TEXT, self.measure.request().encode())

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if not self.replied:
            self.replied = True
            self.measure.begin()
        elif self.measure.note(self.decode(frame.get_payload_as_memoryview()).data.T):
            self.measure.report()
            transport.disconnect()


async def main() -> None:
    measure = Latency()
    transport, _ = await ws_connect(lambda: Listener(measure), f"{measure.url}/")
    await transport.wait_disconnected()


if __name__ == "__main__":
    asyncio.run(main())
