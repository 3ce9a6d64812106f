"""Quantity and value of an order, computed from the book that it would meet."""

from __future__ import annotations

from decimal import Decimal

from connector.testing.exchange.trading.instruments import Instrument
from connector.testing.exchange.trading.orders import ZERO, Draft
from connector.testing.market.matching import BookSide


def extent_of(draft: Draft, instrument: Instrument, side: BookSide) -> tuple[Decimal, Decimal]:
    """Compute the quantity and value of an order, at its limit or at the prices of the book.

    Args:
        side: the side of the book from which the order would take.

    A market order of a quote quantity gets as many whole lots as it can pay for.
    """
    if draft.is_limit:
        return draft.quantity, instrument.worth(draft.price, draft.quantity)
    lots, value = 0, ZERO
    for ticks in side.prices():
        price, here = instrument.price(ticks), side.quantities[ticks]
        if draft.quote_quantity:
            most = instrument.lots((draft.quote_quantity - value) / price)
        else:
            most = instrument.lots(draft.quantity) - lots
        taken = min(here, most)
        lots, value = lots + taken, value + instrument.worth(price, instrument.quantity(taken))
        if taken < here:
            break
    return (instrument.quantity(lots) if draft.quote_quantity else draft.quantity), value
