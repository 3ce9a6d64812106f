"""The bazaar, met by the whole connector: a server of a few lines, on a network in memory."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from connector import open_adapter
from connector.channels import BestQuote, Trades
from connector.errors import ConfigError, SubscriptionRejected
from connector.testing import MemoryNetwork, conformance
from examples.venue import Bazaar


class Shop:
    """One connection of a shop that sells apples and plums, and answers pings."""

    def __init__(self, sells: bool = True) -> None:
        self.sells = sells
        self.topics: list[str] = []
        self.deals = 0

    def hear(self, text: str) -> list[str]:
        if text == "ping":
            return ["pong"]
        asked = json.loads(text)
        replies = [{"id": asked["id"], "of": topic} for topic in asked["topics"]]
        for reply in replies:
            if reply["of"] not in ("APPLES", "PLUMS"):
                reply["error"] = "we do not sell that"
            elif asked["op"] == "subscribe":
                self.topics.append(reply["of"])
            else:
                self.topics.remove(reply["of"])
        return [*map(json.dumps, replies)]

    def tick(self) -> list[str]:
        self.deals += self.sells
        deal = f'"p":1.5,"q":2,"n":{self.deals},"buy":true}}'
        return [f'{{"topic":"{topic}",{deal}' for topic in self.topics if self.sells]


@asynccontextmanager
async def serve(
    network: MemoryNetwork, *, pace: conformance.Pace
) -> AsyncIterator[conformance.Served]:
    async with conformance.serve_texts(network, lambda: Shop(pace != "quiet")) as url:
        yield conformance.Served(exchange=Bazaar(url))


BAZAAR = conformance.Venue(
    name="bazaar", serve=serve, symbols=("APPLES", "PLUMS"), unknown="PEARS", busy_seconds=100.0
)


@pytest.mark.parametrize("check", conformance.checks(BAZAAR), ids=str)
def test_the_bazaar_conforms(check: conformance.Check) -> None:
    check()


async def test_the_bazaar(autojump_clock: trio.testing.MockClock) -> None:
    network = MemoryNetwork()
    async with (
        conformance.serve_texts(network, Shop) as url,
        open_adapter(Bazaar(url), dialer=network) as adapter,
        adapter.subscribe(Trades("apples")) as feed,
    ):
        first = await anext(feed)
        assert (first.symbol, first.price, first.quantity) == ("APPLES", 1.5, 2)
        assert first.side == "buy"
        with pytest.raises(SubscriptionRejected, match="we do not sell that"):
            async with adapter.subscribe(Trades("pears")):
                pass
        with pytest.raises(ConfigError, match="it offers Trades"):
            async with adapter.subscribe(BestQuote("apples")):
                pass
