"""Many connections at rest in one process: what each beyond the first holds.

Each gets one message and then waits. The figure is resident memory; the kernel's socket buffers
are not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import attrs
import trio

from connector import open_adapter
from connector.channels import Trades
from connector.exchanges import binance

COUNT = 200
REQUEST = '{"method": "SUBSCRIBE", "params": ["ethusdc@trade"], "id": 1}'
Open = Callable[[AsyncExitStack], Awaitable[None]]


def resident_kib() -> int:
    gc.collect()
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


class OneStreamPerLink(binance.UsdMFutures):
    """So that each stream of an adapter needs a link of its own."""

    @property
    def limits(self) -> Any:
        return attrs.evolve(super().limits, streams_per_connection=1)


def exchange(kind: type[binance.UsdMFutures], port: int) -> binance.UsdMFutures:
    host = f"localhost:{port}"
    return kind(endpoints=binance.Endpoints(stream=f"ws://{host}", rest=f"http://{host}"))


def adapters(port: int) -> Open:
    venue = exchange(binance.UsdMFutures, port)

    async def one_more(stack: AsyncExitStack) -> None:
        adapter = await stack.enter_async_context(open_adapter(venue, close_timeout=0))
        feed = await stack.enter_async_context(adapter.subscribe(Trades("ETHUSDC")))
        await feed.receive()

    return one_more


def links(port: int) -> Open:
    opened: list[Any] = []

    async def one_more(stack: AsyncExitStack) -> None:
        if not opened:
            opened.append(await stack.enter_async_context(
                open_adapter(exchange(OneStreamPerLink, port), close_timeout=0)
            ))  # fmt: skip
            # The server speaks of ETHUSDC only: the first stream gets it, the others are at rest.
            opened.append(await stack.enter_async_context(opened[0].subscribe(Trades("ETHUSDC"))))
        else:
            await opened[1].add(Trades(f"COIN{len(opened)}USDT"))
            opened.append(None)

    return one_more


def picows(port: int) -> Open:
    from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect  # noqa: PLC0415

    class Listener(WSListener):
        def __init__(self) -> None:
            self.got = asyncio.Event()
            self.frames = 0

        def on_ws_connected(self, transport: WSTransport) -> None:
            transport.send(WSMsgType.TEXT, REQUEST.encode())

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            self.frames += 1
            if self.frames == 2:
                self.got.set()

    kept: list[Any] = []

    async def one_more(stack: AsyncExitStack) -> None:
        listener = Listener()
        transport, _ = await ws_connect(lambda: listener, f"ws://localhost:{port}/stream")
        kept.append(transport)
        await listener.got.wait()

    return one_more


def websockets(port: int) -> Open:
    from websockets.asyncio.client import connect  # noqa: PLC0415

    async def one_more(stack: AsyncExitStack) -> None:
        websocket = await connect(f"ws://localhost:{port}/stream", compression=None)
        await websocket.send(REQUEST)
        await websocket.recv()
        await websocket.recv()

    return one_more


def trio_websocket(port: int) -> Open:
    from trio_websocket import open_websocket_url  # noqa: PLC0415

    async def one_more(stack: AsyncExitStack) -> None:
        websocket = await stack.enter_async_context(
            open_websocket_url(f"ws://localhost:{port}/stream")
        )
        await websocket.send_message(REQUEST)
        await websocket.get_message()
        await websocket.get_message()

    return one_more


CLIENTS: dict[str, tuple[Callable[[int], Open], bool]] = {
    "adapter": (adapters, True),
    "link": (links, True),
    "trio-websocket": (trio_websocket, True),
    "picows": (picows, False),
    "websockets": (websockets, False),
}
"""How to open one more, and whether it runs on trio."""


async def measure(one_more: Open) -> None:
    stack = AsyncExitStack()
    await one_more(stack)
    first, begin = resident_kib(), time.process_time()
    for _ in range(COUNT):
        await one_more(stack)
    cpu = time.process_time() - begin
    figures = {
        "kib": (resident_kib() - first) / COUNT,
        "open_ms": 1e3 * cpu / COUNT,
    }
    json.dump(figures, sys.stdout)
    sys.stdout.flush()
    # Whoever wants to be closed politely would wait for the server.
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", choices=CLIENTS)
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    make, on_trio = CLIENTS[options.client]
    one_more = make(options.port)
    if on_trio:
        trio.run(measure, one_more)
    else:
        asyncio.run(measure(one_more))


if __name__ == "__main__":
    main()
