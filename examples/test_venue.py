"""The bazaar, met by the whole connector: a server of a few lines, on a network in memory."""

from __future__ import annotations

import json

import pytest
import trio
import trio.testing

from connector import open_adapter
from connector.channels import BestQuote, Trades
from connector.errors import ConfigError, SubscriptionRejected
from connector.testing import MemoryNetwork
from connector.testing.network.server_websocket import (
    TEXT,
    FrameReader,
    accept,
    read_request,
    text_frame,
)
from examples.venue import Bazaar


async def keep_shop(stream: trio.abc.HalfCloseableStream, heard: list[str]) -> None:
    """Sell apples; refuse every other topic; answer pings."""
    request = await read_request(stream)
    assert request is not None
    await stream.send_all(accept(request))
    frames, data = FrameReader(), request.rest
    while True:
        for message in frames.feed(data):
            if message.opcode != TEXT:
                return
            heard.append(message.payload.decode())
            for said in answers(heard[-1]):
                await stream.send_all(text_frame(said.encode()))
        data = bytes(await stream.receive_some())
        if not data:
            return


def answers(heard: str) -> list[str]:
    if heard == "ping":
        return ["pong", '{"topic":"APPLES","p":1.75,"q":1,"n":8,"buy":false}']
    asked = json.loads(heard)
    replies = [{"id": asked["id"], "of": topic} for topic in asked["topics"]]
    for reply in replies:
        if reply["of"] != "APPLES":
            reply["error"] = "we do not sell that"
    if asked["op"] == "subscribe" and "APPLES" in asked["topics"]:
        return [*map(json.dumps, replies), '{"topic":"APPLES","p":1.5,"q":2,"n":7,"buy":true}']
    return [*map(json.dumps, replies)]


async def test_the_bazaar(autojump_clock: trio.testing.MockClock) -> None:
    network = MemoryNetwork()
    listener = network.listen("127.0.0.1", 0)
    bazaar = Bazaar(f"ws://127.0.0.1:{listener.port}")
    heard: list[str] = []

    async def serve() -> None:
        await keep_shop(await listener.accept(), heard)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        async with open_adapter(bazaar, dialer=network) as adapter:
            async with adapter.subscribe(Trades("apples")) as feed:
                first = await anext(feed)
                assert (first.symbol, first.price, first.quantity) == ("APPLES", 1.5, 2)
                assert first.side == "buy"
                with pytest.raises(SubscriptionRejected, match="we do not sell that"):
                    async with adapter.subscribe(Trades("pears")):
                        pass
                second = await anext(feed)  # after the ping, which the shop wants to see
                assert (second.trade_id, second.side) == (8, "sell")
            with pytest.raises(ConfigError, match="it offers Trades"):
                async with adapter.subscribe(BestQuote("apples")):
                    pass
    assert "ping" in heard
