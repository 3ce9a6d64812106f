"""The scanner: what it lifts, where it stops, and how much it asks for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.transport.websocket_frames import ODD, Header, lift_text, read_close, read_header

TEXT, PING = 1, 9
LIMIT = 70_000
SIZES = st.sampled_from([0, 1, 125, 126, 127, 65_535, 65_536, LIMIT])


@given(sizes=st.lists(SIZES, max_size=4), cut=st.integers(0, 300_000), skipped=st.integers(0, 3))
def test_it_never_asks_for_more_than_the_frame_has(
    far: Any, sizes: list[int], cut: int, skipped: int
) -> None:
    # Asking for more would mean to wait for bytes that never come.
    frames = [far.frame(TEXT, b"x" * size) for size in sizes]
    data = b"-" * skipped + b"".join(frames)
    cut = max(skipped, min(cut, len(data)))
    messages: list[bytes] = []

    position, wanted = lift_text(data[:cut], skipped, LIMIT, messages)

    ends = [skipped + sum(map(len, frames[: i + 1])) for i in range(len(frames))]
    whole = sum(end <= cut for end in ends)
    assert list(map(len, messages)) == sizes[:whole]
    assert position == (ends[whole - 1] if whole else skipped)
    if whole < len(frames):
        assert cut - position < wanted <= len(frames[whole])
    else:
        assert wanted == 2


@pytest.mark.parametrize(
    "odd",
    [
        lambda f: f.frame(PING, b"x"),
        lambda f: f.frame(TEXT, b"x", fin=False),
        lambda f: f.frame(TEXT, b"x", reserved=4),
        lambda f: f.frame(TEXT, b"x", mask=b"mask"),
        lambda f: f.frame(TEXT, b"x" * 200, mask=b"mask"),
        lambda f: f.frame(TEXT, b"x", width=2),
        lambda f: f.frame(TEXT, b"x", width=8),
        lambda f: f.frame(TEXT, b"x" * (LIMIT + 1)),
        lambda f: f.frame(TEXT, b"\xff"),
        lambda f: f.frame(TEXT, b"\xff" * 200),
        lambda f: b"\x09",
        lambda f: b"\x81\x80",
    ],
)
def test_it_stops_at_what_it_does_not_lift(far: Any, odd: Any) -> None:
    good = far.frame(TEXT, b"good")
    messages: list[bytes] = []
    assert lift_text(good + odd(far), 0, LIMIT, messages) == (len(good), ODD)
    assert messages == [b"good"]


@given(
    opcode=st.sampled_from([0, 1, 2]),
    length=SIZES,
    fin=st.booleans(),
    compressed=st.booleans(),
)
def test_headers(far: Any, opcode: int, length: int, fin: bool, compressed: bool) -> None:
    data = far.frame(opcode, b"x" * length, fin=fin, reserved=4 if compressed else 0)
    size = len(data) - length
    assert read_header(data, 0) == Header(opcode, fin, compressed, size, length)
    for known in range(size):
        wanted = read_header(data[:known], 0)
        assert isinstance(wanted, int)
        assert known < wanted <= size


def test_close_frames() -> None:
    assert read_close(b"") == (1005, "")
    assert read_close(b"\x03\xe8") == (1000, "")
    assert read_close("\u0003é".encode("latin-1") + "grüße".encode()) == (1001, "grüße")
