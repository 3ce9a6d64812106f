"""Every session starts a keep-alive task in the adapter's nursery; none of them ever ends."""

from __future__ import annotations

import trio

from connector.testing.explore import Stage
from tests.specimens import parts


async def keep_alive() -> None:
    while True:
        await trio.sleep(10.0)


async def program(stage: Stage) -> None:
    send, receive = parts.channel()

    async def keep_connected() -> None:
        number = 0
        while True:
            number += 1
            nursery.start_soon(keep_alive)
            try:
                async with parts.session(stage) as websocket:
                    await parts.subscribe(websocket)
                    while True:
                        await send.send(await parts.next_book(websocket, number))
            except* parts.FAILURES:
                pass
            await send.send(parts.gap(number))
            await trio.sleep(1.0)

    async with parts.unwrapped() as nursery:
        nursery.start_soon(keep_connected)
        with stage.body:
            for _ in range(12):
                await parts.consume(stage, receive, events=1)
                stage.exchange.break_connections("reset")
        nursery.cancel_scope.cancel()


SPECIMEN = parts.Specimen(program, breaks="I3", options={"dials_per_second": 2.0})
SCENARIO = SPECIMEN.scenario(__name__)
