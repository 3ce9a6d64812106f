"""Matching is by price, then time; text is exact."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from connector.testing.market.matching import BookSide, Fill, Scale, decimal_text

SCALE = Scale(tick_decimals=2, lot_decimals=3, price_decimals=2, quantity_decimals=3)


def test_the_best_price_and_then_the_first_order_is_taken_first() -> None:
    asks = BookSide("ask", SCALE)
    for price, quantity in ((102, 5), (101, 3), (101, 4), (103, 9)):
        asks.add(price, quantity)
    assert asks.top(2) == '[["1.01","0.007"],["1.02","0.005"]]'
    assert asks.take(9) == [Fill(101, 3), Fill(101, 4), Fill(102, 2)]
    assert asks.best == 102
    assert asks.text(101) == '["1.01","0.000"]'
    assert asks.take(100) == [Fill(102, 3), Fill(103, 9)]
    assert (len(asks), asks.best) == (0, None)


def test_cancelling_takes_one_order_out_of_its_queue() -> None:
    bids = BookSide("bid", SCALE)
    for quantity in (1, 2, 4):
        bids.add(100, quantity)
    bids.add(99, 8)
    assert bids.cancel(100, 1) == 2
    assert bids.take(2) == [Fill(100, 1), Fill(100, 1)]
    assert bids.cancel(100, 7) == 3
    assert bids.best == 99


@given(
    orders=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 50)), max_size=40),
    taken=st.integers(1, 500),
    bid=st.booleans(),
)
def test_nothing_is_lost_or_made(orders: list[tuple[int, int]], taken: int, bid: bool) -> None:
    side = BookSide("bid" if bid else "ask", SCALE)
    for price, quantity in orders:
        side.add(price, quantity)
    total = sum(quantity for _, quantity in orders)
    fills = side.take(taken)
    assert sum(fill.quantity for fill in fills) == min(taken, total)
    assert sum(side.quantities.values()) == total - min(taken, total)
    prices = [fill.price for fill in fills]
    assert prices == sorted(prices, reverse=bid)
    ranked = [side.price_at(rank) for rank in range(len(side))]
    assert ranked == sorted(side.quantities, reverse=bid)


@given(units=st.integers(-(10**12), 10**12), decimals=st.integers(0, 6), more=st.integers(0, 4))
def test_decimal_text_is_exact(units: int, decimals: int, more: int) -> None:
    text = decimal_text(units, decimals, decimals + more)
    assert Decimal(text) == Decimal(units).scaleb(-decimals)
    assert len(text.partition(".")[2]) == decimals + more
