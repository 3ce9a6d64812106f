"""After a reconnect the loop subscribes, and the on-connect callback does so once more."""

from __future__ import annotations

from typing import Any

import trio
from trio_websocket import WebSocketConnection

from connector.testing.explore import Stage
from tests.specimens import parts


async def on_connect(websocket: WebSocketConnection, number: int) -> None:
    if number > 1:
        await parts.subscribe(websocket, request_id=2)


async def keep_connected(stage: Stage, send: trio.MemorySendChannel[Any]) -> None:
    pause = parts.pauses()
    number = 0
    while True:
        number += 1
        try:
            async with parts.session(stage) as websocket:
                await parts.subscribe(websocket)
                await on_connect(websocket, number)
                while True:
                    await send.send(await parts.next_book(websocket, number))
        except* parts.FAILURES:
            pass
        await send.send(parts.gap(number))
        await trio.sleep(pause())


async def program(stage: Stage) -> None:
    send, receive = parts.channel()
    async with parts.unwrapped() as nursery:
        nursery.start_soon(keep_connected, stage, send)
        with stage.body:
            await parts.consume(stage, receive)
        nursery.cancel_scope.cancel()


SPECIMEN = parts.Specimen(program, breaks="I10", faults=("reset",))
SCENARIO = SPECIMEN.scenario(__name__)
