"""The reader is a system task: it belongs to nobody, and stays when the block is left."""

from __future__ import annotations

import trio

from connector.testing.explore import Stage
from tests.specimens import parts, structured


async def program(stage: Stage) -> None:
    send, receive = parts.channel()
    trio.lowlevel.spawn_system_task(structured.keep_connected, stage, send)
    with stage.body:
        await parts.consume(stage, receive)


SPECIMEN = parts.Specimen(program, breaks="I4")
SCENARIO = SPECIMEN.scenario(__name__)
