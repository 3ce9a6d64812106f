"""Files come in the order in which they were recorded, and what is no recording is left out."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector import ConfigError
from connector.recording import Start, Subject, files_of, look_for
from connector.recording.folder import in_order
from connector.recording.writer import Presence
from tests.recording.parts import raw, write

OTHER = Subject("other", ("ticks:A",), ("A",))


def names(folder: Path) -> list[str]:
    return [path.name for path in files_of(folder)]


def test_files_of_one_recording_come_by_their_number_whatever_the_clock_said(
    tmp_path: Path,
) -> None:
    presence = Presence()
    for name, started_ns in (("c", 300), ("a", 100), ("b", 200)):  # set back after the first
        path = tmp_path / f"{name}.rec.zst"
        write(path, [raw(1)], presence=presence, started_ns=started_ns, run=1)

    assert names(tmp_path) == ["c.rec.zst", "a.rec.zst", "b.rec.zst"]


def test_recordings_of_one_folder_come_by_their_number_whatever_the_clock_said(
    tmp_path: Path,
) -> None:
    write(tmp_path / "a.rec.zst", [raw(1)], started_ns=10, run=3)
    write(tmp_path / "b.rec.zst", [raw(1)], started_ns=20, run=2)
    write(tmp_path / "c.rec.zst", [raw(1)], started_ns=30, run=1)

    assert names(tmp_path) == ["c.rec.zst", "b.rec.zst", "a.rec.zst"]


def test_files_of_which_no_more_is_known_come_by_when_they_begin(tmp_path: Path) -> None:
    for name, started_ns in (("c", 1), ("b", 3), ("a", 2)):
        write(tmp_path / f"{name}.rec.zst", [raw(1)], started_ns=started_ns)

    assert names(tmp_path) == ["c.rec.zst", "a.rec.zst", "b.rec.zst"]


@given(order=st.permutations(range(6)))
def test_the_order_does_not_depend_on_that_of_the_names(order: list[int]) -> None:
    def start(recording: str, run: int, number: int, started_ns: int) -> Start:
        return Start("toy", [], [], started_ns, number, recording=recording, run=run)

    recorded = [
        start("first", 1, 1, 500), start("first", 1, 2, 20), start("", 0, 1, 600),
        start("second", 2, 1, 700), start("second", 2, 3, 10), start("", 0, 1, 900),
    ]  # fmt: skip
    found = [(Path(str(place)), recorded[place]) for place in order]

    assert [start for _, start in in_order(found)] == recorded


@pytest.mark.parametrize(
    "content", [b"", b"x", b"hello, world" * 40], ids=["empty", "short", "alien"]
)
def test_a_file_that_is_no_recording_does_not_make_a_folder_unreadable(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "a.rec.zst", [raw(1)], started_ns=1)
    (tmp_path / "b.rec.zst").write_bytes(content)
    write(tmp_path / "c.rec.zst", [raw(2)], started_ns=3)

    with caplog.at_level(logging.WARNING, "connector.recording"):
        assert names(tmp_path) == ["a.rec.zst", "c.rec.zst"]

    (record,) = caplog.records
    assert "b.rec.zst: it is not a recording" in record.getMessage()


@given(cut=st.integers(0, 400))
def test_a_file_that_was_cut_off_anywhere_does_not_make_a_folder_unreadable(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("r")
    write(folder / "a.rec.zst", [raw(1)], started_ns=1)
    torn = write(folder / "b.rec.zst", [raw(2)], started_ns=2, end=None)
    torn.write_bytes(torn.read_bytes()[:cut])

    assert names(folder)[0] == "a.rec.zst"


def test_what_is_named_alone_and_no_recording_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "b.rec.zst"
    path.write_bytes(b"")

    for each in (path, tmp_path):
        with pytest.raises(ConfigError, match=r"b\.rec\.zst is not a recording: it is empty"):
            files_of(each)


def test_a_file_whose_beginning_is_damaged_is_left_out_as_damaged(tmp_path: Path) -> None:
    write(tmp_path / "a.rec.zst", [raw(1)])
    damaged = write(tmp_path / "b.rec.zst", [raw(2)])
    data = bytearray(damaged.read_bytes())
    data[60] ^= 0xFF
    damaged.write_bytes(data)

    found = look_for(tmp_path)

    assert [each.path.name for each in found.skipped if each.damaged] == ["b.rec.zst"]


def test_the_folders_of_several_adapters_are_recordings_of_their_own(tmp_path: Path) -> None:
    for name, subject in (("futures", OTHER), ("spot", None), ("copy", None)):
        (tmp_path / name).mkdir()
        options: dict[str, Any] = {} if subject is None else {"subject": subject}
        write(tmp_path / name / "a.rec.zst", [raw(1)], **options)

    found = look_for(tmp_path)

    assert [(each.name, each.exchange) for each in found.recordings] == [
        ("copy", "toy"), ("futures", "other"), ("spot", "toy"),
    ]  # fmt: skip
    assert files_of(tmp_path, "other") == (tmp_path / "futures" / "a.rec.zst",)
    with pytest.raises(ConfigError, match=r"there are 2 recordings: .*copy \(toy\), .*choose"):
        files_of(tmp_path, "toy")


def test_two_exchanges_in_one_folder_are_two_recordings(tmp_path: Path) -> None:
    write(tmp_path / "a.rec.zst", [raw(1)], subject=OTHER)
    write(tmp_path / "b.rec.zst", [raw(1)])

    assert [each.exchange for each in look_for(tmp_path).recordings] == ["other", "toy"]
    assert files_of(tmp_path, "toy") == (tmp_path / "b.rec.zst",)
