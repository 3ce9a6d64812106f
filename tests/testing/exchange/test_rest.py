"""The REST side: documented shapes, weights and refusals, asked with httpx2 on a real socket."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
import trio
import trio.testing

from connector.testing import Audience, MemoryNetwork, OrderFlow, open_exchange
from connector.testing.exchange.rest import RestServer
from connector.testing.network.server_websocket import Request
from connector.testing.venues.rules import VENUES, Venue


@pytest.mark.parametrize(("venue", "prefix"), [("spot", "/api/v3"), ("usdm", "/fapi/v1")])
async def test_over_a_real_socket(venue: Any, prefix: str) -> None:
    async with (
        open_exchange(venue, source=OrderFlow(seed=1)) as exchange,
        httpx2.AsyncClient(base_url=exchange.rest_url + prefix) as client,
    ):
        book = await client.get("/depth", params={"symbol": "ETHUSDC", "limit": 5})
        assert set(book.json()) == {"lastUpdateId", "bids", "asks"} | (
            {"E", "T"} if venue == "usdm" else set()
        )
        assert len(book.json()["bids"]) == 5
        info = (await client.get("/exchangeInfo")).json()
        assert [symbol["symbol"] for symbol in info["symbols"]] == ["ETHUSDC"]
        assert (await client.get("/ping")).json() == {}
        assert (await client.get("/time")).json()["serverTime"] >= 1_785_000_000_000
        wrong = await client.get("/depth", params={"symbol": "NOBODY"})
        assert (wrong.status_code, wrong.json()["code"]) == (400, -1121)
        assert (await client.get("/depth")).json()["code"] == -1102
        bad = await client.get("/depth", params={"symbol": "ETHUSDC", "limit": "x"})
        assert bad.json()["code"] == -1100
        assert (await client.get("/nowhere")).status_code == 404
        assert exchange.handshakes == 1, "the connection is kept alive"


def answer(server: RestServer, target: str) -> tuple[int, dict[str, str]]:
    head = server.answer(Request("GET", target, {})).partition(b"\r\n\r\n")[0].decode()
    status, *lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(status.split(" ")[1]), headers


async def test_weights_are_counted_and_their_limit_kept(autojump_clock: Any) -> None:
    audience = Audience(Venue(VENUES["spot"]), 0)
    server = RestServer(audience, OrderFlow().begin(audience))
    depth = "/api/v3/depth?symbol=ETHUSDC&limit="
    used = [answer(server, depth + limit)[1]["X-MBX-USED-WEIGHT-1M"] for limit in ("5", "5000")]
    assert used == ["5", "255"]
    statuses = [answer(server, depth + "5000")[0] for _ in range(24)]
    assert statuses == [200] * 22 + [429] * 2
    status, headers = answer(server, depth + "5")
    assert (status, headers["Retry-After"]) == (429, "60")
    await trio.sleep(60)
    assert answer(server, depth + "5")[0] == 200
    statuses = [answer(server, depth + "5000")[0] for _ in range(24 + 30)]
    assert statuses[-1] == 418
    await trio.sleep(119)
    assert answer(server, depth + "5")[0] == 418
    await trio.sleep(1)
    assert answer(server, depth + "5")[0] == 200


async def test_the_market_goes_on_between_two_snapshots(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    async with (
        open_exchange("spot", source=OrderFlow(seed=4), network=network) as exchange,
        network.connect(exchange.host, exchange.port) as stream,
    ):
        ids = []
        for _ in range(3):
            await stream.send_all(b"GET /api/v3/depth?symbol=ETHUSDC HTTP/1.1\r\nHost: x\r\n\r\n")
            body = (await stream.receive_some()).partition(b"\r\n\r\n")[2]
            ids.append(json.loads(body)["lastUpdateId"])
            await trio.sleep(1)
        assert ids == sorted(set(ids))


async def test_requests_may_be_pipelined(autojump_clock: Any) -> None:
    network = MemoryNetwork()
    async with (
        open_exchange("spot", network=network) as exchange,
        network.connect(exchange.host, exchange.port) as stream,
    ):
        await stream.send_all(b"GET /api/v3/ping HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        received = b""
        while received.count(b"{}") < 3:
            received += await stream.receive_some()
        assert received.count(b"HTTP/1.1 200 OK") == 3
