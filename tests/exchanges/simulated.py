"""A simulated venue with an adapter on it, in memory, and a first few events of a channel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, NamedTuple

import trio

from connector import Adapter, Reconnect, open_adapter
from connector.channels import Channel
from connector.testing import MemoryNetwork, OrderFlow, SimulatedExchange, Source, open_exchange


class Simulated(NamedTuple):
    """The exchange and the adapter that is connected to it."""

    exchange: SimulatedExchange
    adapter: Adapter


@asynccontextmanager
async def open_simulated(
    venue: Any,
    make: Callable[..., Any],
    symbols: tuple[str, ...],
    rate_per_second: float = 200,
    *,
    numbers: Any = Decimal,
    source: Source | None = None,
    **options: Any,
) -> AsyncIterator[Simulated]:
    """Open a venue that plays an order flow, or another source, and an adapter on it."""
    network = MemoryNetwork()
    flow = source or OrderFlow(symbols=symbols, rate_per_second=rate_per_second)
    async with open_exchange(venue, source=flow, network=network, **options) as exchange:
        made = make(endpoints=exchange.endpoints, numbers=numbers)
        reconnect = Reconnect(initial=0.1, jitter="none")
        async with open_adapter(made, dialer=network, reconnect=reconnect) as adapter:
            yield Simulated(exchange, adapter)


async def events_of(adapter: Adapter, channel: Channel[Any], count: int = 3) -> list[Any]:
    """The first events of a channel, gaps included."""
    with trio.fail_after(600):
        async with adapter.subscribe(channel, gaps=True) as feed:
            return [await anext(feed) for _ in range(count)]
