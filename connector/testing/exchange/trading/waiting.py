"""Orders of spot and COIN-M that wait for a price, and their triggering.

They are listed among the open orders, and requests and the countdown cancel them like other
orders. Source: binance_trading §5.1, §12.
"""

from __future__ import annotations

import attrs

from connector.testing.exchange.trading.conditions import followed, is_reached
from connector.testing.exchange.trading.exchange_state import House
from connector.testing.exchange.trading.orders import Order
from connector.testing.exchange.trading.refusals import Refused


@attrs.define(eq=False)
class WaitingOrders:
    """The waiting orders of all accounts."""

    house: House

    def _waiting(self) -> list[Order]:
        return [
            order
            for account in self.house.accounts.values()
            for order in account.open_orders
            if order.waits
        ]

    def wait(self) -> bool:
        """Whether any order waits for its price."""
        return bool(self._waiting())

    def trigger_due(self) -> None:
        """Trigger every order whose price has been reached."""
        house = self.house
        for order in self._waiting():
            price = house.floor.last_price(order.symbol)
            if order.trail is not None:
                trail = followed(order.trail, order.side, price)
                if trail is not order.trail:
                    order = attrs.evolve(order, trail=trail)
                    house.accounts[order.account].keep(order, house.clock_ms())
            if is_reached(order, price):
                self.trigger(order)

    def trigger(self, order: Order) -> None:
        """Trigger an order; it expires without margin or with nothing to reduce (assumed)."""
        house, account = self.house, self.house.accounts[order.account]
        now_ms = house.clock_ms()
        try:
            quantity = house.clearing.readmit(account, order, house.floor.last_price(order.symbol))
        except Refused:
            house.engine.expire(account, attrs.evolve(order, waits=False), now_ms, "exchange")
            return
        house.engine.trigger(attrs.evolve(order, quantity=quantity), now_ms)
