"""picows + msgspec, decoding frames of any venue in its callback. The mark to reach."""

from __future__ import annotations

import asyncio

from picows import WSFrame, WSListener, WSTransport, ws_connect

from benchmarks.venue_structs import decoder
from benchmarks.venue_task import Task, report, tasks


class Listener(WSListener):
    def __init__(self, task: Task) -> None:
        self.task = task
        self.decode = decoder(task.venue, task.kind)
        self.left = task.frames

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.task.begin()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.decode(frame.get_payload_as_memoryview())
        self.left -= 1
        if not self.left:
            self.task.end()
            transport.disconnect()


async def main() -> None:
    done = tasks()
    for task in done:
        for _ in range(task.passes):
            transport, _ = await ws_connect(lambda: Listener(task), f"ws://localhost:{task.port}/")  # noqa: B023
            await transport.wait_disconnected()
    report(done)


if __name__ == "__main__":
    asyncio.run(main())
