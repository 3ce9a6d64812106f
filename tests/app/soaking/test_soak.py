"""The soak: nothing grows under random faults, and what grows is found."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable

import attrs
import msgspec
import pytest
import trio
from click.testing import CliRunner
from trio.testing import MockClock

from connector.app.commands import group
from connector.app.soaking import soak_command
from connector.app.soaking.growth import Rest
from connector.app.soaking.soak import Options, SoakReport, run_soak

SOAK = [sys.executable, "-c", "from connector.app.cli import main; main()", "soak"]


@attrs.define
class Recorder:
    """Somebody who is told, and remembers."""

    samples: list[Rest] = attrs.field(factory=list)
    seconds: float = 0.0
    breaks: int = 0

    def sampled(self, sample: Rest) -> None:
        self.samples.append(sample)

    def passed(self, seconds: float, breaks: int) -> None:
        self.seconds, self.breaks = seconds, breaks


async def soak(log: Recorder, options: Options) -> SoakReport:
    return await run_soak(options, options.market(), log, trio.Event(), in_memory=True)


@pytest.mark.parametrize("tls", [False, True])
async def test_nothing_grows(autojump_clock: MockClock, tls: bool) -> None:
    log = Recorder()

    report = await soak(log, Options(duration_seconds=60.0, every_seconds=8.0, seed=2, tls=tls))

    assert report.violations == []
    assert report.run.breaks == log.breaks > 9
    assert report.run.sessions >= 2 * (1 + report.run.breaks)
    assert report.samples == tuple(log.samples)
    assert len(report.samples) >= 6
    assert {sample.tasks for sample in report.samples} == {report.samples[0].tasks}
    assert {sample.sockets for sample in report.samples} == {2}
    assert all(sample.bytes_per_second > 0 for sample in report.samples[2:])
    assert log.seconds >= 60.0


@pytest.mark.parametrize("seed", [1, 3, 9])
async def test_the_last_break_is_recovered_from_before_it_is_judged(
    autojump_clock: MockClock, seed: int
) -> None:
    report = await soak(Recorder(), Options(duration_seconds=40.0, every_seconds=60.0, seed=seed))

    assert report.violations == []


async def test_the_bug_that_this_was_written_against_is_found(autojump_clock: MockClock) -> None:
    report = await soak(
        Recorder(), Options(duration_seconds=60.0, every_seconds=6.0, seed=2, leaky=True)
    )

    assert any(violation.startswith("tasks at rest were ") for violation in report.violations)
    assert any("connections at once" in violation for violation in report.violations)


async def test_the_same_seed_is_the_same_trouble(autojump_clock: MockClock) -> None:
    reasons = [
        (await soak(Recorder(), Options(duration_seconds=20.0, seed=seed))).run.reconnects
        for seed in (1, 1, 3)
    ]

    assert reasons[0] == reasons[1] != reasons[2]


async def test_stopping_early_gives_a_result(autojump_clock: MockClock) -> None:
    options, stop, reports = Options(), trio.Event(), []

    async def run() -> None:
        reports.append(await run_soak(options, options.market(), Recorder(), stop, in_memory=True))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await trio.sleep(20)
        stop.set()

    (report,) = reports
    assert 15 < report.run.seconds < 40
    assert report.violations == []
    assert len(report.samples) == 2


@pytest.mark.soak
def test_ten_seconds_on_real_sockets() -> None:
    ended = subprocess.run(
        [*SOAK, "--minutes", "0.15", "--every", "2"], capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    heading, first, *rows = ended.stdout.partition("\n\n")[0].splitlines()
    assert heading.split() == ["time", "tasks", "sockets", "fds", "memory", "traffic"]
    assert len(rows) >= 2
    counts = {tuple(row.split()[2:5]) for row in (first, *rows)}
    assert len(counts) == 1, ended.stdout
    assert "flat: nothing grew in" in ended.stdout


def test_json_is_one_object_and_growth_is_exit_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    async def in_memory(*arguments: object) -> SoakReport:
        return await run_soak(*arguments, in_memory=True)  # type: ignore[arg-type]

    def run(main: Callable[..., Awaitable[object]], *arguments: object) -> object:
        return in_real_time(main, *arguments, clock=MockClock(autojump_threshold=0))

    in_real_time = trio.run
    monkeypatch.setattr(soak_command, "run_soak", in_memory)
    monkeypatch.setattr(trio, "run", run)

    result = CliRunner().invoke(
        group, ["soak", "--minutes", "0.5", "--every", "5", "--leaky", "--json"]
    )

    assert result.exit_code == 1
    report = msgspec.convert(json.loads(result.stdout), SoakReport)
    assert report.violations
    assert set(report.run.violations) < set(report.violations)


@pytest.mark.parametrize(
    "arguments", [["--minutes", "0"], ["--every", "0"], ["--seed", "x"], ["--hours", "1"]]
)
def test_bad_arguments_are_exit_status_2(arguments: list[str]) -> None:
    result = CliRunner().invoke(group, ["soak", *arguments])

    assert result.exit_code == 2
    assert arguments[0] in result.output
