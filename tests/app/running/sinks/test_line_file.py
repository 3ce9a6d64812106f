"""Lines are appended whole or not at all, to what is at the path, whatever happens to it."""

# ruff: noqa: ASYNC240 - the files are small, and on this machine

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from connector.app.running.sinks.line_file import LineFile
from connector.app.running.sinks.sink import SinkBroken

LINES = b'{"a":1}\n{"b":2}\n'
has_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[LineFile]:
    await trio.lowlevel.checkpoint()
    file = LineFile(path)
    file.open()
    try:
        yield file
    finally:
        file.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "events.jsonl"


@pytest.fixture(autouse=True)
def folder(path: Path) -> None:
    path.parent.mkdir()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b""),
        (LINES, LINES),
        (LINES + b'{"c":', LINES),
        (b'{"c":"\xc3', b""),
        (LINES + b'{"c":3}', LINES + b'{"c":3}\n'),
        (b"notes of a person", b"notes of a person\n"),
        (b"a,b\n1,2", b"a,b\n1,2\n"),
    ],
)
async def test_nothing_is_appended_to_a_torn_line(
    path: Path, before: bytes, after: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(before)

    async with opened(path) as file:
        await file.append(LINES)

    assert path.read_bytes() == after + LINES
    assert len(caplog.records) == (before != after)


@given(kept=st.lists(st.dictionaries(st.text(), st.integers())), cut=st.integers(0, 60))
def test_a_file_that_was_torn_anywhere_has_whole_lines_again(
    kept: list[dict[str, int]], cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("torn") / "events.jsonl"
    whole = b"".join(json.dumps(each).encode() + b"\n" for each in kept)
    path.write_bytes(whole[: max(len(whole) - cut, 0)])

    async def append() -> None:
        async with opened(path) as file:
            await file.append(LINES)

    trio.run(append)

    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert lines[-2:] == [{"a": 1}, {"b": 2}]
    assert lines[:-2] == kept[: len(lines) - 2]


async def test_of_what_a_full_disk_does_not_take_whole_nothing_is_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = 10
    write = os.write

    def write_into_little_room(descriptor: int, data: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(descriptor, bytes(data)[:room])
        room -= written
        return written

    async with opened(path) as file:
        await file.append(LINES)
        monkeypatch.setattr(os, "write", write_into_little_room)
        with pytest.raises(OSError, match="No space left"):
            await file.append(LINES)
        assert path.read_bytes() == LINES
        room = 1000
        await file.append(LINES)

    assert path.read_bytes() == LINES * 2


async def test_a_file_that_was_moved_is_written_until_it_is_opened_again(path: Path) -> None:
    moved = path.with_name("events.1.jsonl")
    async with opened(path) as file:
        await file.append(b"1\n")
        path.rename(moved)
        await file.append(b"2\n")
        file.reopen()
        await file.append(b"3\n")

    assert moved.read_bytes() == b"1\n2\n"
    assert path.read_bytes() == b"3\n"


async def test_a_file_that_cannot_be_opened_again_is_kept(path: Path) -> None:
    async with opened(path) as file:
        await file.append(b"1\n")
        path.rename(path.with_name("moved"))
        path.mkdir()
        with pytest.raises(IsADirectoryError):
            file.reopen()
        await file.append(b"2\n")

    assert path.with_name("moved").read_bytes() == b"1\n2\n"


async def test_a_folder_that_was_removed_is_made_again(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(path) as file:
        await file.append(b"1\n")
        path.unlink()
        path.parent.rmdir()
        await file.append(b"2\n")
        await file.append(b"3\n")

    assert path.read_bytes() == b"2\n3\n"
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("the file was removed, another one is begun path=")


@has_pipes
async def test_a_pipe_that_nobody_reads_holds_up_nothing(path: Path) -> None:
    os.mkfifo(path)
    async with opened(path) as file:
        with pytest.raises(OSError, match="no process is reading the pipe"):
            await file.append(b"1\n")
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        await file.append(b"2\n")
        assert os.read(reader, 100) == b"2\n"
        os.close(reader)
        for _ in range(2):
            with pytest.raises(OSError, match="no process is reading the pipe"):
                await file.append(b"3\n")
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        await file.append(b"4\n")
        assert os.read(reader, 100) == b"4\n"
        os.close(reader)


@has_pipes
async def test_a_full_pipe_is_waited_for_and_can_be_left(path: Path) -> None:
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        async with opened(path) as file, trio.open_nursery() as nursery:
            nursery.start_soon(file.append, b"x" * 10_000_000)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    finally:
        os.close(reader)


async def test_standard_output_that_nobody_reads_is_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    near, far = os.pipe()
    try:
        with os.fdopen(far, "wb", buffering=0) as standard_output:  # noqa: ASYNC231 - a pipe
            monkeypatch.setattr("sys.stdout", standard_output)
            file = LineFile(None)
            file.open()
            await file.append(b"1\n")
            assert os.read(near, 10) == b"1\n"
            os.close(near)
            with pytest.raises(SinkBroken, match="the reader of standard output has closed it"):
                await file.append(b"2\n")
            file.close()
    finally:
        monkeypatch.undo()
