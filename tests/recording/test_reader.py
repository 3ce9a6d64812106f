"""The span of a recording is read from the heads of its blocks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.recording import Block, read_blocks, span_of
from tests.recording.parts import raw, write


def test_the_span_goes_over_all_files(tmp_path: Path) -> None:
    first = write(tmp_path / "1.rec.zst", [raw(n) for n in range(3, 9)], every=2)
    second = write(tmp_path / "2.rec.zst", [raw(n) for n in range(9, 12)], every=2)

    assert span_of([first, second]) == (3, 11)
    assert span_of([second]) == (9, 11)


def test_without_a_frame_there_is_no_span(tmp_path: Path) -> None:
    empty = write(tmp_path / "0.rec.zst", [])
    full = write(tmp_path / "1.rec.zst", [raw(7)])

    assert span_of([empty]) == (0, 0)
    assert span_of([empty, full]) == (7, 7)


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_a_file_that_was_cut_off_has_the_span_of_its_whole_blocks(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    path = write(folder / "1.rec.zst", [raw(n) for n in range(1, 20)], every=3, end=None)
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(1, len(whole)))])

    times = [
        time for block in read_blocks(path) if isinstance(block, Block) for time in block.times
    ]

    assert span_of([path]) == ((times[0], times[-1]) if times else (0, 0))
