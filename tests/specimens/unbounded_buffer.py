"""A slow consumer's buffer grows without bound."""

from __future__ import annotations

from contextlib import suppress

import trio

from connector.testing.explore import Stage
from tests.specimens import parts, structured

CAPACITY = 4


async def program(stage: Stage) -> None:
    send, receive = parts.channel(parts.UNBOUNDED)
    async with parts.unwrapped() as nursery:
        nursery.start_soon(structured.keep_connected, stage, send)
        with stage.body:
            await parts.consume(stage, receive, events=1)
            await trio.sleep(6.0)
            waiting = 0
            with suppress(trio.WouldBlock):
                while True:
                    receive.receive_nowait()
                    waiting += 1
            if waiting > CAPACITY:
                stage.find("I9", f"{waiting} events waited in a buffer of {CAPACITY}")
        nursery.cancel_scope.cancel()


SPECIMEN = parts.Specimen(program, breaks="I9")
SCENARIO = SPECIMEN.scenario(__name__)
