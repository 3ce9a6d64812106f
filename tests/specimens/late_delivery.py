"""Each session hands its events to a task of its own, which goes on when the session is over."""

from __future__ import annotations

from typing import Any

import trio

from connector.testing.explore import Stage
from tests.specimens import parts


async def deliver(number: int, own: Any, send: trio.MemorySendChannel[Any]) -> None:
    async for book in own:
        await trio.sleep(2.0 if number == 1 else 0.0)
        await send.send(book)


async def program(stage: Stage) -> None:
    send, receive = parts.channel()

    async def keep_connected() -> None:
        pause = parts.pauses()
        number = 0
        while True:
            number += 1
            to_own, own = parts.channel()
            nursery.start_soon(deliver, number, own, send)
            try:
                async with parts.session(stage) as websocket:
                    await parts.subscribe(websocket)
                    while True:
                        await to_own.send(await parts.next_book(websocket, number))
            except* parts.FAILURES:
                pass
            await send.send(parts.gap(number))
            await trio.sleep(pause())

    async with parts.unwrapped() as nursery:
        nursery.start_soon(keep_connected)
        with stage.body:
            await parts.consume(stage, receive, events=4)
        nursery.cancel_scope.cancel()


SPECIMEN = parts.Specimen(program, breaks="I11", faults=("reset",))
SCENARIO = SPECIMEN.scenario(__name__)
