"""The bug beside the adapter: one grows, the other does not, and the picture shows it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner
from trio.testing import MockClock

from connector.app.commands import group
from connector.app.demo.comparison_plot import canvas_for, draw
from connector.app.demo.demo import Options
from connector.app.demo.leaky import Comparison, Curve, run_comparison, traffic
from connector.app.demo.report import Sample
from connector.errors import ConfigError

FLAT = tuple(Sample(0.5 * i, 7, 1, 2000 * i) for i in range(40))
GROWING = tuple(Sample(0.5 * i, 3 + i, 1 + i // 4, 1000 * i * i) for i in range(40))
COMPARISON = Comparison(9, FLAT, GROWING)


async def test_one_grows_by_a_loop_per_disconnect_and_the_other_is_flat(
    autojump_clock: MockClock,
) -> None:
    found = await run_comparison(Options(duration_seconds=20), trio.Event(), in_memory=True)

    ours, leaky = Curve.of(found.ours), Curve.of(found.leaky)
    assert found.breaks == 9
    assert found.is_flat
    assert ours.tasks.first == ours.tasks.last == ours.tasks.max
    assert ours.sockets.max == 1
    assert leaky.sockets.first == 1
    assert leaky.sockets.last == 1 + found.breaks
    assert leaky.bytes_per_second_last > 8 * ours.bytes_per_second_last


async def test_the_exchange_does_not_end_it_for_both(autojump_clock: MockClock) -> None:
    found = await run_comparison(Options(duration_seconds=30), trio.Event(), in_memory=True)

    ours, leaky = Curve.of(found.ours), Curve.of(found.leaky)
    assert ours.tasks.first == ours.tasks.last == ours.tasks.max
    assert ours.sockets.last == 1
    assert leaky.sockets.last == 1 + found.breaks == 15


async def test_stopping_early_gives_a_result(autojump_clock: MockClock) -> None:
    stop = trio.Event()

    async with trio.open_nursery() as nursery:

        async def stop_soon() -> None:
            await trio.sleep(7)
            stop.set()

        nursery.start_soon(stop_soon)
        found = await run_comparison(Options(duration_seconds=30), stop, in_memory=True)

    assert 4 < found.ours[-1].seconds < 8


def test_traffic_is_per_second() -> None:
    assert {rate for _, rate in traffic(FLAT)} == {4000.0}


def test_growth_of_ours_would_be_said() -> None:
    assert COMPARISON.is_flat
    assert not Comparison(9, GROWING, GROWING).is_flat


def test_the_tables_stand_beside_each_other() -> None:
    lines = COMPARISON.lines()

    assert lines[2].split() == ["0.0", "s", "7", "1", "–", "3", "1", "–"]
    assert re.search(r"19\.5 s +7 +1 +4 KB/s +42 +10 ", lines[9])


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_a_picture_is_drawn(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"leak{suffix}"
    canvas = canvas_for(path)

    draw(canvas, COMPARISON)
    canvas.save(path)

    begin = path.read_bytes()[:8]
    assert begin == (b"\x89PNG\r\n\x1a\n" if suffix == ".png" else b"<svg xml")


def test_another_kind_of_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ends with \.svg or \.png"):
        canvas_for(tmp_path / "leak.gif")


def test_a_folder_that_is_not_there_is_told_before_the_comparison(tmp_path: Path) -> None:
    picture = tmp_path / "pictures" / "leak.svg"

    result = CliRunner().invoke(group, ["demo", "--leaky", "--out", str(picture)])

    assert result.exit_code == 2
    wanted = f"the folder {picture.parent} does not exist"
    assert "".join(wanted.split()) in "".join(result.output.split())


def test_a_comparison_plays_no_capture(tmp_path: Path) -> None:
    capture = tmp_path / "capture.jsonl.gz"
    capture.touch()

    result = CliRunner().invoke(group, ["demo", "--leaky", "--capture", str(capture)])

    assert result.exit_code == 2
    assert "leave out --capture" in result.output


def test_a_png_needs_leaky() -> None:
    result = CliRunner().invoke(group, ["demo", "--out", "run.png"])

    assert result.exit_code == 2
    assert "picture is an SVG file" in result.output


def test_the_command(tmp_path: Path) -> None:
    picture = tmp_path / "leak.svg"
    command = [
        sys.executable, "-c", "from connector.app.cli import main; main()",
        "demo", "--leaky", "--seconds", "6", "--json", "--out", str(picture),
    ]  # fmt: skip

    completed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert completed.returncode == 0, completed.stderr
    found = json.loads(completed.stdout)
    assert found["breaks"] == 2
    assert found["ours"]["sockets"]["max"] == 1
    assert found["leaky"]["sockets"]["last"] == 3
    assert picture.exists()
