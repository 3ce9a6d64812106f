"""Completion by a shell: the scripts, and what they get to complete."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from connector.app.commands import group
from connector.app.completion_command import PROGRAM, SHELLS, VARIABLE


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one_of_that_shell(shell: str) -> None:
    done = CliRunner().invoke(group, ["completion", shell])

    assert done.exit_code == 0
    assert f"{VARIABLE}={shell}_complete" in done.output
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=done.output, text=True, check=True)


@pytest.mark.parametrize(
    ("typed", "incomplete", "offered"),
    [
        ([], "inst", ["instruments"]),
        (["record"], "binance_u", ["binance_usdm"]),
        (["record", "okx"], "tra", ["trades"]),
        (["book", "--exchange"], "bybit_l", ["bybit_linear"]),
        (["run", "--simulate"], "--sec", ["--seconds"]),
    ],
)
def test_names_are_completed(typed: list[str], incomplete: str, offered: list[str]) -> None:
    shell = ShellComplete(group, {}, PROGRAM, VARIABLE)

    assert [each.value for each in shell.get_completions(typed, incomplete)] == offered
