"""An entry is read as it was written, and what is none of ours is told apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.app.redis.entries import Entry, decode, encode, key_of, number_of, numbered

frames = st.lists(
    st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 2**31), st.binary(max_size=50)), max_size=5
)


@given(frames, st.none() | st.text(min_size=1, max_size=10), st.integers(1, 2**40))
def test_what_is_written_is_read(
    written: list[tuple[int, int, bytes]], lost: str | None, number: int
) -> None:
    fields = numbered(encode(written, lost), "run", number)

    assert decode(fields) == Entry("run", number, written, lost)
    assert number_of(fields, "run") == number
    assert number_of(fields, "another") is None


@pytest.mark.parametrize("field", [b"run", b"number", b"frames"])
def test_foreign_entries_are_ignored(field: bytes) -> None:
    fields = numbered(encode([(1, 1, b"{}")], None), "run", 1)
    broken = fields | {field: b"\xff"}
    del fields[field]

    assert decode(fields) is None
    assert decode(broken) is None
    assert decode({}) is None


def test_a_key_names_exchange_and_stream() -> None:
    key = key_of("connector", "binance_usdm", "ethusdc@trade")

    assert key == b"connector:binance_usdm:ethusdc@trade"
