"""The filters of futures, with the codes of the real ones; COIN-M has no MIN_NOTIONAL.

Source: binance_trading §11.3, §6. Quantities and prices must pass both tests that the sources
print: ``value % step`` and ``(value - min) % step``.
"""

from __future__ import annotations

from decimal import Decimal

from connector.testing.exchange.trading.accounts import SimulatedAccount
from connector.testing.exchange.trading.instruments import Instrument
from connector.testing.exchange.trading.orders import Draft
from connector.testing.exchange.trading.refusals import refusal


def check(
    draft: Draft,
    instrument: Instrument,
    mark: Decimal,
    account: SimulatedAccount,
    best: Decimal | None,
) -> None:
    """Every filter that concerns a new order.

    Args:
        mark: the mark price.
        best: the best price on the other side of the book, if there is one.

    Raises:
        Refused: with the code of the first filter that fails.
    """
    _check_decimals(draft, instrument)
    if draft.type == "MARKET":
        _check_market_bound(draft, instrument, mark, best)
    elif not draft.type.endswith("_MARKET"):
        check_price(draft, instrument, mark)
    if draft.stop_price % instrument.tick:
        raise refusal("tick")
    if not draft.close_position:
        check_quantity(draft, instrument)
        if not draft.reduce_only:
            check_notional(instrument, draft.quantity, draft.price or mark)
    own = [order for order in account.open_orders if order.symbol == draft.symbol]
    if len(own) >= instrument.max_orders:
        raise refusal("open_orders")
    waiting = sum(order.waits for order in own)
    if draft.waits and waiting >= instrument.max_algo_orders:
        raise refusal("stop_orders")


def _check_decimals(draft: Draft, instrument: Instrument) -> None:
    scale = instrument.scale
    for number, places in (
        (draft.price, scale.price_decimals),
        (draft.quantity, scale.quantity_decimals),
    ):
        if -int(number.normalize().as_tuple().exponent) > places:
            raise refusal("precision")


def check_price(draft: Draft, instrument: Instrument, mark: Decimal) -> None:
    """PRICE_FILTER and PERCENT_PRICE, which is one-sided: a price may be as good as it likes.

    Raises:
        Refused: -4001, -4002, -4013, -4014, -4016, -4024.
    """
    price = draft.price
    if price <= 0:
        raise refusal("price_low")
    if price > instrument.max_price:
        raise refusal("price_high")
    if price < instrument.min_price:
        raise refusal("price_min")
    if price % instrument.tick or (price - instrument.min_price) % instrument.tick:
        raise refusal("tick")
    highest, lowest = mark * instrument.highest_ratio, mark * instrument.lowest_ratio
    if draft.side == "BUY" and price > highest:
        raise refusal("percent_high", instrument.price_text(highest))
    if draft.side == "SELL" and price < lowest:
        raise refusal("percent_low", instrument.price_text(lowest))


def check_quantity(draft: Draft, instrument: Instrument) -> None:
    """LOT_SIZE, and MARKET_LOT_SIZE for market orders.

    Raises:
        Refused: -4003, -4004, -4005, -4023.
    """
    quantity = draft.quantity
    market = draft.type.endswith("MARKET")
    if quantity <= 0:
        raise refusal("quantity_low")
    if quantity < instrument.min_quantity:
        raise refusal("quantity_min")
    if quantity > (instrument.max_market_quantity if market else instrument.max_quantity):
        raise refusal("quantity_max")
    if quantity % instrument.step or (quantity - instrument.min_quantity) % instrument.step:
        raise refusal("step")


def check_notional(instrument: Instrument, quantity: Decimal, price: Decimal) -> None:
    """MIN_NOTIONAL; waived for reduce-only orders.

    Raises:
        Refused: -4164.
    """
    if quantity * price < instrument.min_notional:
        raise refusal("notional", instrument.min_notional)


def _check_market_bound(
    draft: Draft, instrument: Instrument, mark: Decimal, best: Decimal | None
) -> None:
    if best is None:
        return
    bound = instrument.market_bound
    if not mark * (1 - bound) <= best <= mark * (1 + bound):
        raise refusal("market_bound")
