"""The world of the fault table: an adapter, a simulated exchange, a network in memory.

Every test here is one or more rows of the fault table. After each of them the ledger of the
network, which never asks the adapter, must say that no link ever had two connections open, that
each was closed before the next was dialled, and that nothing is open any more.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import attrs
import trio

from connector import Adapter, Feed, Reconnect, open_adapter
from connector.channels import PartialBook, Trades
from connector.errors import ConfigError
from connector.events import Gap
from connector.exchanges import binance
from connector.exchanges.protocol import Exchange, Limits, RestRequest
from connector.instruments import Instrument
from connector.lifecycle import Lifecycle
from connector.link.session import REASONS
from connector.testing import (
    Audience,
    FaultPlan,
    MemoryNetwork,
    SimulatedExchange,
    Source,
    open_exchange,
)

QUICK = Reconnect(initial=0.25, factor=2, cap=4, jitter="none", stable_after=5)
"""Reconnects whose times a test can tell."""

BOOK = PartialBook("ETHUSDC", levels=5, interval_ms=100)
BOOK_STREAM = "ethusdc@depth5@100ms"
TRADES = Trades("ETHUSDC")


@attrs.frozen
class Pulse:
    """A book every 100 ms for whoever wants one, and a trade every second."""

    every: float = 0.1

    def begin(self, audience: Audience) -> PulsePlayer:
        return PulsePlayer(self.every, audience)


@attrs.frozen
class PulsePlayer:
    every: float
    audience: Audience

    @property
    def symbols(self) -> tuple[str, ...]:
        return ("ETHUSDC", "BTCUSDC")

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        return None

    async def play(self) -> None:
        count = 0
        while True:
            await trio.sleep(self.every)
            count += 1
            for stream in self.audience.streams:
                symbol, _, kind = stream.partition("@")
                now = self.audience.now_ms()
                if kind.startswith("depth5"):
                    self.audience.publish(stream, book(symbol, count, now))
                elif kind == "trade" and count % 10 == 0:
                    self.audience.publish(stream, trade(symbol, count // 10, now))


def book(symbol: str, update_id: int, now_ms: int = 1) -> dict[str, object]:
    """A depth5 payload of USD-M (binance_usdm §4)."""
    return {
        "e": "depthUpdate", "E": now_ms, "T": now_ms, "s": symbol.upper(),
        "U": update_id, "u": update_id, "pu": update_id - 1,
        "b": [["3000.10", "1.5"]], "a": [["3000.20", "2.5"]],
    }  # fmt: skip


def trade(symbol: str, trade_id: int, now_ms: int = 1) -> dict[str, object]:
    """A trade payload of USD-M (binance_usdm §4)."""
    return {
        "e": "trade", "E": now_ms, "T": now_ms, "s": symbol.upper(), "t": trade_id,
        "p": "3000.10", "q": "0.5", "X": "MARKET", "m": False,
    }  # fmt: skip


@attrs.frozen
class World:
    network: MemoryNetwork
    exchange: SimulatedExchange
    adapter: Adapter
    lifecycle: Feed[Lifecycle]

    def happened(self) -> list[Lifecycle]:
        """The lifecycle events since the last call."""
        events = []
        while True:
            try:
                events.append(self.lifecycle.receive_nowait())
            except (trio.WouldBlock, trio.EndOfChannel):
                return events

    def reasons(self) -> dict[str, int]:
        return dict(self.adapter.statistics().reconnects)

    def dials(self) -> list[float]:
        """When each dial began."""
        return [record.began for record in self.network.ledger]


def check_ledger(network: MemoryNetwork, links: int) -> None:
    """I1 and I2 at the transport boundary."""
    assert network.ledger.max_open() <= links
    if links == 1:
        records = list(network.ledger)
        for old, new in itertools.pairwise(records):
            assert old.ended_order is not None
            assert old.ended_order < new.began_order


@asynccontextmanager
async def open_world(
    *,
    venue: str = "usdm",
    source: Source | None = None,
    faults: FaultPlan | None = None,
    links: int = 1,
    network: MemoryNetwork | None = None,
    describe: Callable[[Exchange], Exchange] = lambda exchange: exchange,
    exchange_options: dict[str, Any] | None = None,
    **adapter_options: Any,
) -> AsyncIterator[World]:
    """An adapter connected to a simulated exchange over a network in memory.

    Args:
        links: how many links the adapter will have at most.
        network: instead of a plain one.
        describe: what the adapter is told about the exchange instead of the truth.
        exchange_options, adapter_options: of `open_exchange` and `open_adapter`.
    """
    network = MemoryNetwork() if network is None else network
    kind = {"usdm": binance.UsdMFutures, "spot": binance.Spot}[venue]
    async with open_exchange(
        venue,  # type: ignore[arg-type]
        network=network,
        source=Pulse() if source is None else source,
        faults=faults,
        **(exchange_options or {}),
    ) as exchange:
        async with open_adapter(
            describe(kind(endpoints=exchange.endpoints)), dialer=network, **adapter_options
        ) as adapter:
            world = World(network, exchange, adapter, adapter.lifecycle())
            yield world
            # Whoever reads a reason finds it in the table.
            assert set(adapter.statistics().reconnects) <= set(REASONS)
        assert network.ledger.open_now() == 0
        check_ledger(network, links)


@attrs.frozen
class Narrowed:
    """An exchange whose limits are other ones than it says."""

    exchange: Exchange
    limits: Limits

    def __getattr__(self, name: str) -> Any:
        return getattr(self.exchange, name)

    def instruments(self) -> RestRequest[tuple[Instrument, ...]]:
        """Nothing is looked up: the dials that a test counts are those of links."""
        raise ConfigError("an exchange with other limits does not tell what is traded")


def narrowed(**limits: float) -> Callable[[Exchange], Exchange]:
    """Describes an exchange with some of its limits changed."""

    def describe(exchange: Exchange) -> Exchange:
        return cast("Exchange", Narrowed(exchange, attrs.evolve(exchange.limits, **limits)))

    return describe


async def take(feed: Feed[Any], count: int) -> list[Any]:
    """The next events, gaps among them."""
    return [await feed.receive() for _ in range(count)]


async def take_until_gap(feed: Feed[Any]) -> tuple[list[Any], Gap]:
    """The events before the next gap, and the gap."""
    events: list[Any] = []
    async for event in feed:
        if isinstance(event, Gap):
            return events, event
        events.append(event)
    raise AssertionError("the feed ended")
