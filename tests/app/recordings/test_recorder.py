"""Recording for real: rotated, stopped, killed, refused by the disk, and verified afterwards."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import trio
from click.testing import CliRunner
from trio.testing import MockClock

from connector.app.commands import group
from connector.app.recordings.recorder import Files, Progress, record, subject_of
from connector.link.raw_frames import RawFrame
from connector.recording import End, RecordingFailed, Start, Subject, read_frames
from tests.faults.world import BOOK, BOOK_STREAM, Pulse, open_world

RECORD = [
    sys.executable, "-m", "connector.app", "record", "binance_usdm", "trades:ETHUSDC",
    "partial_book:ETHUSDC", "--simulate",
]  # fmt: skip


class Shown(list[Progress]):
    def show(self, progress: Progress) -> None:
        self.append(progress)


async def run(folder: Path, seconds: float, **options: Any) -> tuple[Progress, list[Path], Shown]:
    """Record a simulated exchange whose clock and network are in memory."""
    shown, stop = Shown(), trio.Event()
    async with open_world(source=Pulse(every=0.01)) as world:
        subject = subject_of(world.adapter._exchange, (BOOK,))
        files = Files(folder, subject, options.pop("rotate_seconds", 1e9), 1 << 40)
        async with trio.open_nursery() as nursery:

            async def end() -> None:
                await trio.sleep(seconds)
                stop.set()

            nursery.start_soon(end)
            result = await record(world.adapter, (BOOK,), files, shown, stop, **options)
    return result, files.paths, shown


def frames_of(paths: list[Path]) -> list[RawFrame]:
    return [each for path in paths for each in read_frames(path) if isinstance(each, RawFrame)]


async def test_files_that_follow_each_other_hold_every_frame_once(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", trio.current_time)
    result, paths, shown = await run(tmp_path, 10.0, rotate_seconds=3.0)

    frames = [each for each in frames_of(paths) if each.stream == BOOK_STREAM]
    ids = [json.loads(each.payload)["data"]["u"] for each in frames]
    assert len(paths) == 4 == result.files
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert 900 < len(ids) <= 1000
    assert result.frames == len(frames_of(paths))
    assert 8 <= len(shown) <= 11
    starts = [next(iter(read_frames(path))) for path in paths]
    assert [each.number for each in starts if isinstance(each, Start)] == [1, 2, 3, 4]
    assert all(each.present for each in starts[1:] if isinstance(each, Start))
    assert all(each.routes == {BOOK_STREAM: "public"} for each in starts if isinstance(each, Start))
    ends = [list(read_frames(path))[-1] for path in paths]
    assert [each.reason for each in ends if isinstance(each, End)] == ["rotated"] * 3 + ["stopped"]


def test_a_folder_that_may_not_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    files = Files(tmp_path / "file" / "folder", Subject("toy", (), ()), 60.0, 1 << 20)

    with pytest.raises(RecordingFailed, match="choose another folder"):
        with files.opened():
            pass


def verify(*paths: Path) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(group, ["verify", "--json", *map(str, paths)])
    return result.exit_code, json.loads(result.output)


def wait_for_blocks(folder: Path, size: int, process: subprocess.Popen[bytes]) -> Path:
    """The file that a recorder in another process writes, when it has a few blocks."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        for path in folder.glob("*.rec.zst"):
            if path.stat().st_size > size:
                return path
        trio.run(trio.sleep, 0.05)
    raise AssertionError(f"nothing was recorded: {process.poll()}")


def test_a_recorder_that_is_killed_leaves_a_file_that_can_be_read(tmp_path: Path) -> None:
    with subprocess.Popen([*RECORD, "--out", str(tmp_path)], stderr=subprocess.PIPE) as process:
        path = wait_for_blocks(tmp_path, 3_000, process)
        process.kill()

    code, report = verify(path)

    assert process.returncode == -signal.SIGKILL
    assert code == 0
    assert report["torn"] == [f"{path.name}: the file was not ended"]
    assert report["frames"] > 10
    assert report["streams"][BOOK_STREAM]["gaps"] == 0


def test_a_signal_ends_a_recording_in_order(tmp_path: Path) -> None:
    command = [*RECORD, "--json", "--out", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        path = wait_for_blocks(tmp_path, 1_500, process)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)

    summary = json.loads(output)
    code, report = verify(path)

    assert process.returncode == code == 0
    assert report["torn"] == []
    assert summary["frames"] == report["frames"]
    assert summary["bytes"] == path.stat().st_size


def test_a_disk_that_is_full_ends_the_recording_with_an_error(tmp_path: Path) -> None:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))

    done = subprocess.run(
        [*RECORD, "--out", str(tmp_path), "--seconds", "30"],
        preexec_fn=limit,  # no thread of ours is there
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    (path,) = tmp_path.glob("*.rec.zst")
    code, report = verify(path)
    assert done.returncode == 1
    assert "cannot be written: File too large" in done.stderr
    assert code == 0
    assert report["frames"] > 10


def test_a_disk_that_is_full_from_the_beginning_leaves_nothing(tmp_path: Path) -> None:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    done = subprocess.run(
        [*RECORD, "--out", str(tmp_path), "--seconds", "30"],
        preexec_fn=limit,  # no thread of ours is there
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert list(tmp_path.glob("*.rec.zst")) == []
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: a block of ") and "cannot be written: File too large" in line


def test_damage_is_told_and_the_exit_status_is_one(tmp_path: Path) -> None:
    record = ["record", "binance_spot", "trades:BTCUSDT", "--simulate", "--seconds", "2.5"]
    done = CliRunner().invoke(group, [*record, "--out", str(tmp_path)])
    (path,) = tmp_path.glob("*.rec.zst")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)

    code, report = verify(path)

    assert done.exit_code == 0, done.output
    assert code == 1
    assert len(report["damage"]) == 1


def test_a_channel_that_is_none_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        group, ["record", "binance_spot", "trade:BTCUSDT", "--simulate", "--out", str(tmp_path)]
    )

    assert done.exit_code == 1
    assert "did you mean 'trades'?" in done.output
    assert not list(tmp_path.iterdir())


def test_a_seed_without_a_simulation_is_refused(tmp_path: Path) -> None:
    command = ["record", "binance_usdm", "trades:ETHUSDC", "--out", str(tmp_path), "--seed", "3"]
    done = CliRunner().invoke(group, command)

    assert done.exit_code == 2
    assert "add --simulate" in done.output
