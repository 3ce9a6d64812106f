"""The filters of spot, with the codes and texts of the real ones.

Source: binance_trading §11.3, §5.1. The reference price of PERCENT_PRICE is the last price here
(the filter has a zero or five minutes' average: what a quiet market makes equal).
"""

from __future__ import annotations

from decimal import Decimal

from connector.testing.exchange.trading.accounts import SimulatedAccount
from connector.testing.exchange.trading.instruments import Instrument
from connector.testing.exchange.trading.orders import Draft
from connector.testing.exchange.trading.refusals import Refused, refusal


def failed(name: str) -> Refused:
    """-1013 with the filter's name."""
    return refusal("filter", name)


def check_price(instrument: Instrument, price: Decimal) -> None:
    """PRICE_FILTER.

    Raises:
        Refused: -1013.
    """
    if not instrument.min_price <= price <= instrument.max_price or price % instrument.tick:
        raise failed("PRICE_FILTER")


def check_quantity(instrument: Instrument, quantity: Decimal) -> None:
    """LOT_SIZE.

    Raises:
        Refused: -1013.
    """
    inside = instrument.min_quantity <= quantity <= instrument.max_quantity
    if not inside or quantity % instrument.step:
        raise failed("LOT_SIZE")


def check(
    draft: Draft, instrument: Instrument, reference: Decimal, account: SimulatedAccount
) -> None:
    """Every filter that concerns a new order.

    Args:
        reference: the average price.

    Raises:
        Refused: -1013 with the name of the first filter that fails.
    """
    if draft.is_limit or draft.price:
        check_price(instrument, draft.price)
        low, high = reference * instrument.lowest_ratio, reference * instrument.highest_ratio
        if not low <= draft.price <= high:
            raise failed("PERCENT_PRICE_BY_SIDE")
    if draft.stop_price:
        check_price(instrument, draft.stop_price)
    if draft.quantity or not draft.quote_quantity:
        check_quantity(instrument, draft.quantity)
    if draft.type == "MARKET" and draft.quantity > instrument.max_market_quantity:
        raise failed("MARKET_LOT_SIZE")
    check_notional(instrument, draft, draft.price or reference)
    own = [order for order in account.open_orders if order.symbol == draft.symbol]
    if len(own) >= instrument.max_orders:
        raise failed("MAX_NUM_ORDERS")
    if draft.stop_price and sum(order.waits for order in own) >= (instrument.max_algo_orders):
        raise failed("MAX_NUM_ALGO_ORDERS")
    if instrument.max_position is not None and draft.side == "BUY":
        held = account.balances.get(instrument.base, Decimal(0))
        held += sum((order.remaining for order in own if order.side == "BUY"), Decimal(0))
        if held + draft.quantity > instrument.max_position:
            raise failed("MAX_POSITION")


def check_notional(instrument: Instrument, draft: Draft, price: Decimal) -> None:
    """NOTIONAL; the upper bound is not applied to market orders, as exchangeInfo says.

    Raises:
        Refused: -1013.
    """
    value = draft.quote_quantity or price * draft.quantity
    if value < instrument.min_notional:
        raise failed("NOTIONAL")
    if draft.type != "MARKET" and value > instrument.max_notional:
        raise failed("NOTIONAL")
