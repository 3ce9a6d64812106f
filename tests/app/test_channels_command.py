"""`connector channels` lists what an exchange offers, in words that the other commands read."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from connector.app.channels_command import channels_command, offered
from connector.app.commands import group
from connector.app.naming import EXCHANGES, parse_channel


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_every_line_is_a_channel_that_the_exchange_has(exchange: str) -> None:
    lines = [line for line in offered(exchange) if "(all symbols)" not in line]

    for line in lines:
        EXCHANGES[exchange]().stream(parse_channel(line.replace("SYMBOL", "ETHUSDC")))
    assert any(line.startswith("trades:SYMBOL") for line in lines)


def test_it_shows_which_channels_cover_all_symbols() -> None:
    assert "mark_prices  (all symbols)" in offered("binance_usdm")
    assert not any("all symbols" in line for line in offered("binance_spot"))


def test_an_exchange_that_there_is_not() -> None:
    result = CliRunner().invoke(channels_command, ["usdm"])

    assert result.exit_code == 2
    assert "unknown exchange 'usdm'" in result.output


def test_the_package_itself_is_the_command() -> None:
    run = [sys.executable, "-m", "connector", "channels", "binance_usdm"]
    result = subprocess.run(run, capture_output=True, text=True, check=True)

    assert "liquidations:SYMBOL" in result.stdout


def test_a_channel_in_place_of_the_exchange_is_noticed() -> None:
    result = CliRunner().invoke(group, ["record", "trades:ETHUSDC", "--simulate", "--out", "x"])

    assert result.exit_code == 2
    assert "'trades:ETHUSDC' is a channel; write the exchange before it" in result.output
