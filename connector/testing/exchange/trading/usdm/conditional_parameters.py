"""Parameters of futures orders that wait for a price: a close of the whole position, a trail.

USD-M takes them with ``algoOrder.place``, COIN-M with ``order.place``. The rules are those of the
order pages of futures, and the codes those of its list of errors. Assumed: the code where hedge
mode and side contradict each other, -4135 for an activation price off the tick, one closing stop
and one closing take-profit order of a side at a time (-4130), and -1106 for ``reduceOnly`` "true"
with ``closePosition`` but -4138 for "false".

Source: binance_trading §5.3 (Algo), §6, §12.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Literal

from connector.testing.exchange.trading.algo import AlgoOrder
from connector.testing.exchange.trading.conditions import takes_profit
from connector.testing.exchange.trading.instruments import Instrument
from connector.testing.exchange.trading.orders import Draft, Order, PositionSide, Side, Trail
from connector.testing.exchange.trading.parameters import decimal_of, flag_of
from connector.testing.exchange.trading.refusals import refusal

CLOSING_TYPES = ("STOP_MARKET", "TAKE_PROFIT_MARKET")
LEAST_CALLBACK = Decimal("0.1")
MOST_CALLBACK = {"usdm": Decimal(20), "coinm": Decimal(10)}
"""In percent; USD-M since 2026-10-23 (§5.3), COIN-M as the page of its order says."""


def closes_position(
    params: Mapping[str, str], kind: str, side: Side, position_side: PositionSide
) -> bool:
    """Read ``closePosition``, and check what may not go with it.

    Raises:
        Refused: -4136 type, -4137 quantity, -1106 or -4138 reduceOnly, -4061 the order would open.
    """
    if not flag_of(params, "closePosition"):
        return False
    if kind not in CLOSING_TYPES:
        raise refusal("closing_type", kind)
    if decimal_of(params, "quantity", mandatory=False):
        raise refusal("closing_quantity")
    if params.get("reduceOnly"):
        if flag_of(params, "reduceOnly"):
            raise refusal("unwanted", "reduceonly")
        raise refusal("closing_reduces")
    if position_side == ("LONG" if side == "BUY" else "SHORT"):
        raise refusal("position_side")
    return True


def raise_if_closed_twice(draft: Draft | AlgoOrder, others: Iterable[Order | AlgoOrder]) -> None:
    """Raise if an open order closes the same position in the same way.

    Raises:
        Refused: -4130.
    """
    for other in others:
        if other.close_position and _closing(other) == _closing(draft):
            raise refusal("one_closes")


def _closing(order: Draft | Order | AlgoOrder) -> tuple[str, Side, PositionSide, bool]:
    return order.symbol, order.side, order.position_side, takes_profit(order.type)


def trail_of(
    params: Mapping[str, str],
    side: Side,
    activation: str,
    instrument: Instrument,
    *,
    price: Decimal,
    venue: Literal["usdm", "coinm"],
) -> Trail:
    """Read how a trailing stop follows the price.

    Args:
        activation: the name of the parameter; without it, the order is active at once.
        price: the price that it follows, of the last trade or the mark price.

    Raises:
        Refused: -1102 no callback rate, -2007 callback rate, -4135 tick, -2021 the activation
            price is on the wrong side of the price.
    """
    rate = decimal_of(params, "callbackRate")
    if not LEAST_CALLBACK <= rate <= MOST_CALLBACK[venue]:
        raise refusal("callback_rate")
    given = decimal_of(params, activation, mandatory=False)
    if given % instrument.tick:
        raise refusal("activation_price")
    activation_price = given or price
    if activation_price > price if side == "BUY" else activation_price < price:
        raise refusal("would_trigger")
    return Trail(activation_price=activation_price, callback_rate=rate, best=price)
