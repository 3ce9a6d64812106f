"""A program that knows the public API only, against a server that shares no code with us.

The server is trio-websocket's own, with a few lines of Binance's JSON-RPC: a mistake that our
client and our simulated exchange had in common would show here. Real sockets, real time, the
garbage collector off.
"""

from __future__ import annotations

import collections
import gc
import gzip
import json
import os
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio_websocket
import wsproto

from connector import Gap, Reconnect, open_adapter
from connector.channels import BestQuote, BookDeltas, PartialBook, Trades
from connector.exchanges import binance

DATA = Path(
    os.environ.get("CONNECTOR_DATA") or Path(__file__).parents[1] / ".." / "shared" / "data"
)
CAPTURE = DATA / "binance_usdm" / "ethusdt_20240718.jsonl.gz"

needs_captures = pytest.mark.skipif(
    not CAPTURE.exists(), reason="no captures; CONNECTOR_DATA says where they are"
)


@pytest.fixture(autouse=True)
def without_garbage_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def descriptors_fall_to(count: int) -> None:
    """The server's side of a connection closes in its own time."""
    with trio.fail_after(5):
        while open_descriptors() > count:  # the kernel has no event for it
            await trio.sleep(0.01)


def frames() -> list[tuple[str, str]]:
    """Stream and text of every frame of the capture."""
    with gzip.open(CAPTURE, "rt") as lines:
        texts = [entry["m"] for entry in map(json.loads, lines) if entry["k"] == "recv"]
    return [(json.loads(text)["stream"], text) for text in texts]


@attrs.define
class Server:
    """Plays its frames once, each to whoever is subscribed to its stream when it is due."""

    texts: list[tuple[str, str]]
    port: int = 0
    pause: float = 0
    position: collections.Counter[str] = attrs.Factory(collections.Counter)
    live: dict[str, int] = attrs.Factory(dict)
    most: dict[str, int] = attrs.Factory(dict)
    accepted: int = 0
    connections: list[trio_websocket.WebSocketConnection] = attrs.Factory(list)

    async def serve(self, request: trio_websocket.WebSocketRequest) -> None:
        route = request.path.split("?")[0]
        connection = await request.accept()
        self.accepted += 1
        self.live[route] = self.live.get(route, 0) + 1
        self.most[route] = max(self.most.get(route, 0), self.live[route])
        self.connections.append(connection)
        subscribed: set[str] = set()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.play, connection, subscribed)
                while True:
                    asked = json.loads(await connection.get_message())
                    change = (
                        subscribed.update
                        if asked["method"] == "SUBSCRIBE"
                        else (subscribed.difference_update)
                    )
                    change(asked["params"])
                    reply = {"result": None, "id": asked["id"]}
                    await connection.send_message(json.dumps(reply))
        except* (trio_websocket.ConnectionClosed, wsproto.utilities.LocalProtocolError):
            pass
        finally:
            self.live[route] -= 1
            self.connections.remove(connection)

    async def play(
        self, connection: trio_websocket.WebSocketConnection, subscribed: set[str]
    ) -> None:
        while not subscribed:  # simplest, and this is only the test's server
            await trio.sleep(0.001)
        mine = [text for stream, text in self.texts if stream in subscribed]
        route = connection.path or ""
        while self.position[route] < len(mine):
            await connection.send_message(mine[self.position[route]])
            self.position[route] += 1
            await trio.sleep(self.pause)


@asynccontextmanager
async def serving(texts: list[tuple[str, str]]) -> AsyncIterator[Server]:
    server = Server(texts)
    async with trio.open_nursery() as nursery:
        started = await nursery.start(
            lambda task_status: trio_websocket.serve_websocket(
                server.serve, "127.0.0.1", 0, ssl_context=None, task_status=task_status
            )
        )
        server.port = started.port
        yield server
        nursery.cancel_scope.cancel()


def exchange_at(port: int) -> binance.UsdMFutures:
    url = f"ws://127.0.0.1:{port}"
    return binance.UsdMFutures(
        endpoints=binance.Endpoints(stream=url, rest=f"http://127.0.0.1:{port}")
    )


