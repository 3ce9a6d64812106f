"""A refused connection is tried again at once."""

from __future__ import annotations

from typing import Any

import trio

from connector.testing import Fault
from connector.testing.explore import Stage
from tests.specimens import parts


async def keep_connected(stage: Stage, send: trio.MemorySendChannel[Any]) -> None:
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


async def program(stage: Stage) -> None:
    stage.exchange.inject(Fault("refuse"))
    send, receive = parts.channel()
    async with parts.unwrapped() as nursery:
        nursery.start_soon(keep_connected, stage, send)
        with stage.body, trio.move_on_after(1.0):
            await parts.consume(stage, receive)
        nursery.cancel_scope.cancel()


SPECIMEN = parts.Specimen(program, breaks="I6")
SCENARIO = SPECIMEN.scenario(__name__)
