"""Line files are rotated by size and age: every line is in one of them, and the newest stay."""

# ruff: noqa: ASYNC240 - the files are small, and on this machine

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from connector.app.running.sinks import JsonLines
from connector.app.running.sinks.line_file import LineFile
from connector.app.running.sinks.rotation import MIB, Rotation, rotated, rotation_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


async def append(path: Path, rotation: Rotation, *lines: bytes, header: bytes = b"") -> None:
    file = LineFile(path, rotation=rotation, header=header)
    file.open()
    for line in lines:
        await file.append(line)
    file.close()


async def test_a_large_file_is_renamed_and_no_line_is_lost(path: Path) -> None:
    lines = [b"%04d\n" % number for number in range(10)]

    await append(path, Rotation(bytes=15, now=lambda: 0.0), *lines)

    files = [*rotated(path), path]
    assert [each.name for each in files] == [
        "events-19700101T000000Z.jsonl",
        "events-19700101T000000Z-2.jsonl",
        "events-19700101T000000Z-3.jsonl",
        "events.jsonl",
    ]
    assert b"".join(each.read_bytes() for each in files) == b"".join(lines)
    assert all(each.stat().st_size == 15 for each in files[:-1])


async def test_the_newest_files_stay(path: Path) -> None:
    names = ("events-notes.jsonl", "events-19700101T000000Z.csv", "other-19700101T000000Z.jsonl")
    for name in names:
        (path.parent / name).touch()

    times = iter([5.0] * 4 + [9.0] * 4 + [7.0] * 3)  # somebody sets the clock back
    rotation = Rotation(bytes=1, keep=2, now=lambda: next(times))
    await append(path, rotation, *[b"%d\n" % number for number in range(12)])

    assert [each.read_bytes() for each in rotated(path)] == [b"9\n", b"10\n"]
    assert path.read_bytes() == b"11\n"
    assert all((path.parent / name).exists() for name in names)


async def test_an_old_file_is_renamed(path: Path, autojump_clock: MockClock) -> None:
    file = LineFile(path, rotation=Rotation(seconds=60))
    file.open()
    for line in (b"1\n", b"2\n", b"3\n"):
        await file.append(line)
        await trio.sleep(40)
    file.close()

    (old,) = rotated(path)
    assert (old.read_bytes(), path.read_bytes()) == (b"1\n2\n", b"3\n")


async def test_every_file_has_the_header(path: Path) -> None:
    await append(path, Rotation(bytes=4), b"1\n", b"2\n", header=b"a,b\n")

    assert [each.read_bytes() for each in (*rotated(path), path)] == [b"a,b\n1\n", b"a,b\n2\n"]


async def test_what_cannot_be_renamed_is_written_on(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: Path, __: Path) -> None:
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr(Path, "rename", refuse)
    with caplog.at_level(logging.WARNING):
        await append(path, Rotation(bytes=1), b"1\n", b"2\n", b"3\n")

    assert path.read_bytes() == b"1\n2\n3\n"
    assert caplog.text.count("the file is not rotated: not permitted") == 1


async def test_the_settings_of_a_sink(tmp_path: Path) -> None:
    assert rotation_of(None, None, 5) is None
    assert rotation_of(2.0, 0.5, 5) == Rotation(0.5 * MIB, 120.0, 5)
    async with JsonLines(path=str(tmp_path / "x"), rotate_mib=1.0, keep_files=3).open() as sink:
        assert sink._file._rotation == Rotation(bytes=MIB, keep=3)
