"""No command takes a number that is none, or has no end."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from connector.app.commands import group


@pytest.mark.parametrize("number", ["inf", "nan", "-inf"])
@pytest.mark.parametrize(
    "command",
    [
        ("record", "binance_usdm", "trades:ETHUSDC", "--out", "x", "--simulate", "--rotate-mib"),
        ("run", __file__, "--simulate", "--break-every"),
        ("demo", "--seconds"),
        ("soak", "--every"),
        ("book", "--minutes"),
    ],
    ids=lambda command: command[0],
)
def test_a_number_is_finite(command: tuple[str, ...], number: str) -> None:
    done = CliRunner().invoke(group, [*command, number])

    assert done.exit_code == 2
    assert "is not a finite number" in done.output or "not in the range" in done.output


@pytest.mark.parametrize(
    ("option", "number"), [("--seconds", "0.5"), ("--minutes", "0.008333"), ("--duration", "0.5")]
)
def test_a_number_is_read(option: str, number: str) -> None:
    done = CliRunner().invoke(group, ["demo", option, number])

    assert done.exit_code == 2
    assert "not in the range x>=1" in done.output


def test_one_duration_is_enough() -> None:
    done = CliRunner().invoke(group, ["soak", "--seconds", "5", "--minutes", "1"])

    assert done.exit_code == 2
    assert "write either --seconds or --minutes" in done.output


@pytest.mark.parametrize(
    ("number", "said"), [("x", "'x' is not a number."), ("-1", "-1 is less than 0.")]
)
def test_a_wrong_number_is_answered_in_plain_words(number: str, said: str) -> None:
    done = CliRunner().invoke(group, ["soak", "--minutes", number])

    assert done.exit_code == 2
    assert f"Error: Invalid value for '--minutes': {said}" in done.output
