"""Notice symbols in the form of another exchange, without asking anybody."""

from __future__ import annotations

from connector.app.running.configuration import Configuration


def note_spellings(configuration: Configuration) -> list[str]:
    """The symbols that their exchange writes otherwise, with what may have been meant."""
    notes = []
    for group, each in configuration.groups.items():
        plan = configuration.adapters.get(each.adapter)
        if plan is None:
            continue
        symbols = {getattr(channel, "symbol", None) for channel in each.channels}
        for symbol in sorted(filter(None, symbols)):
            hint = plan.exchange.symbol_form.hint(symbol, plan.exchange.name)
            notes += [f"groups.{group}: {symbol!r:.60}: {hint}"] if hint else []
    return notes
