"""Records are read one after another until none is left, in C and in Python alike."""

from __future__ import annotations

import ssl
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.transport.compiled import EXTENSION
from connector.transport.tls import read_records, read_records_in_python

LARGEST = 100
READERS = [
    read_records_in_python,
    pytest.param(
        getattr(EXTENSION, "read_records", None),
        marks=pytest.mark.skipif(EXTENSION is None, reason="it is not compiled here"),
    ),
]


class Tls:
    """Has some records, and then an error, or the end."""

    def __init__(self, records: list[bytes], last: Exception | None) -> None:
        self._records = list(records)
        self._last = last

    def read(self, size: int, buffer: Any = None) -> Any:
        if not self._records:
            if self._last is not None:
                raise self._last
            return b"" if buffer is None else 0
        assert size == LARGEST
        room = size if buffer is None else min(size, len(memoryview(buffer)))
        assert room > 0
        record = self._records.pop(0)
        if len(record) > room:
            self._records.insert(0, record[room:])
        part = record[:room]
        if buffer is None:
            return part
        memoryview(buffer)[: len(part)] = part
        return len(part)


records = st.lists(st.binary(min_size=1, max_size=250), max_size=8)
endings = st.sampled_from([None, ssl.SSLWantReadError("more"), ssl.SSLError("bad record")])


@pytest.mark.parametrize("read_all", READERS)
@given(records, endings, st.integers(0, 600))
def test_everything_is_read_whatever_was_expected(
    read_all: Any, given_records: list[bytes], ending: Exception | None, expected: int
) -> None:
    read = Tls(given_records, ending).read
    data, error = read_all(read, LARGEST, expected, ssl.SSLError)
    assert type(data) is bytes
    assert data == b"".join(given_records)
    assert error is ending


@pytest.mark.parametrize("read_all", READERS)
def test_an_error_of_another_kind_is_raised(read_all: Any) -> None:
    with pytest.raises(KeyError, match="ours"):
        read_all(Tls([b"one"], KeyError("ours")).read, LARGEST, 10, ssl.SSLError)


@pytest.mark.parametrize("read_all", READERS)
def test_the_error_says_where_it_was_raised(read_all: Any) -> None:
    _, error = read_all(Tls([], ssl.SSLError("bad record")).read, LARGEST, 10, ssl.SSLError)
    assert error.__traceback__ is not None


def test_the_compiled_function_is_used_where_it_exists() -> None:
    ours = read_records_in_python if EXTENSION is None else EXTENSION.read_records
    assert read_records is ours


@pytest.mark.skipif(EXTENSION is None, reason="it is not compiled here")
class TestTheBufferInC:
    def test_a_reader_that_keeps_its_buffer_is_refused(self) -> None:
        kept: list[memoryview] = []

        def read(size: int, buffer: Any) -> int:
            kept.append(memoryview(buffer))
            kept[0][:3] = b"abc"
            return 3 if len(kept) == 1 else 0

        with pytest.raises(BufferError, match="still holds"):
            read_records(read, LARGEST, 10, ssl.SSLError)
        # And what it has kept stays its own.
        assert bytes(kept[0])[:3] == b"abc"

    @pytest.mark.parametrize("count", [11, 1 << 70, -1, None])
    def test_a_reader_that_says_nonsense_is_refused(self, count: Any) -> None:
        with pytest.raises((TypeError, ValueError)):
            read_records(lambda size, buffer: count, LARGEST, 10, ssl.SSLError)

    @pytest.mark.parametrize(
        "arguments", [(), (1, 2, 3), (len, 1, -1, OSError), (len, 1, "", OSError)]
    )
    def test_other_arguments_are_refused(self, arguments: Any) -> None:
        with pytest.raises((TypeError, ValueError)):
            read_records(*arguments)

    def test_nothing_is_left_behind(self) -> None:
        error, largest = ssl.SSLWantReadError("more"), 100
        before = sys.getrefcount(error), sys.getrefcount(ssl.SSLError)
        for _ in range(50):
            read_records(Tls([b"x" * 150] * 3, error).read, largest, 10, ssl.SSLError)
            error.__traceback__ = None
        assert (sys.getrefcount(error), sys.getrefcount(ssl.SSLError)) == before
