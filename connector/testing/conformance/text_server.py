"""A server for your own venue: WebSockets with text messages, on a network in memory.

class Shop:
    def hear(self, text: str) -> list[str]: ...      # replies
    def tick(self) -> list[str]: ...                 # what is sent by itself

async with serve_texts(network, Shop) as url: ...
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Protocol

import trio

from connector.testing.network.network import MemoryNetwork
from connector.testing.network.server_websocket import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    FrameReader,
    accept,
    close_frame,
    frame,
    read_request,
    text_frame,
)

HOST = "127.0.0.1"


class Talk(Protocol):
    """The conversation on one connection."""

    def hear(self, text: str) -> Iterable[str]:
        """Return the replies to a message of the client."""
        ...

    def tick(self) -> Iterable[str]:
        """Return the messages that the server sends unasked; called at regular times."""
        ...


@asynccontextmanager
async def serve_texts(
    network: MemoryNetwork, open_talk: Callable[[], Talk], *, tick_seconds: float = 0.1
) -> AsyncIterator[str]:
    """Serve WebSockets until the block ends; yields the ``ws://`` URL.

    The server answers pings, and drops a client that closes.

    Args:
        network: the network to listen on.
        open_talk: called once for each connection.
        tick_seconds: interval between calls of `Talk.tick`.

    Cancellation: every connection is dropped without a close frame.
    """
    listener = network.listen(HOST)
    try:
        async with trio.open_nursery() as nursery:

            async def accept_all() -> None:
                while True:
                    stream = await listener.accept()
                    nursery.start_soon(_converse, stream, open_talk(), tick_seconds)

            nursery.start_soon(accept_all)  # noqa: ASYNC113  # it listens already
            yield f"ws://{HOST}:{listener.port}"
            nursery.cancel_scope.cancel()
    finally:
        listener.close()


async def _converse(stream: trio.abc.HalfCloseableStream, talk: Talk, tick_seconds: float) -> None:
    sending = trio.Lock()

    async def say(data: bytes) -> None:
        async with sending:
            await stream.send_all(data)

    async def speak() -> None:
        while True:
            await trio.sleep(tick_seconds)
            for text in talk.tick():
                await say(text_frame(text.encode()))

    async with stream:
        try:
            request = await read_request(stream)
            if request is not None:
                await say(accept(request))
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(speak)
                    await _listen(stream, talk, say, request.rest)
                    nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass


async def _listen(
    stream: trio.abc.ReceiveStream,
    talk: Talk,
    say: Callable[[bytes], Awaitable[None]],
    data: bytes,
) -> None:
    frames = FrameReader()
    while True:
        for message in frames.feed(data):
            if message.opcode == CLOSE:
                await say(close_frame())
                return
            if message.opcode == PING:
                await say(frame(PONG, message.payload))
            elif message.opcode == TEXT:
                for text in talk.hear(message.payload.decode()):
                    await say(text_frame(text.encode()))
        data = bytes(await stream.receive_some())
        if not data:
            return
