"""Nobody notices that a connection has fallen silent."""

from __future__ import annotations

from typing import Any

import trio

from connector.testing.explore import Stage
from tests.specimens import parts


async def keep_connected(stage: Stage, send: trio.MemorySendChannel[Any]) -> None:
    pause = parts.pauses()
    number = 0
    while True:
        number += 1
        try:
            async with parts.session(stage) as websocket:
                await parts.subscribe(websocket)
                while True:
                    book = await parts.next_book(websocket, number, silence_seconds=parts.UNBOUNDED)
                    await send.send(book)
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


SPECIMEN = parts.Specimen(program, breaks="I7", faults=("mute", "half_open"))
SCENARIO = SPECIMEN.scenario(__name__)
