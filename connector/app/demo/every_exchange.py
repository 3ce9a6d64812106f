"""A simulated exchange for each venue, all in one program."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from connector.errors import ConfigError
from connector.testing import MemoryNetwork, OrderFlow, SimulatedExchange, open_exchange
from connector.testing.explore.venue_scenarios import VenueCase
from connector.testing.venues.rules import SimulatedName


@asynccontextmanager
async def open_exchanges(
    venues: Mapping[SimulatedName, VenueCase],
    *,
    seed: int,
    rate_per_second: float,
    network: MemoryNetwork | None,
) -> AsyncIterator[dict[SimulatedName, SimulatedExchange]]:
    """A simulated exchange for each venue, as long as the block lasts; None: on loopback sockets.

    Each has a host of its own, as in the world: what connects to one host shares its budget of
    connections.

    Raises:
        ConfigError: this system has one loopback address only.
    """
    async with AsyncExitStack() as stack:
        opened: dict[SimulatedName, SimulatedExchange] = {}
        for number, (name, case) in enumerate(venues.items(), 1):
            flow = OrderFlow(symbols=(case.symbol,), seed=seed, rate_per_second=rate_per_second)
            host = f"127.0.0.{number}"
            exchange = open_exchange(name, source=flow, network=network, host=host)
            try:
                opened[name] = await stack.enter_async_context(exchange)
            except OSError as error:
                raise ConfigError(
                    f"cannot listen on {host} ({error}); on macOS, first run:  "
                    f"sudo ifconfig lo0 alias {host} up"
                ) from error
        yield opened
