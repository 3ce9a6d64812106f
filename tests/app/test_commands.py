"""The command line: what it prints, how it exits, and how Ctrl-C ends it."""

from __future__ import annotations

import json
import platform
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from connector import __version__
from connector.app.cli import main
from connector.app.commands import group
from connector.app.demo import demo_command
from connector.app.demo.demo import Options, Result
from connector.app.demo.market import Market
from connector.app.demo.report import Report, Sample, Span
from connector.app.demo.snapshot import Screen
from connector.book.rows import EXTENSION as BOOKS
from connector.transport.compiled import EXTENSION as MESSAGES

DEMO = [sys.executable, "-c", "from connector.app.cli import main; main()", "demo"]


def leaking(options: Options, market: Market, screen: Screen) -> Result:
    report = Report(
        seconds=20.0, seed=0, links=2, breaks=9, sessions=20, reconnects={"reset": 18},
        max_concurrent_connections=9, tasks=Span(11, 93, 93), sockets=Span(2, 18, 18),
        messages=9000, gaps=0, wire_bytes=9, payload_bytes=9,
        violations=["a link had 9 connections at once"],
    )  # fmt: skip
    return Result(report, (Sample(0.0, 11, 2, 0), Sample(20.0, 93, 18, 9)))


def test_it_says_its_version() -> None:
    result = CliRunner().invoke(group, ["--version"])

    loops = "not compiled" if MESSAGES is None or BOOKS is None else "compiled"
    python = platform.python_version()
    assert result.output == f"connector {__version__}, Python {python}, hot loops {loops}\n"


def test_it_says_its_version_without_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["connector", "--version"])
    monkeypatch.setitem(sys.modules, "connector.app.commands", None)

    main()

    assert capsys.readouterr().out.startswith(f"connector {__version__}, Python ")


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_broken_invariant_is_exit_status_1(
    monkeypatch: pytest.MonkeyPatch, form: list[str]
) -> None:
    monkeypatch.setattr(demo_command, "_run", leaking)

    result = CliRunner().invoke(group, ["demo", *form])

    assert result.exit_code == 1
    assert "a link had 9 connections at once" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["--seconds", "0"],
        ["--capture", "nowhere.jsonl.gz"],
        ["--capture", __file__],
        ["--seed", "x"],
    ],
)
def test_bad_arguments_are_exit_status_2(arguments: list[str]) -> None:
    result = CliRunner().invoke(group, ["demo", *arguments])

    assert result.exit_code == 2
    assert arguments[0] in result.output


def test_json_over_real_sockets() -> None:
    ended = CliRunner().invoke(group, ["demo", "--seconds", "3", "--json", "--tls"])

    assert (ended.exit_code, ended.stderr) == (0, "")
    report = json.loads(ended.stdout)
    assert report["max_concurrent_connections"] == 1
    assert report["tasks"]["first"] == report["tasks"]["last"]
    assert report["sockets"] == {"first": 2, "last": 2, "max": 2}
    assert report["sessions"] >= 4
    assert report["wire_bytes"] > report["payload_bytes"] > 0


def test_ctrl_c_ends_it_with_the_summary() -> None:
    with subprocess.Popen(
        [*DEMO, "--seconds", "600"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        # The first line is written when everything is connected.
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)

    assert "binance_usdm/" in first
    assert (process.returncode, errors) == (0, "")
    assert rest.rstrip().endswith("flat: nothing leaked")


def test_without_the_extra_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['rich'] = None; from connector.app.cli import main; main()"

    ended = subprocess.run(
        [sys.executable, "-c", code, "demo"], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1
    assert ended.stderr == (
        "connector: the command line needs 'rich'; install it with: "
        'python -m pip install "trio-connector[cli]"\n'
    )


@pytest.mark.parametrize(
    ("typed", "advice"),
    [
        (["boook"], "No such command 'boook'; did you mean 'book'?"),
        (["help"], "No such command 'help'; 'connector --help' lists the commands."),
        (["channels"], "Choose from:\n  binance_spot, binance_usdm,"),
        (["instruments"], "Choose from:\n  binance_spot, binance_usdm,"),
    ],
)
def test_a_mistyped_command_line_says_what_to_type(typed: list[str], advice: str) -> None:
    done = CliRunner().invoke(group, typed, prog_name="connector")

    assert done.exit_code == 2
    assert advice in done.output
