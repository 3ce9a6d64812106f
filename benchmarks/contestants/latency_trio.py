"""The least that trio can do, paced: read, cut, decode, in the task that reads or in another.

No client: it knows nothing but whole text frames. What it needs is what any client on trio needs.
"""

from __future__ import annotations

import os
from collections import deque

import trio

from benchmarks.measure import Latency
from connector.transport.websocket_frames import lift_text

LIMIT = 1 << 20
READ_BYTES = 65_536


async def connect(measure: Latency) -> trio.SocketStream:
    """A connection that has subscribed, and read the reply."""
    stream = await trio.open_tcp_stream("localhost", measure.port)
    await stream.send_all(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    while not (await stream.receive_some()).endswith(b"\r\n\r\n"):
        pass
    request = measure.request().encode()
    # Masked with zeros: as it is.
    await stream.send_all(bytes([0x81, 0x80 | len(request)]) + bytes(4) + request)
    await stream.receive_some()
    return stream


async def read(stream: trio.SocketStream) -> list[bytes]:
    descriptor = stream.socket.fileno()
    messages: list[bytes] = []
    await trio.lowlevel.wait_readable(descriptor)
    lift_text(os.read(descriptor, READ_BYTES), 0, LIMIT, messages)
    return messages


async def one_task(measure: Latency, stream: trio.SocketStream) -> None:
    decode = measure.decoder()
    measure.begin()
    while True:
        for message in await read(stream):
            if measure.note(decode(message).data.T):
                return


async def two_tasks(measure: Latency, stream: trio.SocketStream) -> None:
    decode = measure.decoder()
    events: deque[int] = deque()
    waiting: list[trio.lowlevel.Task] = []

    async def reader() -> None:
        while True:
            for message in await read(stream):
                events.append(decode(message).data.T)
            if waiting:
                trio.lowlevel.reschedule(waiting.pop())

    def abort(_: object) -> trio.lowlevel.Abort:
        waiting.clear()
        return trio.lowlevel.Abort.SUCCEEDED

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader)
        measure.begin()
        while True:
            if not events:
                waiting.append(trio.lowlevel.current_task())
                await trio.lowlevel.wait_task_rescheduled(abort)
            while events:
                if measure.note(events.popleft()):
                    nursery.cancel_scope.cancel()
                    return


async def main() -> None:
    measure = Latency()
    stream = await connect(measure)
    async with stream:
        await {"each": one_task, "batches": two_tasks}[measure.way](measure, stream)
        measure.report()


if __name__ == "__main__":
    trio.run(main)
