"""A checksum over levels that keep their digits is that over the Decimals themselves."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from connector.book import WrittenLevel
from connector.book.checksum import interleaved, with_text
from connector.events import BookDelta, Level

numbers = st.decimals(min_value=0, max_value=10**9, places=9) | st.sampled_from(
    [Decimal("1E+3"), Decimal("1E-9"), Decimal("0.10"), Decimal(0)]
)
sides = st.lists(st.builds(Level, numbers, numbers), max_size=3)


def delta(
    bids: list[Level[Decimal]], asks: list[Level[Decimal]], checksum: int | None
) -> BookDelta[Decimal]:
    return BookDelta(
        symbol="A", bids=bids, asks=asks, first_update_id=1, last_update_id=1, checksum=checksum
    )


@given(sides, sides)
def test_levels_with_their_text(bids: list[Level[Decimal]], asks: list[Level[Decimal]]) -> None:
    written_bids, written_asks = with_text(delta(bids, asks, 7))

    assert [*written_bids, *written_asks] == [*bids, *asks]
    assert all(isinstance(each, WrittenLevel) for each in (*written_bids, *written_asks))
    expected = interleaved(bids, asks)
    assert interleaved(written_bids, written_asks) == expected
    # A level from before there was a checksum may be among them.
    assert interleaved(bids, written_asks) == expected


def test_without_a_checksum_nothing_is_written() -> None:
    level = Level(Decimal(1), Decimal(2))
    for checksum in (None, 0):
        assert with_text(delta([level], [], checksum)) == ([level], [])
        assert type(with_text(delta([level], [], checksum))[0][0]) is Level
