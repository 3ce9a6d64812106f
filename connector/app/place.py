"""The exchange that a command connects to: the real one, or a simulated one in memory."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import attrs
import trio

from connector.app.naming import EXCHANGES, find_exchange, simulator_of
from connector.exchanges.protocol import Exchange
from connector.testing import MemoryNetwork, OrderFlow, SimulatedExchange, open_exchange
from connector.transport import Dialer, TcpDialer

NS_PER_MS = 1_000_000


@attrs.frozen(kw_only=True)
class Place:
    """An exchange, real or simulated."""

    exchange: str
    """Its name, such as ``binance_usdm``."""
    simulate: bool = False
    seed: int = 0
    """Of the simulated market."""
    break_every_seconds: float = 0.0
    """How often the simulated exchange breaks all connections; 0: never."""

    @property
    def words(self) -> str:
        """The place in words, such as ``simulated binance_usdm``."""
        return f"simulated {self.exchange}" if self.simulate else self.exchange


@asynccontextmanager
async def open_place(
    place: Place, symbols: Iterable[str]
) -> AsyncIterator[tuple[Exchange, Dialer]]:
    """The exchange at `place`, and how to reach it.

    Args:
        place: which exchange.
        symbols: what a simulated exchange trades; without any, one symbol in its own spelling.

    Raises:
        ConfigError: there is no such exchange, or it cannot be simulated.
    """
    kind = find_exchange(place.exchange)
    if not place.simulate:
        yield kind(), TcpDialer()
        return
    network = MemoryNetwork()
    kind_of_market = simulator_of(place.exchange)
    traded = tuple(sorted({each.upper() for each in symbols}))
    traded = traded or (kind().symbol_form.example,)
    async with (
        open_exchange(
            kind_of_market,
            source=OrderFlow(symbols=traded, seed=place.seed),
            network=network,
            epoch_ms=time.time_ns() // NS_PER_MS,
        ) as simulated,
        trio.open_nursery() as nursery,
    ):
        if place.break_every_seconds:
            nursery.start_soon(_break, simulated, place.break_every_seconds)
        yield EXCHANGES[place.exchange](endpoints=simulated.endpoints), network
        nursery.cancel_scope.cancel()


async def _break(simulated: SimulatedExchange, seconds: float) -> None:
    while True:
        await trio.sleep(seconds)
        simulated.break_connections("reset")
