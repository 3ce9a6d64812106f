"""Asking the exchanges of a configuration whether they list its symbols."""

from __future__ import annotations

from connector.adapter import open_adapter
from connector.app.running.configuration import Configuration
from connector.app.running.venues import World
from connector.errors import ExchangeUnavailable, RequestRejected
from connector.instruments import Status, say_unknown

ANSWER_SECONDS = 30.0


async def check_symbols(configuration: Configuration, world: World) -> tuple[list[str], list[str]]:
    """What is wrong with the symbols, and what is only to be known.

    Args:
        configuration: whose symbols are looked up.
        world: where the exchanges are.

    Returns:
        Symbols that do not exist, and adapters whose exchange does not answer; symbols that are
        not traded now.
    """
    wrong: list[str] = []
    notes: list[str] = []
    for name, plan in configuration.adapters.items():
        wanted = {
            symbol.upper(): f"groups.{group}"
            for group, each in configuration.groups.items()
            if each.adapter == name
            for channel in each.channels
            if isinstance(symbol := getattr(channel, "symbol", None), str)
        }
        if not wanted:
            continue
        exchange, dialer = world.place(plan)
        try:
            async with open_adapter(exchange, dialer=dialer) as adapter:
                listed = await adapter.instruments(timeout=ANSWER_SECONDS)
        except (ExchangeUnavailable, RequestRejected) as error:
            wrong.append(f"adapters.{name}: {error}")
            continue
        known = {each.symbol.upper(): each for each in listed}
        for symbol, group in sorted(wanted.items()):
            instrument = known.get(symbol)
            if instrument is None:
                names = (each.symbol for each in listed)
                wrong.append(f"{group}: {say_unknown(symbol, names, exchange.name)}")
            elif instrument.status not in (Status.TRADING, Status.UNKNOWN):
                notes.append(f"{group}: {symbol} is not traded now: {instrument.exchange_status}")
    return wrong, notes
