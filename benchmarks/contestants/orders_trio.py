"""Orders by the least that trio can do: a task for each connection, and the one that places.

No client: as `orders_picows`, it signs, correlates and decodes, and knows whole text frames only.
What it needs is what any client on trio needs: a task that reads the replies must wake the one that
waits for them, and the private stream must be read meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import trio

from benchmarks import order_frames
from benchmarks.order_frames import NO_RESULT, ORDERS_PATH, PRIVATE_PATH, Result
from benchmarks.order_workload import OrderMeasure
from connector.transport.websocket_frames import lift_text, masked_text

LIMIT = 1 << 20
READ_BYTES = 65_536


async def connect(port: int, path: str) -> trio.SocketStream:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    await stream.send_all(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    while not (await stream.receive_some()).endswith(b"\r\n\r\n"):
        pass
    return stream


async def read(stream: trio.SocketStream, take: Callable[[bytes], None]) -> None:
    """Give whole text frames to `take`, from now on."""
    descriptor, behind = stream.socket.fileno(), b""
    while True:
        await trio.lowlevel.wait_readable(descriptor)
        data = behind + os.read(descriptor, READ_BYTES)
        messages: list[bytes] = []
        behind = data[lift_text(data, 0, LIMIT, messages)[0] :]
        for message in messages:
            take(message)


class Orders:
    def __init__(self, stream: trio.SocketStream) -> None:
        self._send = stream.socket._sock.send  # type: ignore[attr-defined]
        self._waiting: dict[int, trio.lowlevel.Task] = {}
        self._results: dict[int, Result] = {}
        self._number = 0

    def send(self, text: bytes) -> None:
        frame = masked_text(text, os.urandom(4))
        sent = self._send(frame)
        assert sent == len(frame)

    async def ask(self, method: str, params: dict[str, str | int]) -> Result:
        self._number += 1
        number = self._number
        self.send(order_frames.signed(number, method, params))
        self._waiting[number] = trio.lowlevel.current_task()

        def abort(_: object) -> trio.lowlevel.Abort:
            del self._waiting[number]
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
        return self._results.pop(number)

    def take(self, payload: bytes) -> None:
        if NO_RESULT in payload:
            return
        reply = order_frames.decode_reply(payload)
        self._results[reply.id] = reply.result
        trio.lowlevel.reschedule(self._waiting.pop(reply.id))


class Private:
    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._fills = 0
        self.done = trio.Event()

    def take(self, payload: bytes) -> None:
        event = order_frames.decode_event(payload)
        if event.o.x == "TRADE":
            self._fills += 1
            if self._fills == self._wanted:
                self.done.set()


async def main() -> None:
    measure = OrderMeasure()
    private_stream = await connect(measure.port, PRIVATE_PATH)
    orders_stream = await connect(measure.port, ORDERS_PATH)
    private, orders = Private(measure.fills), Orders(orders_stream)
    async with private_stream, orders_stream, trio.open_nursery() as nursery:
        nursery.start_soon(read, private_stream, private.take)
        nursery.start_soon(read, orders_stream, orders.take)
        await order_frames.trade(measure, orders, trio.sleep, private.done.wait)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
