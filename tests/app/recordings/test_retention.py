"""A recorder deletes what is too old or too much, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.app.recordings.recorder import Files
from connector.app.recordings.retention import (
    NS_PER_DAY,
    Retention,
    delete_old,
    retention_of,
)
from connector.link.raw_frames import RawFrame
from connector.recording import Subject, files_of
from tests.recording.parts import LINK, SUBJECT, raw, write

OTHER = Subject("other", (), ("A",))


def of_day(folder: Path, day: int, **options: object) -> Path:
    """A file whose last frame came in the middle of a day."""
    ns = day * NS_PER_DAY + NS_PER_DAY // 2
    name = f"{9 - day}.rec.zst"  # not in the order of names
    return write(folder / name, [raw(1, ns=ns)], started_ns=ns, **options)  # type: ignore[arg-type]


def kept(folder: Path) -> list[int]:
    return sorted(9 - int(path.name[0]) for path in folder.glob("*.rec.zst"))


def test_files_that_are_too_old_are_deleted(tmp_path: Path) -> None:
    paths = [of_day(tmp_path, day) for day in range(1, 6)]

    gone = delete_old(tmp_path, Retention(days=2), "toy", paths[-1], lambda: 6 * NS_PER_DAY)

    assert gone == paths[:3]
    assert kept(tmp_path) == [4, 5]


@given(
    most=st.integers(0, 3_000),
    present=st.integers(1, 5),
    sizes=st.lists(st.integers(1, 900), min_size=5, max_size=5),
)
def test_the_oldest_are_deleted_when_all_take_too_much(
    tmp_path_factory: pytest.TempPathFactory, most: int, present: int, sizes: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("r")
    paths = []
    for day, size in enumerate(sizes, 1):
        ns = day * NS_PER_DAY
        frame = RawFrame(LINK, 1, ns, "A", os.urandom(size))
        paths.append(write(folder / f"{9 - day}.rec.zst", [frame], started_ns=ns))
    taken = {path: path.stat().st_size for path in paths}

    gone = delete_old(folder, Retention(bytes=most), "toy", paths[present - 1])

    others = [path for path in paths if path != paths[present - 1]]
    left = [path for path in paths if path.exists()]
    assert gone == others[: len(gone)]  # the oldest
    assert paths[present - 1].exists()
    assert sum(map(taken.__getitem__, left)) <= most or left == [paths[present - 1]]
    if gone:  # and no more than had to go
        assert sum(map(taken.__getitem__, left)) + taken[gone[-1]] > most


def test_nothing_else_is_deleted(tmp_path: Path) -> None:
    of_day(tmp_path, 1)
    present = of_day(tmp_path, 2)
    other = write(tmp_path / "other.rec.zst", [raw(1)], subject=OTHER)
    (tmp_path / "alien.rec.zst").write_bytes(b"not ours")
    (tmp_path / "notes.txt").write_bytes(b"not ours")

    delete_old(tmp_path, Retention(days=0.001, bytes=1), "toy", present)

    assert kept_names(tmp_path) == ["7.rec.zst", "alien.rec.zst", "notes.txt", other.name]


def taken_by(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def kept_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_without_a_limit_everything_is_kept(tmp_path: Path) -> None:
    present = of_day(tmp_path, 2)
    of_day(tmp_path, 1)

    assert delete_old(tmp_path, Retention(), "toy", present) == []
    assert retention_of(None, None) == Retention()
    assert retention_of(3.5, 0.5) == Retention(3.5, 1 << 29)


async def test_a_recorder_keeps_within_its_limit_at_every_rotation(tmp_path: Path) -> None:
    most = 20_000
    retention = Retention(bytes=most)
    recorder = Files(tmp_path, SUBJECT, 1e9, 2_000, retention=retention)
    largest = 0
    with recorder.opened():
        for n in range(1, 60):
            recorder.writer.add([RawFrame(LINK, 1, n, "A", os.urandom(1_000))])
            recorder.write()
            largest = max(largest, taken_by(tmp_path))

    assert most / 2 < largest <= most
    assert files_of(tmp_path)[-1] == recorder.paths[-1]
