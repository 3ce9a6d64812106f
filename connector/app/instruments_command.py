"""``connector instruments``: list the instruments of an exchange, with steps and minimum sizes."""

from __future__ import annotations

from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

import attrs
import click
import msgspec
import trio

from connector.adapter import open_adapter
from connector.app.options import (
    ExchangeName,
    epilog,
    json_option,
    simulate_option,
)
from connector.app.place import Place, open_place
from connector.app.words import counted
from connector.instruments import Instrument, say_unknown

ANSWER_SECONDS = 30.0
COLUMNS = ("symbol", "kind", "status", "tick", "step", "least", "least value", "contract")


async def fetch(place: Place, symbols: tuple[str, ...] = ()) -> tuple[Instrument, ...]:
    """The instruments of an exchange.

    Args:
        place: which exchange.
        symbols: what a simulated one trades.

    Raises:
        ExchangeUnavailable: it did not answer within `ANSWER_SECONDS`.
        RequestRejected: it refused the request.

    Cancellation: the request is dropped.
    """
    async with (
        open_place(place, symbols) as (exchange, dialer),
        open_adapter(exchange, dialer=dialer) as adapter,
    ):
        return await adapter.instruments(timeout=ANSWER_SECONDS)


def wanted(instrument: Instrument, patterns: tuple[str, ...], *, everything: bool) -> bool:
    """Whether `instrument` matches a pattern, and is traded now unless `everything` is wanted."""
    if not (everything or instrument.trading):
        return False
    return not patterns or any(fnmatchcase(instrument.symbol, each.upper()) for each in patterns)


def rows(instruments: tuple[Instrument, ...]) -> list[str]:
    """The table for a person, in columns that are as wide as they need to be."""
    cells = [COLUMNS, *map(_cells, instruments)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(COLUMNS))]
    return [
        "  ".join(
            text.ljust(width) if column < 3 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def _cells(each: Instrument) -> tuple[str, ...]:
    contract = ""
    if each.quantity_unit == "contracts":
        contract = f"{_number(each.contract_size)} {each.quote if each.inverse else each.base}"
    return (
        each.symbol,
        each.kind,
        each.status.value if each.status.value != "unknown" else each.exchange_status,
        _number(each.tick_size),
        _number(each.step_size),
        _number(each.min_quantity),
        _number(each.min_notional),
        contract,
    )


def _number(value: Decimal | None) -> str:
    return "-" if value is None else f"{value.normalize():f}"


def _plain(_: type, __: Any, value: Any) -> Any:
    return value.value if hasattr(value, "value") else value


@click.command(
    "instruments",
    short_help="List what can be traded at an exchange.",
    epilog=epilog(
        "instruments binance_usdm",
        "instruments okx 'BTC-*' --all",
        "instruments binance_spot --simulate --json",
    ),
)
@click.argument("exchange", metavar="EXCHANGE", type=ExchangeName())
@click.argument("patterns", metavar="[SYMBOL]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Also what is not traded at the moment.")
@simulate_option
@json_option
def instruments_command(
    *, exchange: str, patterns: tuple[str, ...], everything: bool, simulate: bool, as_json: bool
) -> None:
    """List the instruments of EXCHANGE, all or those that match SYMBOL.

    A SYMBOL may contain * and ?. The columns: tick is the price step, step the quantity step,
    least the smallest quantity, least value the smallest price times quantity, in the quote asset.
    """
    named = tuple(each for each in patterns if not set(each) & set("*?["))
    found = trio.run(fetch, Place(exchange=exchange, simulate=simulate), named)
    shown = tuple(each for each in found if wanted(each, patterns, everything=everything))
    if as_json:
        plain = [attrs.asdict(each, value_serializer=_plain) for each in shown]
        click.echo(msgspec.json.encode({"exchange": exchange, "instruments": plain}).decode())
        return
    if shown:
        click.echo("\n".join(rows(shown)))
    click.echo(f"{counted(len(shown), 'instrument')} of {len(found):,}", err=True)
    symbols = {each.symbol for each in found}
    for name in named:
        if name.upper() not in map(str.upper, symbols):
            click.echo(say_unknown(name, sorted(symbols), exchange), err=True)
