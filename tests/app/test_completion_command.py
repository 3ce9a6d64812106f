"""Completion by a shell: the scripts, and what they get to complete."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

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
        (["record", "okx"], "tra", ["trades:"]),
        (["record", "okx"], "tick", ["tickers"]),
        (["book", "--exchange"], "bybit_l", ["bybit_linear"]),
        (["run", "--simulate"], "--sec", ["--seconds"]),
    ],
)
def test_names_are_completed(typed: list[str], incomplete: str, offered: list[str]) -> None:
    shell = ShellComplete(group, {}, PROGRAM, VARIABLE)

    assert [each.value for each in shell.get_completions(typed, incomplete)] == offered


SCRIPT = """
source <("$1" -c "from connector.app.cli import main; main()" completion bash)
COMPREPLY=(); compopt() { echo "$@"; }
env() { printf 'plain,%s\\n' "$ANSWER"; }
COMP_WORDS=(connector record okx tr); COMP_CWORD=3
_connector_completion connector
echo "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
@pytest.mark.parametrize(
    ("answer", "said"), [("trades:", "-o nospace\ntrades:\n"), ("tickers", "tickers\n")]
)
def test_no_blank_follows_a_colon(answer: str, said: str) -> None:
    done = subprocess.run(
        ["bash", "-c", SCRIPT, "bash", sys.executable],
        env={**os.environ, "ANSWER": answer},
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout == said
