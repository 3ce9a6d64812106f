"""Leaving waits for the server's answer to the close frame, however long that takes."""

from __future__ import annotations

import trio
from trio_websocket import wrap_client_stream

from connector.testing.explore import Stage
from tests.specimens import parts


async def program(stage: Stage) -> None:
    _, receive = parts.channel()
    async with (
        stage.network.connect(stage.exchange.host, stage.exchange.port) as stream,
        parts.unwrapped() as nursery,
    ):
        with trio.fail_after(parts.CONNECT_SECONDS):
            websocket = await wrap_client_stream(nursery, stream, "localhost", parts.PATH)
        with stage.body:
            await parts.subscribe(websocket)
            with trio.move_on_after(3.0):
                await parts.consume(stage, receive)
        stage.leaving()
        await websocket.aclose()


SPECIMEN = parts.Specimen(
    program,
    breaks="I4",
    faults=("half_open",),
    options={"limit_seconds": 30.0, "errors": parts.FAILURES},
)
SCENARIO = SPECIMEN.scenario(__name__)
