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
        ("demo", "--duration"),
        ("soak", "--every"),
        ("book", "--duration"),
    ],
    ids=lambda command: command[0],
)
def test_a_number_is_finite(command: tuple[str, ...], number: str) -> None:
    done = CliRunner().invoke(group, [*command, number])

    assert done.exit_code == 2
    assert "is not a finite number" in done.output or "is not in the range" in done.output


def test_a_number_is_read() -> None:
    done = CliRunner().invoke(group, ["demo", "--duration", "0.5"])

    assert done.exit_code == 2
    assert "0.5 is not in the range x>=1" in done.output
