"""Spot orders that wait for a price, and their triggering.

Source: binance_trading §5.1; the directions are those of §5.3: a stop buys at or above its price
and sells at or below it, taking profit is the reverse.
"""

from __future__ import annotations

import attrs

from connector.testing.exchange.trading.exchange_state import House
from connector.testing.exchange.trading.orders import Order


@attrs.define(eq=False)
class StopOrders:
    """The waiting orders of all accounts."""

    house: House

    def _waiting(self) -> list[Order]:
        return [
            order
            for account in self.house.accounts.values()
            for order in account.open_orders
            if order.stop_price
        ]

    def wait(self) -> bool:
        """Whether any order waits for its price."""
        return bool(self._waiting())

    def trigger_due(self) -> None:
        """Trigger every order whose price has been reached."""
        for order in self._waiting():
            price = self.house.floor.last_price(order.symbol)
            rises = (order.side == "BUY") != order.type.startswith("TAKE_PROFIT")
            if price >= order.stop_price if rises else price <= order.stop_price:
                self.house.engine.trigger(order, self.house.clock_ms())
