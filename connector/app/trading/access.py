"""Choose the account of a command: an exchange with a key, or a simulated exchange.

The exchange is simulated, in memory, unless the command line says ``--live`` or ``--testnet``. Only
then a key is read, and from the environment only.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import attrs
import click

from connector.app.naming import EXCHANGES, environments, simulator_of
from connector.errors import ConfigError
from connector.exchanges.protocol import AnyExchange
from connector.keys import ApiKey, Kind
from connector.testing import (
    MemoryNetwork,
    OrderFlow,
    SimulatedExchange,
    TradingAccount,
    open_exchange,
)
from connector.transport import Dialer, TcpDialer

F = TypeVar("F", bound=Callable[..., Any])

WITH_ACCOUNTS = tuple(name for name, kind in EXCHANGES.items() if hasattr(kind, "trading"))
"""Exchanges that have accounts, by name."""
KEY_KINDS: tuple[Kind, ...] = ("hmac", "ed25519", "rsa")
SIMULATED_NAME = "paper"
"""The one account of the simulated exchange."""
FUNDS = {"USDC": "10000", "ETH": "3"}
NS_PER_MS = 1_000_000


def paper_market(exchange: str) -> tuple[str, str]:
    """What is traded on a simulated exchange, and how much of it its orders are of."""
    return ("ETHUSD_PERP", "3") if exchange == "binance_coinm" else ("ETHUSDC", "0.035")


@attrs.frozen(kw_only=True)
class Venue:
    """Which exchange, where, and whose key.

    Args:
        exchange: its name.
        environment: "production", "testnet" or another of its installations; None: simulated.
        key: the prefix of the environment variables that hold the key.
        key_kind: of the key.
        seed: of the simulated market.
    """

    exchange: str = "binance_usdm"
    environment: str | None = None
    key: str | None = None
    key_kind: Kind = "hmac"
    seed: int = 0

    @property
    def origin(self) -> str:
        """It in words."""
        match self.environment:
            case None:
                return f"simulated {self.exchange}"
            case "production":
                return self.exchange
            case other:
                return f"{self.exchange} {other}"


@attrs.frozen(kw_only=True)
class Access:
    """An exchange that can be reached, and a key."""

    exchange: AnyExchange
    dialer: Dialer
    key: ApiKey
    simulated: SimulatedExchange | None = None
    """The exchange itself, where it is simulated."""


@asynccontextmanager
async def open_access(venue: Venue, source: OrderFlow | None = None) -> AsyncIterator[Access]:
    """The exchange for the length of a block; a simulated one lives as long.

    Args:
        venue: which one.
        source: the market of the simulated one; by default that of `paper_market`.

    Raises:
        ConfigError: there is no key, or the exchange has no such installation.
    """
    kind = EXCHANGES[venue.exchange]
    if venue.environment is not None:
        endpoints = environments(venue.exchange)[venue.environment]
        key = ApiKey.from_environment(venue.key or "", kind=venue.key_kind)
        yield Access(exchange=kind(endpoints=endpoints), dialer=TcpDialer(), key=key)
        return
    network = MemoryNetwork()
    account = TradingAccount(SIMULATED_NAME, FUNDS)
    async with open_exchange(
        simulator_of(venue.exchange),
        source=source or OrderFlow(symbols=(paper_market(venue.exchange)[0],), seed=venue.seed),
        network=network,
        accounts=(account,),
        epoch_ms=time.time_ns() // NS_PER_MS,
    ) as simulated:
        yield Access(
            exchange=kind(endpoints=simulated.endpoints),
            dialer=network,
            key=ApiKey(account.key, account.secret),
            simulated=simulated,
        )


def access_options(command: F) -> F:
    """The options that choose an account: a decorator for a command that takes `venue_of`'s."""
    for option in reversed(
        (
            click.option(
                "--exchange",
                type=click.Choice(WITH_ACCOUNTS),
                metavar="NAME",
                default="binance_usdm",
                show_default=True,
                help=f"Where the account is: {' or '.join(WITH_ACCOUNTS)}.",
            ),
            click.option("--live", is_flag=True, help="Use the real exchange, over the network."),
            click.option("--testnet", is_flag=True, help="Use the exchange's testnet."),
            click.option(
                "--key",
                metavar="PREFIX",
                help="Read the key from PREFIX_KEY and PREFIX_SECRET or PREFIX_SECRET_FILE.",
            ),
            click.option(
                "--key-kind",
                type=click.Choice(KEY_KINDS),
                metavar="KIND",
                default="hmac",
                show_default=True,
                help=f"The kind of key: {', '.join(KEY_KINDS)}.",
            ),
        )
    ):
        command = option(command)
    return command


def venue_of(
    *, exchange: str, live: bool, testnet: bool, key: str | None, key_kind: Kind, seed: int = 0
) -> Venue:
    """What the options of `access_options` say.

    Raises:
        click.UsageError: they contradict each other, or there is no key for a real exchange.
    """
    if live and testnet:
        raise click.UsageError("write --live or --testnet, not both")
    real = "--live" if live else "--testnet" if testnet else ""
    if real and key is None:
        raise click.UsageError(f"{real} needs --key PREFIX, such as --key BINANCE")
    if key is not None and not real:
        raise click.UsageError(
            "--key is for a real exchange: add --live or --testnet; the simulated one has its own"
        )
    environment = "production" if live else "testnet" if testnet else None
    if environment is not None and environment not in environments(exchange):
        raise click.UsageError(f"{exchange} has no {environment}")
    if key is not None:
        try:
            # Before anything is drawn or opened.
            ApiKey.from_environment(key, kind=key_kind)
        except ConfigError as error:
            raise click.ClickException(str(error)) from error
    return Venue(exchange=exchange, environment=environment, key=key, key_kind=key_kind, seed=seed)
