"""``connector channels``: list the channels of an exchange, in the notation of the command line."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import attrs
import click

from connector.app.naming import CHANNELS, find_exchange
from connector.app.options import ExchangeName, epilog
from connector.channels import Candles
from connector.errors import ConfigError

SYMBOL, ANOTHER_INTERVAL = "ETHUSDC", "5m"
"""For examples; the interval is that of a venue without the usual one."""


def offered(exchange: str) -> list[str]:
    """The channels of an exchange with their arguments and defaults, one per line.

    Raises:
        ConfigError: there is no such exchange.
    """
    venue = find_exchange(exchange)()
    lines = []
    for name, kind in CHANNELS.items():
        first, *others = attrs.fields(kind)  # type: ignore[arg-type]  # every channel is one
        channel: Any = kind(SYMBOL)  # type: ignore[call-arg]
        if isinstance(channel, Candles) and not _takes(venue, channel):
            channel = attrs.evolve(channel, interval=ANOTHER_INTERVAL)
        told = [each.name for each in others if each.default is not None]
        arguments = "".join(f",{each}={str(getattr(channel, each)).lower()}" for each in told)
        said = [f"{name}:{first.name.upper()}{arguments}"] * _takes(venue, channel)
        if first.default is None and _takes(venue, kind()):
            said.append(f"{name}  (all symbols)")
        lines += said
    return lines


def _takes(venue: object, channel: object) -> bool:
    with suppress(ConfigError):
        venue.stream(channel)  # type: ignore[attr-defined]
        return True
    return False


@click.command(
    "channels",
    short_help="List the channels of an exchange.",
    epilog=epilog("channels binance_usdm", names=True),
)
@click.argument("exchange", metavar="EXCHANGE", type=ExchangeName())
def channels_command(exchange: str) -> None:
    """List the channels of EXCHANGE, such as binance_usdm.

    You can write each line in a configuration or after 'connector record EXCHANGE'. A line shows
    the default of each argument: intervals are milliseconds, levels are per side of the book.
    """
    click.echo("\n".join(offered(exchange)))
