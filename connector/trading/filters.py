"""Check an order against the rules of its instrument before it is sent.

Nothing is rounded: an invalid order is refused, and the error contains the nearest valid one. Only
the exchange knows the market, so it checks whether a price is too far from the market.

Source: binance_trading §11.3.
"""

from __future__ import annotations

from decimal import Decimal

import attrs

from connector.errors import OrderInvalid
from connector.inputs.decimals import ZERO, remainder
from connector.instruments import Instrument, Status
from connector.orders import Intent, Limit, Market


def check_intent(
    instrument: Instrument, intent: Intent, reference_price: Decimal | None = None
) -> Decimal | None:
    """Refuse an order that breaks a rule of its instrument.

    Args:
        instrument: what it trades.
        intent: the order.
        reference_price: the market's, for the notional of an order without a price.

    Returns:
        The notional of a limit order; None for a market order.

    Raises:
        OrderInvalid: with the nearest order that passes.
    """
    if instrument.status is not Status.TRADING and not intent.reduce_only:
        raise OrderInvalid(
            f"{instrument.symbol} cannot be traded now: it is {instrument.exchange_status!r}"
        )
    if isinstance(intent, Limit):
        return _check_limit(instrument, intent)
    if intent.quantity is not None:
        _check_market(instrument, intent, intent.quantity, reference_price)
    return None


def _check_limit(instrument: Instrument, intent: Limit) -> Decimal:
    price, quantity = intent.price, intent.quantity
    tick, least, most = instrument.tick_size, instrument.min_price, instrument.max_price
    wrong: str | None = None
    if tick is not None and remainder(price, tick):
        wrong = f"price {price} is not a multiple of the tick {tick}"
    elif least is not None and price < least:
        wrong = f"price {price} is below {least}"
    elif most is not None and price > most:
        wrong = f"price {price} is above {most}"
    else:
        wrong = _quantity(
            quantity, instrument.step_size, instrument.min_quantity, instrument.max_quantity
        )
    if wrong is None:
        worth = instrument.notional(quantity, price)
        wrong = _notional(instrument, worth, reduce_only=intent.reduce_only)
        if wrong is None:
            return worth
    raise OrderInvalid(f"{instrument.symbol}: {wrong}", _nearest(instrument, intent))


def _check_market(
    instrument: Instrument, intent: Market, quantity: Decimal, reference: Decimal | None
) -> None:
    limits = (
        (instrument.step_size, instrument.min_quantity, instrument.max_quantity),
        (
            instrument.market_step_size,
            instrument.market_min_quantity,
            instrument.market_max_quantity,
        ),
    )
    for step, least, most in limits:
        wrong = _quantity(quantity, step, least, most)
        if wrong is not None:
            raise OrderInvalid(f"{instrument.symbol}: {wrong}")
    if reference is not None:
        worth = instrument.notional(quantity, reference)
        wrong = _notional(instrument, worth, reduce_only=intent.reduce_only)
        if wrong is not None:
            raise OrderInvalid(f"{instrument.symbol}: {wrong}, at a price of {reference}")


def _quantity(
    quantity: Decimal, step: Decimal | None, least: Decimal | None, most: Decimal | None
) -> str | None:
    if step is not None and remainder(quantity, step):
        return f"quantity {quantity} is not a multiple of the step {step}"
    if least is not None and quantity < least:
        return f"quantity {quantity} is below {least}"
    if most is not None and quantity > most > ZERO:
        return f"quantity {quantity} is above {most}"
    return None


def _notional(instrument: Instrument, worth: Decimal, *, reduce_only: bool) -> str | None:
    least = None if reduce_only else instrument.min_notional
    if least is not None and worth < least:
        return f"a notional of {worth} is below {least}"
    if instrument.max_notional is not None and worth > instrument.max_notional:
        return f"a notional of {worth} is above {instrument.max_notional}"
    return None


def _nearest(instrument: Instrument, intent: Limit) -> Limit | None:
    """The order at the tick that is no worse for its side, of the largest quantity that passes."""
    price = instrument.tick(intent.price, "down" if intent.side == "buy" else "up")
    if price <= 0:
        return None
    relaxed = attrs.evolve(instrument, min_notional=None) if intent.reduce_only else instrument
    quantity = relaxed.tradable(intent.quantity, price, intent.side)
    if quantity == ZERO:
        return None
    return attrs.evolve(intent, price=price, quantity=quantity)
