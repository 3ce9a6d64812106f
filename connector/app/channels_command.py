"""``connector channels``: what an exchange offers, as the command line writes it."""

from __future__ import annotations

from contextlib import suppress

import attrs
import click

from connector.app.naming import CHANNELS, EXCHANGES, find_exchange
from connector.errors import ConfigError

SYMBOL = "ETHUSDC"


def offered(exchange: str) -> list[str]:
    """The channels of an exchange with their arguments and defaults, one per line.

    Raises:
        ConfigError: there is no such exchange.
    """
    venue = find_exchange(exchange)()
    lines = []
    for name, kind in CHANNELS.items():
        first, *others = attrs.fields(kind)  # type: ignore[arg-type]  # every channel is one
        told = [each for each in others if each.default is not None]
        arguments = "".join(f",{each.name}={str(each.default).lower()}" for each in told)
        said = [f"{name}:{first.name.upper()}{arguments}"] * _takes(venue, kind(SYMBOL))  # type: ignore[call-arg]
        if first.default is None and _takes(venue, kind()):
            said.append(f"{name}  (all symbols)")
        lines += said
    return lines


def _takes(venue: object, channel: object) -> bool:
    with suppress(ConfigError):
        venue.stream(channel)  # type: ignore[attr-defined]
        return True
    return False


@click.command("channels")
@click.argument("exchange", metavar="EXCHANGE")
def channels_command(exchange: str) -> None:
    """List the channels of EXCHANGE, such as binance_usdm.

    Each line is what you write in a configuration or after `connector record`, with the
    defaults of its arguments: intervals are milliseconds, levels are per side of the book.
    """
    try:
        lines = offered(exchange)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    click.echo("\n".join(lines))
    click.echo(f"exchanges: {', '.join(EXCHANGES)}", err=True)
