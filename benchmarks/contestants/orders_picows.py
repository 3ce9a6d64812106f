"""Orders over picows: signed and correlated, replies and events decoded, and nothing else."""

from __future__ import annotations

import asyncio

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks import order_frames
from benchmarks.order_frames import NO_RESULT, ORDERS_PATH, PRIVATE_PATH, Result
from benchmarks.order_workload import OrderMeasure


class Orders(WSListener):
    def __init__(self) -> None:
        self.waiting: dict[int, asyncio.Future[Result]] = {}
        self.transport: WSTransport
        self.number = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        if NO_RESULT in payload:
            return
        reply = order_frames.decode_reply(payload)
        self.waiting.pop(reply.id).set_result(reply.result)

    def ask(self, method: str, params: dict[str, str | int]) -> asyncio.Future[Result]:
        self.number += 1
        self.send(order_frames.signed(self.number, method, params))
        future = asyncio.get_running_loop().create_future()
        self.waiting[self.number] = future
        return future

    def send(self, text: bytes) -> None:
        self.transport.send(WSMsgType.TEXT, text)


class Private(WSListener):
    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.fills = 0
        self.done = asyncio.Event()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        event = order_frames.decode_event(frame.get_payload_as_bytes())
        if event.o.x == "TRADE":
            self.fills += 1
            if self.fills == self.wanted:
                self.done.set()


async def main() -> None:
    measure = OrderMeasure()
    url = f"ws://127.0.0.1:{measure.port}"
    _, private = await ws_connect(lambda: Private(measure.fills), f"{url}{PRIVATE_PATH}")
    _, orders = await ws_connect(Orders, f"{url}{ORDERS_PATH}")
    assert isinstance(orders, Orders)
    assert isinstance(private, Private)
    await order_frames.trade(measure, orders, asyncio.sleep, private.done.wait)


if __name__ == "__main__":
    asyncio.run(main())
