"""picows + msgspec: a compiled asyncio client, decoding in its callback. The mark to reach."""

from __future__ import annotations

import asyncio
import ssl

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.measure import Measure


class Listener(WSListener):
    def __init__(self, measure: Measure) -> None:
        self.measure = measure
        self.decode = measure.decoder()
        self.raw = measure.workload == "mix"
        self.left = measure.messages + 1  # and the reply to the request

    def on_ws_connected(self, transport: WSTransport) -> None:
        transport.send(WSMsgType.TEXT, self.measure.request().encode())

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if self.left > self.measure.messages:
            self.left -= 1
            self.measure.begin()
            return
        self.decode(frame.get_payload_as_bytes() if self.raw else frame.get_payload_as_memoryview())
        self.left -= 1
        if not self.left:
            self.measure.report()
            transport.disconnect()


async def main() -> None:
    measure = Measure()
    context = ssl.create_default_context() if measure.secure else None
    transport, _ = await ws_connect(
        lambda: Listener(measure), f"{measure.url}/", ssl_context=context
    )
    await transport.wait_disconnected()


if __name__ == "__main__":
    asyncio.run(main())
