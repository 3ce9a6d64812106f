"""What a consumer reads: best prices, mid, spread, imbalance, the price of a size, a copy."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector import ConfigError
from connector.book import Asks, Bids, Extent
from connector.events import BookSnapshot, BookView, Event, Level, asdict

BIDS = [(99.0, 1.0), (98.0, 2.0), (97.0, 3.0)]
ASKS = [(101.0, 2.0), (102.0, 1.0), (103.0, 5.0)]


def view(bids: Any = BIDS, asks: Any = ASKS) -> BookView:
    sides = Bids(Extent()), Asks(Extent())
    for side, levels in zip(sides, (bids, asks), strict=True):
        side.load([Level(*level) for level in levels], complete=True)
    return BookView(
        symbol="X", bids=sides[0], asks=sides[1], update_id=7, synced=True, received_ns=5,
        session=2, exchange_time_ns=3,
    )  # fmt: skip


def test_the_top() -> None:
    book = view()

    assert book.best_bid == Level(99.0, 1.0)
    assert book.best_ask == Level(101.0, 2.0)
    assert book.mid == 100.0
    assert book.spread == 2.0
    assert book.exchange_time_ns == 3


def test_a_snapshot_says_of_its_levels_what_a_view_says() -> None:
    live = view()
    snapshot: BookSnapshot[float] = BookSnapshot(
        symbol="X", exchange_time_ns=3, bids=list(live.bids), asks=list(live.asks), update_id=7
    )

    for book in (live, snapshot):
        assert (book.best_bid, book.best_ask) == (Level(99.0, 1.0), Level(101.0, 2.0))
        assert (book.mid, book.spread) == (100.0, 2.0)
    assert snapshot.imbalance() == live.imbalance()
    assert snapshot.vwap("buy", 2.0) == live.vwap("buy", 2.0) == 101.0


@pytest.mark.parametrize(("bids", "asks"), [([], ASKS), (BIDS, []), ([], [])])
def test_a_side_that_is_empty(bids: Any, asks: Any) -> None:
    book = view(bids, asks)

    assert (book.best_bid is None) == (not bids)
    assert (book.best_ask is None) == (not asks)
    assert book.mid is None
    assert book.spread is None


def test_imbalance() -> None:
    assert view().imbalance() == pytest.approx(-1 / 3)
    assert view().imbalance(2) == 0
    assert view().imbalance(100) == pytest.approx(-2 / 14)
    assert view([], ASKS).imbalance() == -1
    assert view(BIDS, []).imbalance() == 1
    assert view([], []).imbalance() is None
    with pytest.raises(ConfigError, match="imbalance: levels=0"):
        view().imbalance(0)


def test_the_price_of_a_size() -> None:
    book = view()

    assert book.vwap("buy", 2.0) == 101.0
    assert book.vwap("buy", 3.0) == pytest.approx((2 * 101 + 102) / 3)
    assert book.vwap("sell", 3.0) == pytest.approx((99 + 2 * 98) / 3)
    assert book.vwap("sell", 6.0) == pytest.approx((99 + 2 * 98 + 3 * 97) / 6)
    assert book.vwap("sell", 6.5) is None


@pytest.mark.parametrize(
    ("side", "quantity"), [("bid", 1.0), ("buy", 0.0), ("buy", -1.0), ("buy", float("nan"))]
)
def test_a_size_that_makes_no_sense(side: Any, quantity: float) -> None:
    with pytest.raises(ConfigError, match='write "buy" or "sell"'):
        view().vwap(side, quantity)


def test_decimals_stay_decimals() -> None:
    book: BookView[Any] = view([(Decimal("1.1"), Decimal(2))], [(Decimal("1.2"), Decimal(2))])

    assert book.mid == Decimal("1.15")
    assert book.spread == Decimal("0.1")
    assert book.vwap("buy", Decimal(1)) == Decimal("1.2")


@pytest.mark.parametrize("quantity", [0.5, 1e9])
def test_a_size_that_is_no_decimal_beside_decimals(quantity: Any) -> None:
    book: BookView[Any] = view([(Decimal("1.1"), Decimal(2))], [(Decimal("1.2"), Decimal(2))])

    with pytest.raises(ConfigError, match="write the quantity as Decimal"):
        book.vwap("buy", quantity)


def test_a_copy_stays_as_it_is() -> None:
    book = view()
    copy = book.depth(2)
    everything = book.depth()
    assert isinstance(book.bids, Bids)

    book.bids.apply([Level(99.5, 9.0)])
    book.update_id = 8

    assert book.best_bid == Level(99.5, 9.0)
    assert copy.bids == (Level(99.0, 1.0), Level(98.0, 2.0))
    assert len(copy.asks) == 2
    assert len(everything.bids) == 3
    assert copy.mid == 100.0
    assert (copy.update_id, copy.synced, copy.session, copy.received_ns) == (7, True, 2, 5)
    with pytest.raises(ConfigError, match="depth: levels=0"):
        book.depth(0)


@given(st.floats(0.001, 6, allow_nan=False))
def test_the_price_of_a_size_lies_between_the_levels(quantity: float) -> None:
    price = view().vwap("sell", quantity)

    assert price is not None
    assert 97 <= price <= 99 + 1e-9


def test_it_is_an_event() -> None:
    book = view()

    assert isinstance(book, Event)
    assert asdict(book)["update_id"] == 7
    assert repr(book).startswith(
        "BookView(symbol='X', exchange_time_ns=3, received_ns=5, session=2"
    )
