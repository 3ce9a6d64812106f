"""Messages that come one at a time, over a pair of sockets: each wakes a reader and a consumer.

    python -m benchmarks.alone connector --messages 1000

"bare" is the least that two tasks of trio can do (`benchmarks.contestants.latency_trio`),
"connector" its way from the socket to the feed, and "adapter" an open adapter with all that stands
between: the link, trio-websocket, the user's task. It measures nothing itself:
`benchmarks.instructions` counts what it does.
"""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import Callable
from typing import Any

import msgspec
import trio

from benchmarks import workloads
from benchmarks.build import warn_if_not_compiled
from benchmarks.contestants.latency_trio import two_tasks
from benchmarks.measure import KINDS
from benchmarks.replay import Replay
from benchmarks.server import accept, reply, requests
from connector import open_adapter
from connector.channels import Trades
from connector.exchanges import binance
from connector.feeds.delivery_delay import Delays
from connector.feeds.feed import Feed
from connector.transport.tap import Tap
from connector.transport.upgrade import ResponseHead

MOST = 2_000
"""Messages that are prepared, however few are sent: so that two counts differ by what is sent."""


class Sender:
    """Sends one message when the one before has been consumed; in the place of a `Latency`."""

    def __init__(self, messages: int, far: socket.socket | trio.socket.SocketType) -> None:
        prepared = [workloads.frame(text) for text in workloads.texts("trade", MOST, 1)]
        self._frames = iter(prepared[:messages])
        self.send_to(far)

    def send_to(self, far: socket.socket | trio.socket.SocketType) -> None:
        """Send over another connection."""
        self._descriptor = far.fileno()

    def decoder(self) -> Callable[[bytes], Any]:
        envelope = msgspec.defstruct(
            "Envelope", [("stream", str), ("data", KINDS["trade"])], gc=False
        )
        return msgspec.json.Decoder(envelope, strict=False).decode

    def begin(self) -> None:
        self.note(0)

    def note(self, _: int) -> bool:
        """Send the next one; whether there is none."""
        frame = next(self._frames, None)
        if frame is not None:
            os.write(self._descriptor, frame)
        return frame is None


async def bare(sender: Sender, stream: trio.SocketStream) -> None:
    await two_tasks(sender, stream)  # type: ignore[arg-type]


async def connector(sender: Sender, stream: trio.SocketStream) -> None:
    replay = Replay("trade")
    tap = Tap(stream, replay.deliveries[0], limit=1 << 24)
    tap.head = ResponseHead(101, (), b"")
    tap.go_live()
    feed: Feed[Any] = Feed(None, replay.buffers[0], Delays())  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tap.receive_some)
        sender.begin()
        async for event in feed:
            if sender.note(event.trade_id):
                break
        nursery.cancel_scope.cancel()


def attend(listener: socket.socket) -> socket.socket:
    """Accept a connection, and its subscription."""
    connection, _ = listener.accept()
    accept(connection)
    connection.sendall(reply(next(requests(connection))))
    return connection


async def adapter(sender: Sender, _: trio.SocketStream) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        endpoints = binance.Endpoints(stream=f"ws://{host}", rest=f"http://{host}")
        attended, over = trio.Event(), trio.Event()
        async with (
            trio.open_nursery() as nursery,
            open_adapter(binance.UsdMFutures(endpoints=endpoints), close_timeout=0) as opened,
        ):

            async def serve() -> None:
                with await trio.to_thread.run_sync(attend, listener) as far:
                    sender.send_to(far)
                    attended.set()
                    await over.wait()

            nursery.start_soon(serve)
            async with opened.subscribe(Trades("ETHUSDC")) as feed:
                await attended.wait()
                sender.begin()
                async for event in feed:
                    if sender.note(event.trade_id):
                        break
            over.set()


async def send(client: str, messages: int) -> None:
    near, far = trio.socket.socketpair()
    with near, far:
        sender = Sender(messages, far)
        await CLIENTS[client](sender, trio.SocketStream(near))


CLIENTS = {"bare": bare, "connector": connector, "adapter": adapter}


def main() -> None:
    warn_if_not_compiled()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", choices=CLIENTS)
    parser.add_argument("--messages", type=int, default=1_000)
    options = parser.parse_args()
    trio.run(send, options.client, min(options.messages, MOST))


if __name__ == "__main__":
    main()
