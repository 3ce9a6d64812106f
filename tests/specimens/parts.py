"""What the specimens are made of, each part right in itself."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio
from trio_websocket import (
    ConnectionClosed,
    HandshakeError,
    WebSocketConnection,
    wrap_client_stream,
)

from connector.events import Gap
from connector.testing.explore import Numbered, Scenario, Stage

STREAM = "ethusdc@depth5@100ms"
PATH = "/public/stream"
CONNECT_SECONDS, SILENCE_SECONDS, CLOSE_SECONDS = 5.0, 3.0, 1.0
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 4.0
FAILURES = (
    HandshakeError,
    ConnectionClosed,
    OSError,
    trio.TooSlowError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
)


@attrs.frozen
class Specimen:
    """An adapter with a mistake, and what the explorer is to say about it."""

    program: Callable[[Stage], Awaitable[None]]
    breaks: str
    """The invariant."""
    faults: tuple[str, ...] = ()
    """Those that show it; none: it shows without."""
    kinds: tuple[str, ...] = ("steps",)
    options: dict[str, Any] = attrs.field(factory=dict)
    """Of the scenario."""

    def scenario(self, module: str) -> Scenario:
        options = {"source": Numbered(0.5), "limit_seconds": 60.0, "most_tasks": 12}
        return Scenario(name=f"{module}:SCENARIO", program=self.program, **(options | self.options))


@attrs.frozen
class Book:
    """What the specimens deliver."""

    symbol: str
    update_id: int
    session: int


async def dial(stage: Stage) -> trio.abc.Stream:
    """A bare stream, as `trio.open_tcp_stream` gives: whoever has it must close it."""
    return await stage.network.open_stream(stage.exchange.host, stage.exchange.port)


@asynccontextmanager
async def session(
    stage: Stage, *, close_seconds: float = CLOSE_SECONDS
) -> AsyncIterator[WebSocketConnection]:
    """A connection that is gone when the block is left."""
    with trio.CancelScope(deadline=trio.current_time() + CONNECT_SECONDS) as limit:
        async with stage.network.connect(stage.exchange.host, stage.exchange.port) as stream:
            async with trio.open_nursery() as nursery:
                try:
                    websocket = await wrap_client_stream(nursery, stream, "localhost", PATH)
                    limit.deadline = math.inf
                    yield websocket
                    with trio.move_on_after(close_seconds):
                        await websocket.aclose()
                finally:
                    close_now(stream)
                    nursery.cancel_scope.cancel()
    if limit.cancelled_caught:
        raise trio.TooSlowError


def close_now(stream: Any) -> None:
    """Close a stream in memory without a checkpoint."""
    while hasattr(stream, "_stream"):
        stream = stream._stream
    stream.close()


async def subscribe(websocket: WebSocketConnection, request_id: int = 1) -> None:
    request = {"method": "SUBSCRIBE", "params": [STREAM], "id": request_id}
    with trio.fail_after(SILENCE_SECONDS):
        await websocket.send_message(json.dumps(request))


async def next_book(
    websocket: WebSocketConnection, number: int, *, silence_seconds: float = SILENCE_SECONDS
) -> Book:
    """The next event of session `number`."""
    with trio.fail_at(trio.current_time() + silence_seconds):
        while True:
            message = json.loads(await websocket.get_message())
            if "data" in message:
                return Book(message["data"]["s"], message["data"]["u"], number)


def gap(number: int) -> Gap:
    return Gap(symbol="", received_ns=0, session=number, channels=(), reason="disconnected")


def pauses() -> Callable[[], float]:
    """Seconds to wait before the next attempt, growing."""
    pause = FIRST_PAUSE

    def next_pause() -> float:
        nonlocal pause
        now, pause = pause, min(2 * pause, LONGEST_PAUSE)
        return now

    return next_pause


async def consume(stage: Stage, receive: trio.MemoryReceiveChannel[Any], events: int = 3) -> None:
    """The user's code: it reads until it has had enough, after the last fault too."""
    reader = stage.reader(gaps=True)
    while reader.events < events or not stage.settled:
        reader.saw(await receive.receive())
        stage.turn()


def channel(
    capacity: float = 16,
) -> tuple[trio.MemorySendChannel[Any], trio.MemoryReceiveChannel[Any]]:
    return trio.open_memory_channel(capacity)


UNBOUNDED = math.inf


@asynccontextmanager
async def unwrapped() -> AsyncIterator[trio.Nursery]:
    """A nursery out of which one error comes as itself."""
    try:
        async with trio.open_nursery() as nursery:
            yield nursery
    except BaseExceptionGroup as group:
        errors = [each for each in leaves(group) if not isinstance(each, trio.Cancelled)]
        if len(errors) != 1:
            raise
        error = errors[0]
    else:
        return
    raise error


def leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in leaves(each)]
    return [error]
