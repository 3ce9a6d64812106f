"""The new connection is opened before the old one is closed."""

from __future__ import annotations

from typing import Any

import trio
from trio_websocket import WebSocketConnection, wrap_client_stream

from connector.testing.explore import Stage
from tests.specimens import parts


async def program(stage: Stage) -> None:
    send, receive = parts.channel()
    old: list[Any] = []

    async def keep_connected() -> None:
        pause = parts.pauses()
        number = 0
        while True:
            number += 1
            try:
                stream = await parts.dial(stage)
                old.append(stream)
                websocket: WebSocketConnection = await wrap_client_stream(
                    nursery, stream, "localhost", parts.PATH
                )
                for stale in old[:-1]:
                    parts.close_now(stale)
                await parts.subscribe(websocket)
                while True:
                    await send.send(await parts.next_book(websocket, number))
            except parts.FAILURES:
                await send.send(parts.gap(number))
            await trio.sleep(pause())

    try:
        async with parts.unwrapped() as nursery:
            nursery.start_soon(keep_connected)
            with stage.body:
                await parts.consume(stage, receive)
            nursery.cancel_scope.cancel()
    finally:
        for stream in old:
            parts.close_now(stream)


SPECIMEN = parts.Specimen(program, breaks="I2", faults=("mute",))
SCENARIO = SPECIMEN.scenario(__name__)
