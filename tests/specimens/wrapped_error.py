"""The consumer's own exception comes out in a group, and a user's `except` does not see it."""

from __future__ import annotations

import trio

from connector.testing.explore import Stage
from tests.specimens import parts, structured


async def program(stage: Stage) -> None:
    send, receive = parts.channel()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(structured.keep_connected, stage, send)
        with stage.body:
            await parts.consume(stage, receive)
        nursery.cancel_scope.cancel()


SPECIMEN = parts.Specimen(program, breaks="I12", faults=("consumer",))
SCENARIO = SPECIMEN.scenario(__name__)
