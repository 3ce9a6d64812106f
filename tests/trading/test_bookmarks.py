"""A bookmark: written, read, and what it names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.trading.bookmarks import Bookmark, ToldTrades

NUMBERS = st.integers(min_value=1, max_value=10**12)
SYMBOLS = st.sampled_from(["ETHUSDC", "BTCUSDC", "SOLUSDC"])


@given(
    since=NUMBERS,
    read=st.dictionaries(SYMBOLS, NUMBERS),
    told=st.dictionaries(SYMBOLS, st.lists(NUMBERS, min_size=1, max_size=5)),
)
def test_a_bookmark_is_read_as_it_was_written(
    since: int, read: dict[str, int], told: dict[str, list[int]]
) -> None:
    bookmark = Bookmark(
        since,
        {symbol: str(last) for symbol, last in read.items()},
        {
            symbol: tuple(str(read.get(symbol, 0) + each) for each in further)
            for symbol, further in told.items()
        },
        frozenset({"XRPUSDC", *read, *told}),
    )
    assert Bookmark.parse(str(bookmark)) == bookmark


@pytest.mark.parametrize("text", ["", "page 3", "2:1:", "1:x:", "1:1:ETHUSDC", "1:1:ETHUSDC=+x"])
def test_what_is_no_bookmark(text: str) -> None:
    with pytest.raises(ValueError):
        Bookmark.parse(text)


def test_what_was_read_is_not_named() -> None:
    told = ToldTrades()
    for number in ("5", "7", "8"):
        told.note("ETHUSDC", number)
    told.complete("ETHUSDC", "7")
    assert told.behind({"ETHUSDC": "7"}) == {"ETHUSDC": ("8",)}
    assert told.behind({"ETHUSDC": "8"}) == {}
