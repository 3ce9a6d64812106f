"""How commands end: quietly after Ctrl-C and a closed pipe, with one line after an error."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from connector.app.endings import INTERRUPTED, Commands, ending_of
from connector.errors import ConfigError

CONNECTOR = [sys.executable, "-m", "connector"]


def grouped(*errors: BaseException) -> BaseException:
    return BaseExceptionGroup("a nursery's", [BaseExceptionGroup("another's", list(errors))])


def test_an_interruption_wins() -> None:
    ending = ending_of(grouped(ConfigError("x"), KeyboardInterrupt()))

    assert isinstance(ending, click.exceptions.Exit)
    assert ending.exit_code == INTERRUPTED


def test_a_closed_pipe_is_no_error() -> None:
    ending = ending_of(grouped(BrokenPipeError(), BrokenPipeError()))

    assert isinstance(ending, BrokenPipeError)
    assert ending.errno == errno.EPIPE


def test_an_expected_error_is_one_line_and_a_bug_keeps_its_traceback() -> None:
    shown = ending_of(grouped(ConfigError("write another"), OSError(5, "disk")))
    bug = grouped(ConfigError("x"), ZeroDivisionError())

    assert isinstance(shown, click.ClickException)
    assert shown.message == "write another"
    assert ending_of(bug) is bug


@pytest.mark.parametrize("error", [ConfigError("no"), grouped(ConfigError("no"))])
def test_a_command_may_let_errors_out(error: BaseException) -> None:
    @click.group(cls=Commands)
    def commands() -> None:
        pass

    @commands.command()
    def fail() -> None:
        raise error

    done = CliRunner().invoke(commands, ["fail"])

    assert (done.exit_code, done.output) == (1, "Error: no\n")


SIMULATED = ["--simulate", "--seconds", "600"]
STREAMING = {
    "book": ["book", "ETHUSDC", *SIMULATED],
    "run": ["run", "run.toml", *SIMULATED],
}
RUN = """
[adapters.a]
exchange = "binance_usdm"
[groups.trades]
adapter = "a"
channels = ["trades:ETHUSDC"]
[[sinks]]
kind = "jsonl"
[log]
level = "error"
"""


@pytest.mark.parametrize("name", STREAMING)
def test_a_reader_that_leaves_ends_it_without_a_traceback(name: str, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(RUN)
    with subprocess.Popen(
        [*CONNECTOR, *STREAMING[name]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONIOENCODING": "cp1252"},
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        process.wait(timeout=30)

    assert process.returncode == 1
    assert "Traceback" not in errors
    assert name == "run" or errors == ""


@pytest.mark.parametrize("name", ["book"])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_is_quiet(name: str, tmp_path: Path) -> None:
    with subprocess.Popen(
        [*CONNECTOR, *STREAMING[name]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)

    assert (process.returncode, errors) == (0, "")
