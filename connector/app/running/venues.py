"""Choose the exchanges of a run: the real ones, or simulated ones in memory."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol, cast

import attrs
import trio

from connector.app.naming import SIMULATED, simulator_of
from connector.app.running.configuration import AdapterPlan, Configuration
from connector.channels import AnyChannel
from connector.exchanges.protocol import Exchange
from connector.keys import ApiKey
from connector.testing import (
    MemoryNetwork,
    OrderFlow,
    SimulatedExchange,
    TradingAccount,
    open_exchange,
)
from connector.transport import Dialer

NS_PER_MS = 1_000_000
FUNDS = {"USDC": "10000", "ETH": "3"}
"""Of every simulated account."""
DEFAULT_SYMBOLS = ("BTCUSDC", "ETHUSDC")
"""Traded beside those of the configuration, so that a reload has something to add."""


class World(Protocol):
    """Where the exchange of a plan is, and how to get there."""

    @property
    def keys(self) -> Mapping[str, ApiKey]:
        """Keys of simulated accounts, by the names of accounts of the configuration."""
        ...

    def place(self, plan: AdapterPlan) -> tuple[Exchange, Dialer]: ...


class RealWorld:
    """Every exchange is where it says."""

    @property
    def keys(self) -> Mapping[str, ApiKey]:
        """None: every account has its own."""
        return {}

    def place(self, plan: AdapterPlan) -> tuple[Exchange, Dialer]:
        """The exchange of `plan`, over TCP, on the way that it says.

        Raises:
            ConfigError: the way cannot be gone any more: a secret or a file is missing, say.
        """
        return plan.exchange, plan.way.dialer()


@attrs.frozen
class SimulatedWorld:
    """Simulated exchanges, by the name of what they simulate, in a network in memory."""

    network: MemoryNetwork
    exchanges: dict[str, SimulatedExchange]
    keys: Mapping[str, ApiKey] = attrs.field(factory=dict, repr=False)

    def place(self, plan: AdapterPlan) -> tuple[Exchange, Dialer]:
        """The exchange that simulates the one of `plan`."""
        simulator_of(plan.exchange.name)  # or there is none
        endpoints = self.exchanges[plan.exchange.name].endpoints
        exchange = plan.exchange
        return attrs.evolve(cast("Any", exchange), endpoints=endpoints), self.network


@asynccontextmanager
async def open_simulated_world(
    configuration: Configuration, *, seed: int = 0, break_every_seconds: float = 0.0
) -> AsyncIterator[SimulatedWorld]:
    """Simulate every exchange that there is, with the symbols that `configuration` names.

    Args:
        configuration: whose symbols are traded.
        seed: of the simulated markets.
        break_every_seconds: how often all connections break; 0: never.
    """
    channels = {each for group in configuration.groups.values() for each in group.channels}
    symbols = sorted({*DEFAULT_SYMBOLS, *filter(None, map(_symbol, channels))})
    network = MemoryNetwork()
    exchanges: dict[str, SimulatedExchange] = {}
    accounts = {
        name: (plan, TradingAccount(name, FUNDS)) for name, plan in configuration.accounts.items()
    }
    async with AsyncExitStack() as stack:
        for name, venue in SIMULATED.items():
            exchanges[name] = await stack.enter_async_context(
                open_exchange(
                    venue,
                    source=OrderFlow(symbols=tuple(symbols), seed=seed),
                    network=network,
                    epoch_ms=time.time_ns() // NS_PER_MS,
                    accounts=[
                        account
                        for plan, account in accounts.values()
                        if configuration.adapters[plan.adapter].exchange.name == name
                    ],
                )
            )
        async with trio.open_nursery() as nursery:
            if break_every_seconds:
                nursery.start_soon(_break, exchanges, break_every_seconds)
            keys = {name: ApiKey(each.key, each.secret) for name, (_, each) in accounts.items()}
            yield SimulatedWorld(network, exchanges, keys)
            nursery.cancel_scope.cancel()


def _symbol(channel: AnyChannel) -> str | None:
    symbol = getattr(channel, "symbol", None)
    return None if symbol is None else str(symbol).upper()


async def _break(exchanges: dict[str, SimulatedExchange], seconds: float) -> None:
    while True:
        await trio.sleep(seconds)
        for exchange in exchanges.values():
            exchange.break_connections("reset")
