"""The polite close is shielded from cancellation and has no deadline."""

from __future__ import annotations

from contextlib import suppress

import trio
from trio_websocket import wrap_client_stream

from connector.testing.explore import Stage
from tests.specimens import parts


async def program(stage: Stage) -> None:
    send, receive = parts.channel()
    with suppress(trio.TooSlowError):
        async with (
            stage.network.connect(stage.exchange.host, stage.exchange.port) as stream,
            parts.unwrapped() as nursery,
        ):
            with trio.fail_after(parts.CONNECT_SECONDS):
                websocket = await wrap_client_stream(nursery, stream, "localhost", parts.PATH)
            try:
                await parts.subscribe(websocket)
                for _ in range(3):
                    await send.send(await parts.next_book(websocket, 1))
                await parts.consume(stage, receive)
            finally:
                with trio.CancelScope(shield=True):
                    await websocket.aclose()


SPECIMEN = parts.Specimen(program, breaks="I12", faults=("half_open",))
SCENARIO = SPECIMEN.scenario(__name__)