@needs_captures
async def test_every_frame_of_a_capture_arrives_exactly_once() -> None:
    texts = frames()
    expected = collections.Counter(stream.split("@", 1)[1] for stream, _ in texts)
    ids: dict[str, list[int]] = {"trade": [], "bookTicker": [], "depth@0ms": []}
    async with serving(texts) as server, open_adapter(exchange_at(server.port)) as adapter:
        async with (
            adapter.subscribe(Trades("ethusdt")) as trades,
            adapter.subscribe(BestQuote("ethusdt"), BookDeltas("ethusdt", interval_ms=0)) as book,
        ):
            with trio.fail_after(30):
                while len(ids["trade"]) < expected["trade"]:
                    ids["trade"] += [trade.trade_id for trade in await _batch(trades)]
                while sum(map(len, ids.values())) < sum(expected.values()):
                    for event in await _batch(book):
                        kind = "depth@0ms" if hasattr(event, "bids") else "bookTicker"
                        ids[kind].append(getattr(event, "update_id", 0) or event.last_update_id)
            await trio.sleep(0.05)  # whatever is too much arrives now
            with pytest.raises(trio.WouldBlock):
                book.receive_nowait()
            statistics = adapter.statistics()

    key = {"trade": "t", "bookTicker": "u", "depth@0ms": "u"}
    sent: dict[str, list[int]] = {kind: [] for kind in ids}
    for stream, text in texts:
        kind = stream.split("@", 1)[1]
        sent[kind].append(json.loads(text)["data"][key[kind]])
    assert ids == sent
    assert statistics.messages == len(texts)
    assert statistics.gaps == statistics.decode_errors == statistics.unknown_messages == 0
    assert server.accepted == 2
    assert server.most == {"/public/stream": 1, "/market/stream": 1}


async def _batch(feed: Any) -> list[Any]:
    async for events in feed.batches():
        return list(events)
    raise AssertionError("the feed ended")


def _reset(connection: trio_websocket.WebSocketConnection) -> None:
    """Close with a TCP RST."""
    raw = connection._stream.socket
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()


async def _break(connection: trio_websocket.WebSocketConnection, kind: int) -> None:
    raw = connection._stream.socket
    match kind % 5:
        case 0:
            _reset(connection)
        case 1:
            raw.shutdown(socket.SHUT_WR)
        case 2:
            await connection.aclose(1001)
        case 3:
            await raw.send(b"\xf1\x02{}")  # reserved bits
        case 4:
            await raw.send(b"\x81\x02\xff\xfe")  # not UTF-8


async def test_40_faults_one_connection_at_a_time_and_nothing_left() -> None:
    payload = {
        "e": "depthUpdate", "E": 1, "T": 1, "s": "ETHUSDC", "U": 1, "u": 1, "pu": 0,
        "b": [["3000.1", "1"]], "a": [["3000.2", "2"]],
    }  # fmt: skip
    stream = "ethusdc@depth5@100ms"
    before = open_descriptors()
    async with serving([]) as server:
        texts = [(stream, json.dumps({"stream": stream, "data": payload}))] * 100_000
        server.texts, server.pause = texts, 0.002
        at_rest = open_descriptors()
        async with open_adapter(
            exchange_at(server.port), reconnect=Reconnect(initial=0.01, cap=0.02)
        ) as adapter:
            async with adapter.subscribe(PartialBook("ETHUSDC"), gaps=True) as feed:
                await feed.receive()
                tasks, sockets = adapter.statistics().tasks, open_descriptors()
                for kind in range(40):
                    with trio.fail_after(10):
                        await _break(server.connections[0], kind)
                        session = kind + 1
                        seen_gap = False
                        while session <= kind + 1:
                            event = await feed.receive()
                            seen_gap = seen_gap or isinstance(event, Gap)
                            session = event.session
                    assert seen_gap
                statistics = adapter.statistics()

                assert statistics.sessions_opened == 41
                assert statistics.tasks == tasks
                assert statistics.sockets_open == 1
                assert server.most == {"/public/stream": 1}
                await descriptors_fall_to(sockets)
        await descriptors_fall_to(at_rest)
    assert open_descriptors() <= before
