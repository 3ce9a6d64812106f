"""What is written is read: every frame and mark in its place, up to where a file was cut off."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import attrs
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from connector import ConfigError
from connector.events import Gap
from connector.lifecycle import Disconnected
from connector.link.raw_frames import RawFrame, RestAnswer
from connector.recording import (
    Answer,
    Block,
    Damage,
    End,
    Hole,
    Mark,
    RecordingDamaged,
    RecordingFailed,
    Start,
    Writer,
    files_of,
    read_blocks,
    read_frames,
    start_of,
)
from connector.recording.format import HEAD_BYTES, Head
from connector.recording.writer import Presence
from tests.recording.parts import LINK, SUBJECT, raw, write

frames = st.builds(
    RawFrame,
    link=st.sampled_from(["toy/all", "toy/other"]),
    session=st.integers(1, 3),
    received_ns=st.integers(1, 2**62),
    stream=st.sampled_from(["A", "B", None]),
    payload=st.binary(max_size=200),
)
marks = st.builds(
    Mark,
    kind=st.just("Stale"),
    link=st.just("toy/all"),
    session=st.integers(1, 3),
    time_ns=st.integers(1, 2**62),
    what=st.dictionaries(
        st.text(max_size=5),
        st.none() | st.booleans() | st.integers(0, 9) | st.floats(0, 1) | st.text(max_size=5),
    ),
)
answers = st.builds(
    Answer, target=st.text(), received_ns=st.integers(0, 2**62), body=st.binary(max_size=300)
)
items = st.lists(st.one_of(frames, frames, marks, answers), max_size=60)


@given(items=items, every=st.integers(1, 70))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, items: list[Any], every: int
) -> None:
    path = write(tmp_path_factory.mktemp("r") / "a.rec.zst", items, every=every)

    start, *read, end = read_frames(path)

    assert isinstance(start, Start)
    assert read == items
    assert isinstance(end, End)
    assert end.frames == sum(isinstance(each, RawFrame) for each in items)


@given(items=items, cut=st.integers(0, 10_000))
def test_a_file_that_is_cut_off_anywhere_is_read_up_to_its_last_whole_block(
    tmp_path_factory: pytest.TempPathFactory, items: list[Any], cut: int
) -> None:
    path = write(tmp_path_factory.mktemp("r") / "a.rec.zst", items, every=7)
    whole = list(read_frames(path))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - min(cut, len(data) - 1)])

    try:
        read = list(read_frames(path))
    except ConfigError:
        read = []  # not even the first bytes are left

    assert read == whole[: len(read)]
    blocks = [each for each in read_blocks(path) if isinstance(each, Block)] if read else []
    left = sum(len(each.times) + len(each.table.marks) for each in blocks)
    assert len(read) == left


@given(flipped=st.integers(0, 5_000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_and_costs_one_block(
    tmp_path_factory: pytest.TempPathFactory, flipped: int, bit: int
) -> None:
    frames = [raw(n) for n in range(1, 41)]
    path = write(tmp_path_factory.mktemp("r") / "a.rec.zst", frames, every=4)
    data = bytearray(path.read_bytes())
    data[flipped % len(data)] ^= 1 << bit
    path.write_bytes(data)

    try:
        found = list(read_blocks(path))
    except ConfigError:
        assert flipped % len(data) < HEAD_BYTES  # then it is called a later version, say
        return

    read = [time for each in found if isinstance(each, Block) for time in each.times]
    assert any(isinstance(each, Damage) for each in found)
    assert set(read) <= set(range(1, 41))
    assert len(read) >= 36 or any(isinstance(each, Damage) and each.torn for each in found)


def test_blocks_are_written_when_enough_has_gathered(tmp_path: Path) -> None:
    big = [RawFrame(LINK, n % 7, n, f"S{n % 5}", bytes(200_000)) for n in range(40)]
    path = write(tmp_path / "a.rec.zst", big, every=1000)

    blocks = [each for each in read_blocks(path) if isinstance(each, Block)]

    assert len(blocks) > 6
    assert [each for each in read_frames(path) if isinstance(each, RawFrame)] == big


def test_the_reader_of_frames_does_not_pass_over_damage(tmp_path: Path) -> None:
    path = write(tmp_path / "a.rec.zst", [raw(n) for n in range(1, 41)], every=4)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)

    with pytest.raises(RecordingDamaged, match="connector verify"):
        list(read_frames(path))


def test_zstd_reads_the_file_as_well(tmp_path: Path) -> None:
    path = write(tmp_path / "a.rec.zst", [raw(n) for n in range(1, 9)], every=4)

    with path.open("rb") as file:
        read = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()

    assert all(raw(n).payload in read for n in range(1, 9))


def test_other_files_are_no_recordings(tmp_path: Path) -> None:
    for name, content in {"empty": b"", "text": b"hello, world" * 40, "short": b"x"}.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="is not a recording"):
            list(read_frames(path))


def test_a_later_version_is_refused_and_a_damaged_head_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("connector.recording.format.VERSION", 9)
        later = Head(0, 0, 0, 0, 0, 0).encode()
    damaged = bytearray(later)
    damaged[20] ^= 1

    with pytest.raises(ConfigError, match="has format 9; this version reads 1"):
        Head.decode(later)
    with pytest.raises(RecordingDamaged, match="head of a block"):
        Head.decode(bytes(damaged))


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    start = start_of(write(tmp_path / "a.rec.zst", []))

    assert (start.exchange, start.streams, start.number) == ("toy", ["A", "B"], 1)
    assert start.software.startswith("trio-connector ")


def test_what_happened_to_a_connection_keeps_its_fields(tmp_path: Path) -> None:
    event = Disconnected(
        link=LINK, session=2, time_ns=5, reason="reset", detail="x", connected=True, retry_seconds=1
    )
    path = write(tmp_path / "a.rec.zst", [event, RestAnswer("/depth", 7, b"{}")])

    _, mark, answer, _ = read_frames(path)

    assert mark == Mark(
        "Disconnected", LINK, 2, 5,
        {"reason": "reset", "detail": "x", "connected": True, "retry_seconds": 1},
    )  # fmt: skip
    assert answer == Answer("/depth", 7, b"{}")


def test_what_the_policy_dropped_is_a_hole_in_the_file(tmp_path: Path) -> None:
    gap = Gap(symbol="", channels=(), reason="overflow", dropped=17)
    path = write(tmp_path / "a.rec.zst", [raw(1), gap, raw(2)])

    holes = [each.dropped for each in read_frames(path) if isinstance(each, Hole)]

    assert holes == [17]


def test_files_of_a_folder_come_in_order(tmp_path: Path) -> None:
    for name in ("b.rec.zst", "a.rec.zst"):
        write(tmp_path / name, [])

    assert [path.name for path in files_of(tmp_path)] == ["a.rec.zst", "b.rec.zst"]
    with pytest.raises(ConfigError, match="no recording at"):
        files_of(tmp_path / "nothing")


# --- a disk that is full


@attrs.define
class SmallDisk:
    """A file on a disk with room for so many bytes; a write is cut short before it fails."""

    room: int
    data: bytearray = attrs.field(factory=bytearray)
    closed: bool = False

    def write(self, data: bytes, /) -> int:
        taken = min(len(data), self.room - len(self.data))
        if not taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.data += data[:taken]
        return taken

    def truncate(self, size: int, /) -> int:
        del self.data[size:]
        return size

    def seek(self, offset: int, /) -> int:
        return offset

    def fileno(self) -> int:
        raise OSError(errno.EBADF, "no descriptor")

    def close(self) -> None:
        self.closed = True


@given(room=st.integers(200, 4_000))
def test_a_full_disk_is_an_error_and_what_is_there_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, room: int
) -> None:
    disk = SmallDisk(room)
    written = 0
    with pytest.raises(RecordingFailed, match="No space left on device"):
        writer = Writer(disk, SUBJECT, Presence(), started_ns=1)
        for n in range(1, 1_000):
            writer.add([raw(n)])
            writer.flush()
            written = n

    path = tmp_path_factory.mktemp("r") / "a.rec.zst"
    path.write_bytes(disk.data)
    read = [each for each in read_frames(path) if isinstance(each, RawFrame)] if disk.data else []
    assert [each.received_ns for each in read] == list(range(1, written + 1))
