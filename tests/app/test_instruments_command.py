"""`connector instruments`: the table for a person, and the same as JSON."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from click.testing import CliRunner

from connector.app.commands import group
from connector.app.instruments_command import rows, wanted
from connector.app.naming import EXCHANGES, SIMULATED
from connector.instruments import Instrument, Status


def instrument(symbol: str, *, status: Status = Status.TRADING, **more: object) -> Instrument:
    made = {
        "symbol": symbol, "base": "BTC", "quote": "USDT", "kind": "spot", "status": status,
        "exchange_status": "BREAK", "tick_size": Decimal("0.10"), "step_size": Decimal("1E-8"),
    }  # fmt: skip
    return Instrument(**(made | more))  # type: ignore[arg-type]


def test_numbers_are_written_out_in_columns() -> None:
    swap = instrument(
        "BTC-USD-SWAP", quantity_unit="contracts", contract_size=Decimal(100), inverse=True,
        quote="USD",
    )  # fmt: skip

    head, spot, contracts = rows((instrument("BTCUSDT", status=Status.UNKNOWN), swap))

    assert head.split("  ")[0] == "symbol"
    assert spot.split() == ["BTCUSDT", "spot", "BREAK", "0.1", "0.00000001", "-", "-"]
    assert contracts.endswith("100 USD")
    assert head.index("tick") + len("tick") == spot.index("0.1") + len("0.1")


def test_patterns_and_what_is_not_traded() -> None:
    traded, ended = instrument("BTCUSDT"), instrument("BTCUSDC", status=Status.ENDED)

    assert wanted(traded, (), everything=False)
    assert wanted(traded, ("eth*", "btc*"), everything=False)
    assert not wanted(traded, ("ETHUSDT",), everything=False)
    assert not wanted(ended, (), everything=False)
    assert wanted(ended, (), everything=True)


@pytest.mark.parametrize("exchange", ["binance_usdm", "okx"])
def test_a_simulated_exchange_lists_what_it_trades(exchange: str) -> None:
    symbol = "BTC-USDT-SWAP" if exchange == "okx" else "BTCUSDT"

    done = CliRunner().invoke(group, ["instruments", exchange, symbol, "--simulate", "--json"])

    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.output)["instruments"]
    assert found["symbol"] == symbol
    assert (found["status"], Decimal(found["tick_size"]) > 0) == ("trading", True)


@pytest.mark.parametrize("exchange", SIMULATED)
def test_every_simulated_exchange_lists_a_symbol_in_its_own_spelling(exchange: str) -> None:
    done = CliRunner().invoke(group, ["instruments", exchange, "--simulate"])

    assert done.exit_code == 0, done.output
    assert EXCHANGES[exchange]().symbol_form.example in done.output


@pytest.mark.parametrize(
    "exchange", ["okx", "kraken", "kraken_futures", "kraken_unified", "binance_coinm"]
)
def test_a_symbol_in_a_foreign_spelling_is_not_listed(exchange: str) -> None:
    done = CliRunner().invoke(group, ["instruments", exchange, "ETHUSDC", "--simulate"])

    assert done.exit_code == 0, done.output
    assert "0 instruments of 0" in done.output
    assert f"{exchange} lists no symbol 'ETHUSDC'" in done.output


def test_the_table_says_how_many_there_are() -> None:
    done = CliRunner().invoke(group, ["instruments", "binance_spot", "--simulate"])

    assert done.exit_code == 0, done.output
    assert "1 instrument of 1" in done.stderr
    assert done.stdout.splitlines()[1].startswith("BTCUSDT")


def test_an_exchange_that_there_is_not() -> None:
    done = CliRunner().invoke(group, ["instruments", "binance_usd"])

    assert done.exit_code == 2
    assert "did you mean 'binance_usdm'?" in done.output
