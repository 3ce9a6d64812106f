"""``python -m connector.testing.explore``, as one types it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from connector.testing.explore.__main__ import main

ROOT = Path(__file__).parents[2]


def explore(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "connector.testing.explore", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_replay_shows_the_finding_again(capfd: pytest.CaptureFixture[str]) -> None:
    case = "tests.specimens.dial_gap:SCENARIO/fifo/7=cancel"

    assert main(["--replay", case]) == 1

    told = capfd.readouterr().out
    assert "I4: 1 socket(s) open after the program has ended" in told
    assert f"--replay {case}" in told


def test_replay_without_a_finding(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--replay", "connect/seed-3/17=reset"]) == 0

    assert "0 finding(s)" in capfd.readouterr().out


def test_a_sweep_in_two_processes() -> None:
    completed = explore(
        "connect", "--kinds", "steps,seeds", "--faults", "leave", "--seeds", "5",
        "--processes", "2",
    )  # fmt: skip

    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert "2/2 units" in completed.stdout
    assert "connect" in completed.stdout.splitlines()[-3]


@pytest.mark.parametrize("arguments", [["--list"], ["connect", "--kinds", "steps"]])
def test_a_reader_that_is_gone_ends_the_command_quietly(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        completed = subprocess.run(
            [sys.executable, "-m", "connector.testing.explore", *arguments],
            cwd=ROOT,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=100,
        )
    finally:
        os.close(writer)

    assert (completed.returncode, completed.stderr) == (1, "")


def test_a_sweep_that_finds_something(capfd: pytest.CaptureFixture[str]) -> None:
    arguments = (
        "tests.specimens.no_watchdog:SCENARIO", "--kinds", "steps", "--faults", "mute",
        "--processes", "1",
    )  # fmt: skip

    assert main(arguments) == 1

    assert "I7: does not notice the silence" in capfd.readouterr().out


def test_what_does_not_exist(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["nothing"]) == 2

    told = capfd.readouterr()
    assert "error: unknown scenario 'nothing'; the scenarios are connect, stream" in told.out
    assert "Traceback" not in told.err


def test_interrupted_it_says_what_it_has_done() -> None:
    command = [
        sys.executable, "-m", "connector.testing.explore", "connect", "--kinds", "pairs",
        "--processes", "1",
    ]  # fmt: skip

    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as sweep:
        assert sweep.stdout is not None
        first = sweep.stdout.readline()
        sweep.send_signal(signal.SIGINT)
        rest = sweep.stdout.read()

    assert first.endswith(" units\n")
    assert "interrupted: the sweep is incomplete" in rest
    assert rest.startswith("scenario ")  # the table, however little there is in it
    assert sweep.returncode == 130


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("stream", "--faults", "bogus"), "error: unknown fault 'bogus'; the faults are cancel, "),
        (("stream", "--faults", "reset,"), "error: unknown fault ''; the faults are cancel, "),
        (("stream", "--kinds", "bogus"), "error: unknown kind of sweep 'bogus'; the kinds are "),
        (("stream", "--minutes", "-1"), "--minutes: write a number > 0"),
        (("stream", "--processes", "0"), "--processes: write a whole number >= 1"),
        (("stream", "--seeds", "-3"), "--seeds: write a whole number >= 0"),
        (("no.such.module:SCENARIO",), "error: no.such.module cannot be imported: No module"),
    ],
)
def test_a_mistake_is_told_before_anything_runs(
    arguments: tuple[str, ...], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2  # so no error leaves it, which would be a traceback

    told = capfd.readouterr()
    assert words in told.out + told.err
    assert "runs" not in told.out
