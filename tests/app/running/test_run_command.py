"""``connector check`` and ``connector run`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.app.commands import group

GOOD = """\
[adapters.futures]
exchange = "binance_usdm"
[groups.ticks]
adapter = "futures"
channels = ["trades", "best_quote"]
symbols = ["ETHUSDC"]
[[sinks]]
kind = "log"
"""
BAD = GOOD.replace("trades", "trade").replace('"log"', '"logg"')


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "run.toml"


def test_check_says_that_it_is_fine(config: Path) -> None:
    config.write_text(GOOD)

    plain = CliRunner().invoke(group, ["check", str(config)])
    machine = CliRunner().invoke(group, ["check", "--json", str(config)])

    assert plain.exit_code == machine.exit_code == 0
    assert plain.output == f"{config}: fine: 1 adapter, 1 group, 2 channels, 1 sink\n"
    assert json.loads(machine.output) == {
        "ok": True, "adapters": 1, "groups": 1, "channels": 2, "sinks": 1, "mistakes": [],
    }  # fmt: skip


def test_check_tells_that_an_interface_will_be_switched_off(config: Path) -> None:
    book = GOOD.replace("best_quote", "order_book").replace("ETHUSDC", "PF_ETHUSD")
    config.write_text(book.replace("binance_usdm", "kraken_futures"))

    plain = CliRunner().invoke(group, ["check", str(config)])
    machine = CliRunner().invoke(group, ["check", "--json", str(config)])

    first, last = plain.output.splitlines()
    assert first.startswith(f"{config}: adapters.futures: Kraken switches off the interface")
    assert "2027-03-01" in first and "kraken_unified" in first and "fine" in last
    (note,) = json.loads(machine.output)["notes"]
    assert first == f"{config}: {note}"
    config.write_text(book.replace("binance_usdm", "kraken_unified"))
    assert CliRunner().invoke(group, ["check", str(config)]).output.splitlines() == [last]


@pytest.mark.parametrize("command", ["check", "run"])
def test_every_mistake_is_told_before_anything_is_connected(command: str, config: Path) -> None:
    config.write_text(BAD)

    ended = CliRunner().invoke(group, [command, str(config)])

    assert ended.exit_code == 1
    first, second, *_ = ended.output.splitlines()
    where = f"{config}: line 5: groups.ticks.channels[0]"
    assert first == f"{where}: unknown channel 'trade'; did you mean 'trades'?"
    assert second == (
        f"{config}: line 8: sinks[0].kind: unknown kind of sink 'logg'; did you mean 'log'?"
    )


def test_mistakes_for_machines(config: Path) -> None:
    config.write_text(BAD)

    found = json.loads(CliRunner().invoke(group, ["check", "--json", str(config)]).output)

    assert [(each["line"], each["key"]) for each in found["mistakes"]] == [
        (5, "groups.ticks.channels[0]"),
        (8, "sinks[0].kind"),
    ]
    assert found["ok"] is False


def test_a_byte_order_mark_is_no_mistake(config: Path) -> None:
    config.write_text(GOOD, "utf-8-sig")

    ended = CliRunner().invoke(group, ["check", str(config)])

    assert ended.exit_code == 0, ended.output


def test_what_is_not_utf_8_is_told(config: Path) -> None:
    config.write_bytes(b"\xff")

    ended = CliRunner().invoke(group, ["check", str(config)])

    assert ended.exit_code == 1
    assert "is not UTF-8" in ended.output


def test_breaks_need_a_simulated_exchange(config: Path) -> None:
    config.write_text(GOOD)

    ended = CliRunner().invoke(group, ["run", str(config), "--break-every", "1"])

    assert ended.exit_code == 2
    assert "add --simulate" in ended.output
