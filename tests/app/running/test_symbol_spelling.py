"""``connector check`` notices symbols in the form of another exchange."""

from __future__ import annotations

from connector.app.running.configuration import read_configuration
from connector.app.running.symbol_spelling import note_spellings

RUN = """
[adapters.here]
exchange = "kraken"
[groups.ticks]
adapter = "here"
channels = ["trades"]
symbols = ["BTCUSD", "ETH/USD"]
[[sinks]]
kind = "log"
"""


def test_a_symbol_in_another_form_is_named_with_its_group_and_the_right_form() -> None:
    notes = note_spellings(read_configuration(RUN))

    assert notes == ["groups.ticks: 'BTCUSD': did you mean BTC/USD?"]
