"""After a reconnect data goes on as if nothing had been lost."""

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
                    await send.send(await parts.next_book(websocket, number))
        except* parts.FAILURES:
            pass
        await trio.sleep(pause())


async def program(stage: Stage) -> None:
    send, receive = parts.channel()
    async with parts.unwrapped() as nursery:
        nursery.start_soon(keep_connected, stage, send)
        with stage.body:
            await parts.consume(stage, receive)
        nursery.cancel_scope.cancel()


SPECIMEN = parts.Specimen(program, breaks="I8", faults=("mute",))
SCENARIO = SPECIMEN.scenario(__name__)
