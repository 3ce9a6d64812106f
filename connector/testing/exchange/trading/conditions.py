"""When an order that waits for a price is triggered: at its stop price, or by trailing the price.

Source: binance_trading §5.3. The rule of trailing stops is that of the order pages of futures: a
buy is triggered once the lowest price since it was placed is at or below its activation price and
the price has risen from that lowest price by the callback rate; a sell mirrors this. Prices between
two looks of the exchange are not seen (assumed).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

import attrs

from connector.testing.exchange.trading.orders import Side, Trail

TRAILING = "TRAILING_STOP_MARKET"


class Conditional(Protocol):
    """An order that may wait for a price."""

    @property
    def side(self) -> Side: ...
    @property
    def type(self) -> str: ...
    @property
    def stop_price(self) -> Decimal: ...
    @property
    def trail(self) -> Trail | None: ...


def is_reached(order: Conditional, price: Decimal) -> bool:
    """Whether a price triggers an order: a stop buys at or above its price, taking profit below."""
    if order.trail is not None:
        return _has_turned(order.trail, order.side, price)
    rises = (order.side == "BUY") != takes_profit(order.type)
    return price >= order.stop_price if rises else price <= order.stop_price


def followed(trail: Trail, side: Side, price: Decimal) -> Trail:
    """The trail after a price: it keeps the best one."""
    best = min(trail.best, price) if side == "BUY" else max(trail.best, price)
    return trail if best == trail.best else attrs.evolve(trail, best=best)


def is_active(trail: Trail, side: Side) -> bool:
    """Whether the activation price has been reached since the order was placed."""
    if side == "BUY":
        return trail.best <= trail.activation_price
    return trail.best >= trail.activation_price


def takes_profit(kind: str) -> bool:
    """Whether orders of this type are triggered where the price is good for their owner."""
    return kind.startswith("TAKE_PROFIT")


def _has_turned(trail: Trail, side: Side, price: Decimal) -> bool:
    if not is_active(trail, side):
        return False
    part = trail.callback_rate / 100
    if side == "BUY":
        return price >= trail.best * (1 + part)
    return price <= trail.best * (1 - part)
