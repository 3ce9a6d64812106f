"""What a market was: states and trades are found, and forgotten in a run that lasts."""

from __future__ import annotations

from decimal import Decimal

from connector.testing.market.matching import OrderBook, Scale
from connector.testing.market.payloads import TradeFacts
from connector.testing.market.truth import MarketTruth

SCALE = Scale(tick_decimals=2, lot_decimals=0, price_decimals=2, quantity_decimals=0)


def level(price: str, quantity: int) -> tuple[Decimal, Decimal]:
    return Decimal(price), Decimal(quantity)


def market(states: int) -> MarketTruth:
    """Bids of 1, 2, 3 … lots at 1.00, one state each, and a trade with each."""
    book = OrderBook(SCALE)
    book.bids.add(100, 1)
    truth = MarketTruth(book, levels=2, ms=0)
    for number in range(1, states):
        book.bids.add(100, 1)
        truth.note(number, [TradeFacts(number, number, 100, number, True, number, number)])
    return truth


def test_a_state_is_found_once_it_was_and_no_earlier_one_after_it() -> None:
    truth = market(5)

    assert truth.find_book([level("1.00", 3)], []) == 2
    assert truth.find_book([level("1.00", 3)], [], since=3) is None
    assert truth.find_book([level("1.00", 9)], []) is None
    assert truth.find_book([level("1.001", 3)], []) is None
    assert (truth.until_ms(2), truth.until_ms(4)) == (3, None)


def test_trades_are_known_by_price_quantity_and_side() -> None:
    truth = market(3)

    assert truth.has_trade(*level("1.00", 2), "buy")
    assert not truth.has_trade(*level("1.00", 2), "sell")
    assert not truth.has_trade(*level("1.00", 3), "buy")


def test_what_is_old_is_forgotten_and_numbers_stay() -> None:
    truth = market(10)
    truth.find_book([level("1.00", 9)], [])

    truth.keep_last(6)
    assert len(truth) == 10

    truth.keep_last(4)
    assert len(truth) == 4
    assert truth.find_book([level("1.00", 3)], []) is None
    assert truth.find_book([level("1.00", 9)], []) == 8
    assert (truth.ms_of(8), truth.until_ms(8)) == (8, 9)
    assert not truth.has_trade(*level("1.00", 2), "buy")
    assert truth.has_trade(*level("1.00", 9), "buy")
