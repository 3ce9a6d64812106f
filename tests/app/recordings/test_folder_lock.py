"""Two recorders do not share a folder, and what a recorder leaves behind is in order."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector.app.commands import group
from connector.app.recordings.folder_lock import FolderLock
from connector.app.recordings.recorder import Files
from connector.recording import Mark, RecordingFailed, Start, Subject, files_of, read_frames
from connector.recording.clock import ClockWatch
from tests.recording.parts import raw

SUBJECT = Subject("toy", ("ticks:A",), ("A",))
HOLDER = """
import sys
from pathlib import Path
from connector.app.recordings.folder_lock import FolderLock
FolderLock(Path(sys.argv[1])).take()
print("taken", flush=True)
sys.stdin.read()
"""


def files(folder: Path, **options: Any) -> Files:
    return Files(folder, SUBJECT, 60.0, 1 << 20, **options)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_a_second_recorder_of_a_folder_is_refused(tmp_path: Path) -> None:
    first = files(tmp_path)
    with first.opened():
        with pytest.raises(RecordingFailed, match="another recorder is writing to") as refused:
            with files(tmp_path).opened():
                pass

        assert "choose another folder" in str(refused.value)
        first.end("rotated")  # and goes on
        first.begin()
        with pytest.raises(RecordingFailed, match="another recorder is writing to"):
            files(tmp_path).begin()

    with files(tmp_path).opened():
        pass  # when the first has ended
    assert len(files_of(tmp_path)) == 3


async def test_the_lock_is_taken_anew_in_a_folder_that_was_removed(tmp_path: Path) -> None:
    recorder = files(tmp_path / "rec")
    with recorder.opened():
        shutil.rmtree(tmp_path / "rec")
        recorder.write()

        with pytest.raises(RecordingFailed, match="another recorder is writing to"):
            files(tmp_path / "rec").begin()


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        refused = CliRunner().invoke(
            group,
            ["record", "binance_usdm", "trades:ETHUSDC", "--simulate", "--out", str(tmp_path)],
        )
        process.kill()

    assert refused.exit_code == 1
    assert f"another recorder is writing to {tmp_path}; stop it" in refused.output
    lock = FolderLock(tmp_path)
    lock.take()
    lock.take()  # has it already
    lock.release()
    assert names(tmp_path) == []


async def test_recordings_of_a_folder_are_numbered_and_come_in_that_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns = 10**18
    monkeypatch.setattr(time, "time_ns", lambda: now_ns)
    expected = []
    for back_ns in (0, 7_200 * 10**9, 3_600 * 10**9):  # the clock was set back between them
        now_ns = 10**18 - back_ns
        recorder = files(tmp_path)
        with recorder.opened() as writer:
            writer.add([raw(1)])
            recorder.end("rotated")
            now_ns -= 60 * 10**9
            recorder.begin()
        expected += recorder.paths

    assert list(files_of(tmp_path)) == expected
    assert sorted(expected) != expected
    starts = [next(iter(read_frames(path))) for path in expected]
    numbers = [(each.run, each.number) for each in starts if isinstance(each, Start)]
    assert numbers == [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2)]


async def test_a_recorder_marks_where_the_clock_was_set(tmp_path: Path) -> None:
    ahead_ns = 0
    clock = ClockWatch(lambda: ahead_ns + 5, lambda: 5)
    recorder = files(tmp_path, clock=clock)
    with recorder.opened() as writer:
        writer.add([raw(1, ns=100)])
        ahead_ns = 3_600 * 10**9
        recorder.writer.add([raw(2, ns=101), raw(3, ns=102 + ahead_ns)])

    items = list(read_frames(recorder.paths[0]))
    assert [type(each).__name__ for each in items[1:-1]] == [
        "RawFrame", "RawFrame", "Mark", "RawFrame",
    ]  # fmt: skip
    mark = items[3]
    assert isinstance(mark, Mark)
    assert (mark.kind, mark.what) == ("ClockSet", {"by_ns": ahead_ns})


async def test_a_disk_that_is_full_from_the_start_leaves_no_empty_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def __init__(self, file: Any) -> None:
            self.close = file.close
            self.truncate = file.truncate
            self.seek = file.seek

        def write(self, _: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    real = Path.open
    monkeypatch.setattr(Path, "open", lambda *given, **options: Full(real(*given, **options)))

    with pytest.raises(RecordingFailed, match="No space left on device"):
        files(tmp_path).begin()

    assert names(tmp_path) == []
    monkeypatch.undo()
    with files(tmp_path).opened():
        pass  # the lock was given back
