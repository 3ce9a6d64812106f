"""The seed: the on-disconnect callback resets a flag and starts one more reconnect loop."""

from __future__ import annotations

from typing import Any

import trio

from connector.testing.explore import Stage
from tests.specimens import parts


class Connector:
    def __init__(self, stage: Stage, nursery: trio.Nursery, send: trio.MemorySendChannel[Any]):
        self.stage = stage
        self.nursery = nursery
        self.send = send
        self.started = False

    def start(self) -> None:
        if not self.started:
            self.started = True
            self.nursery.start_soon(self.keep_connected)

    def on_disconnect(self) -> None:
        self.started = False
        self.start()

    async def keep_connected(self) -> None:
        pause = parts.pauses()
        number = 0
        while True:
            number += 1
            try:
                async with parts.session(self.stage) as websocket:
                    await parts.subscribe(websocket)
                    while True:
                        await self.send.send(await parts.next_book(websocket, number))
            except* parts.FAILURES:
                pass
            await self.send.send(parts.gap(number))
            self.on_disconnect()
            await trio.sleep(pause())


async def program(stage: Stage) -> None:
    send, receive = parts.channel()
    async with parts.unwrapped() as nursery:
        Connector(stage, nursery, send).start()
        with stage.body:
            await parts.consume(stage, receive)
        nursery.cancel_scope.cancel()


SPECIMEN = parts.Specimen(program, breaks="I1", faults=("reset",))
SCENARIO = SPECIMEN.scenario(__name__)
