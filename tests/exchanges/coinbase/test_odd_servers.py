"""Servers that behave as no notes say: a book that is synced is the server's own all the same."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector import Adapter, Reconnect, open_adapter
from connector.channels import BookDeltas, OrderBook, Tickers, Trades
from connector.errors import SubscriptionRejected
from connector.events import BookView, Gap
from connector.exchanges import coinbase
from connector.testing import MemoryNetwork
from connector.testing.conformance import serve_texts

SYMBOL = "BTC-USD"
FRAMES = {"level2": "l2_data"}


@attrs.define
class Market:
    """One book for all connections, and every state that it ever had."""

    rng: random.Random
    sides: dict[str, dict[int, int]] = attrs.Factory(lambda: {"bid": {}, "offer": {}})
    states: set[str] = attrs.Factory(set)

    def change(self) -> list[dict[str, str]]:
        rows = []
        for _ in range(self.rng.randint(1, 4)):
            side = self.rng.choice(["bid", "offer"])
            price = self.rng.randint(80, 99) if side == "bid" else self.rng.randint(101, 120)
            quantity = self.rng.choice([0, self.rng.randint(1, 10**6)])
            levels = self.sides[side]
            if quantity or price in levels:
                levels.pop(price, None)
                if quantity:
                    levels[price] = quantity
                rows.append(row(side, price, quantity))
        self.states.add(self.said())
        return rows

    def whole(self) -> list[dict[str, str]]:
        self.states.add(self.said())
        return [
            row(side, *level) for side, levels in self.sides.items() for level in levels.items()
        ]

    def said(self) -> str:
        return repr((sorted(self.sides["bid"].items(), reverse=True),
                     sorted(self.sides["offer"].items())))  # fmt: skip


def row(side: str, price: int, quantity: int) -> dict[str, str]:
    return {"side": side, "event_time": "1970-01-01T00:00:00Z", "price_level": str(price),
            "new_quantity": str(quantity)}  # fmt: skip


def shown(view: BookView) -> str:
    return repr(tuple([(int(price), int(quantity)) for price, quantity in side]
                      for side in (view.bids, view.asks)))  # fmt: skip


@attrs.define
class Coinbase:
    """One connection. What goes wrong on it is a method of a subclass."""

    market: Market
    opened: ClassVar[int] = 0
    number: int = -1
    subscribed: dict[str, list[str]] = attrs.Factory(dict)
    ticks: int = 0

    def message(self, channel: str, event: dict[str, Any]) -> str:
        self.number += 1
        return self.write(channel, event, self.number)

    def write(self, channel: str, event: dict[str, Any], number: int) -> str:
        return json.dumps(
            {"channel": channel, "timestamp": "2026-09-07T23:37:22.2Z", "sequence_num": number,
             "events": [event]}, separators=(",", ":"),
        )  # fmt: skip

    def hear(self, text: str) -> list[str]:
        said = json.loads(text)
        channel, products = said["channel"], said.get("product_ids", ["heartbeats"])
        kept = [each for each in self.subscribed.get(channel, []) if each not in products]
        wanted = said["type"] == "subscribe"
        self.subscribed[channel] = [*kept, *self.take(products)] if wanted else kept
        data = [self.snapshot()] if wanted and channel == "level2" else []
        return [*data, self.message("subscriptions", {"subscriptions": self.subscribed})]

    def take(self, products: list[str]) -> list[str]:
        return products

    def snapshot(self) -> str:
        event = {"type": "snapshot", "product_id": SYMBOL, "updates": self.market.whole()}
        return self.message("l2_data", event)

    def tick(self) -> list[str]:
        self.ticks += 1
        frames = []
        if self.ticks % 10 == 0 and self.subscribed.get("heartbeats"):
            frames.append(self.message("heartbeats", {"heartbeat_counter": self.ticks}))
        changes = self.market.change()
        if SYMBOL in self.subscribed.get("level2", []):
            event = {"type": "update", "product_id": SYMBOL, "updates": changes}
            frames += self.distort(self.message("l2_data", event))
        return frames

    def distort(self, frame: str) -> list[str]:
        return [frame]


class Loses(Coinbase):
    """One message in ten does not arrive; its number is missing."""

    def distort(self, frame: str) -> list[str]:
        return [] if self.market.rng.random() < 0.1 else [frame]


class Reorders(Coinbase):
    """Messages are doubled, and arrive in another order."""

    held: ClassVar[list[str]] = []

    def distort(self, frame: str) -> list[str]:
        odd = self.market.rng.random()
        if odd < 0.05:
            return [frame, frame]
        if odd < 0.1 and not self.held:
            self.held.append(frame)
            return []
        frames = [frame, *self.held]
        self.held.clear()
        return frames


class CutsOff(Coinbase):
    """One message in ten breaks off, before or behind its number."""

    def distort(self, frame: str) -> list[str]:
        if self.market.rng.random() < 0.1:
            return [frame[: self.market.rng.choice([5, 40, 100, 150, len(frame) - 1])]]
        return [frame]


class CountsPerProduct(Coinbase):
    """As the documentation has it: each product has numbers of its own, and so has each channel."""

    counts: ClassVar[dict[str, int]] = {}

    def message(self, channel: str, event: dict[str, Any]) -> str:
        kind = channel + event.get("product_id", "")
        number = self.counts.get(kind, 1000 if channel == "l2_data" else 0) + 1
        self.counts[kind] = number
        return self.write(channel, event, number)


class NumbersJump(Coinbase):
    """Nothing is missing, and yet numbers are left out."""

    def distort(self, frame: str) -> list[str]:
        if self.market.rng.random() < 0.05:
            self.number += 3
        return [frame]


class ErrorsInBetween(Coinbase):
    """Errors come that nobody has caused."""

    def distort(self, frame: str) -> list[str]:
        error = '{"type":"error","message":"internal error"}'
        return [error, frame] if self.market.rng.random() < 0.1 else [frame]


@asynccontextmanager
async def serving(open_talk: Callable[[], Any]) -> AsyncIterator[Adapter]:
    network = MemoryNetwork()
    async with serve_texts(network, open_talk) as url:
        there = coinbase.Endpoints.at(stream=url, rest="http://127.0.0.1:1")
        reconnect = Reconnect(initial=0.1, jitter="none")
        made = coinbase.AdvancedTrade(endpoints=there)
        async with open_adapter(made, dialer=network, reconnect=reconnect) as adapter:
            yield adapter


KINDS = [Coinbase, Loses, Reorders, CutsOff, CountsPerProduct, NumbersJump, ErrorsInBetween]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
async def test_a_synced_book_is_one_that_the_server_had(
    autojump_clock: MockClock, kind: type[Coinbase]
) -> None:
    market = Market(random.Random(kind.__name__))
    for each in (Reorders.held, CountsPerProduct.counts):
        each.clear()
    synced = lost = 0
    async with serving(lambda: kind(market)) as adapter:
        async with adapter.subscribe(OrderBook(SYMBOL), Tickers("ETH-USD"), gaps=True) as feed:
            with trio.fail_after(3600):
                while synced < 150:
                    view = await anext(feed)
                    if isinstance(view, BookView) and view.synced:
                        assert shown(view) in market.states
                        synced += 1
                    lost += isinstance(view, Gap)
    assert (lost > 0) == (kind not in (Coinbase, ErrorsInBetween))


class Omits(Coinbase):
    """It knows one product, and says nothing of others."""

    def take(self, products: list[str]) -> list[str]:
        return [each for each in products if each == SYMBOL]


async def test_what_the_answer_omits_is_refused_and_nothing_else(
    autojump_clock: MockClock,
) -> None:
    market = Market(random.Random(1))
    async with serving(lambda: Omits(market)) as adapter:
        with pytest.raises(SubscriptionRejected, match="did not acknowledge"):
            async with adapter.subscribe(Trades("NOPE-USD")):
                pass
        async with adapter.subscribe(BookDeltas(SYMBOL)) as feed:
            await anext(feed)
            with pytest.raises(SubscriptionRejected, match="did not acknowledge"):
                async with adapter.subscribe(BookDeltas("NOPE-USD")):
                    pass
            await anext(feed)


class RefusesWithoutAName(Omits):
    """It answers with an error, late, if one of the products is none."""

    def hear(self, text: str) -> list[str]:
        products = json.loads(text).get("product_ids", [])
        if any(each != SYMBOL for each in products):
            return ['{"type":"error","message":"no"}']
        return super().hear(text)


async def test_a_refusal_without_a_name_finds_its_stream(autojump_clock: MockClock) -> None:
    market = Market(random.Random(2))
    wanted = [BookDeltas(SYMBOL), Trades(SYMBOL), BookDeltas("A-B"), Trades("A-B"), Tickers(SYMBOL)]
    refused = []
    async with serving(lambda: RefusesWithoutAName(market)) as adapter:

        async def ask(channel: Any) -> None:
            try:
                async with adapter.subscribe(channel):
                    await trio.sleep(60)
            except SubscriptionRejected:
                refused.append(channel)

        async with trio.open_nursery() as nursery:
            for channel in wanted:
                nursery.start_soon(ask, channel)
    assert sorted(map(repr, refused)) == sorted(map(repr, [BookDeltas("A-B"), Trades("A-B")]))


class FallsSilent(Coinbase):
    """After a while it says nothing any more, but is there."""

    def tick(self) -> list[str]:
        return super().tick() if self.ticks < 50 else []


async def test_a_connection_without_heartbeats_is_replaced(autojump_clock: MockClock) -> None:
    market = Market(random.Random(3))
    connections: list[Coinbase] = []

    def open_talk() -> Coinbase:
        connections.append(FallsSilent(market))
        return connections[-1]

    async with serving(open_talk) as adapter:
        async with adapter.subscribe(OrderBook(SYMBOL), gaps=True) as feed:
            with trio.fail_after(120):
                while len(connections) < 3:
                    view = await anext(feed)
                    if isinstance(view, BookView) and view.synced:
                        assert shown(view) in market.states
