"""Between the dial and the block that closes the stream there is a checkpoint."""

from __future__ import annotations

import trio
from trio_websocket import wrap_client_stream

from connector.testing.explore import Stage
from tests.specimens import parts


async def log_connected() -> None:
    await trio.lowlevel.checkpoint()


async def program(stage: Stage) -> None:
    send, receive = parts.channel()
    stream = await parts.dial(stage)
    await log_connected()
    try:
        async with parts.unwrapped() as nursery:
            websocket = await wrap_client_stream(nursery, stream, "localhost", parts.PATH)
            await parts.subscribe(websocket)
            for _ in range(3):
                await send.send(await parts.next_book(websocket, 1))
            await parts.consume(stage, receive)
            nursery.cancel_scope.cancel()
    finally:
        parts.close_now(stream)


SPECIMEN = parts.Specimen(program, breaks="I4", faults=("cancel",))
SCENARIO = SPECIMEN.scenario(__name__)
