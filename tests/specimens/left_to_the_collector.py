"""`trio_websocket.open_websocket` itself: it leaves the socket to the garbage collector."""

from __future__ import annotations

from typing import Any
from unittest import mock

import trio
from trio_websocket import open_websocket

from connector.testing.explore import Stage
from tests.specimens import parts


async def keep_connected(stage: Stage, send: trio.MemorySendChannel[Any]) -> None:
    pause = parts.pauses()
    number = 0

    async def open_tcp_stream(host: str, port: int) -> trio.abc.Stream:
        return await parts.dial(stage)

    while True:
        number += 1
        try:
            with mock.patch("trio.open_tcp_stream", open_tcp_stream):
                async with open_websocket(
                    stage.exchange.host,
                    stage.exchange.port,
                    parts.PATH,
                    use_ssl=False,
                    connect_timeout=parts.CONNECT_SECONDS,
                    disconnect_timeout=parts.CLOSE_SECONDS,
                ) as websocket:
                    await parts.subscribe(websocket)
                    while True:
                        await send.send(await parts.next_book(websocket, number))
        except* parts.FAILURES:
            pass
        await send.send(parts.gap(number))
        await trio.sleep(pause())


async def program(stage: Stage) -> None:
    send, receive = parts.channel()
    async with parts.unwrapped() as nursery:
        nursery.start_soon(keep_connected, stage, send)
        with stage.body:
            await parts.consume(stage, receive)
        nursery.cancel_scope.cancel()


SPECIMEN = parts.Specimen(
    program, breaks="I2", faults=("eof", "bad_frame"), options={"cancel_seconds": 2.0}
)
SCENARIO = SPECIMEN.scenario(__name__)
