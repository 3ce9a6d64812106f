"""COIN-M orders that wait for a price, and their triggering.

They are listed among the open orders, and requests and the countdown cancel them like other
orders. Source: binance_trading §12.
"""

from __future__ import annotations

import attrs

from connector.testing.exchange.trading.coinm.fields import is_reached
from connector.testing.exchange.trading.exchange_state import House
from connector.testing.exchange.trading.orders import ZERO, Draft, Order
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
            if order.stop_price
        ]

    def wait(self) -> bool:
        """Whether any order waits for its price."""
        return bool(self._waiting())

    def trigger_due(self) -> None:
        """Trigger every order whose price has been reached."""
        for order in self._waiting():
            price = self.house.floor.last_price(order.symbol)
            if is_reached(order.side, order.type, order.stop_price, price):
                self.trigger(order)

    def trigger(self, order: Order) -> None:
        """Trigger an order; it expires without margin or with nothing to reduce (assumed)."""
        house, account = self.house, self.house.accounts[order.account]
        draft = Draft(
            symbol=order.symbol,
            side=order.side,
            type=order.type,
            client_id=order.client_id,
            quantity=order.quantity,
            price=order.price,
            reduce_only=order.reduce_only,
            position_side=order.position_side,
        )
        price = order.price or house.floor.last_price(order.symbol)
        value = house.instrument(order.symbol).worth(price, order.quantity)
        now_ms = house.clock_ms()
        try:
            quantity = house.clearing.admit(account, draft, order.quantity, value)
        except Refused:
            house.engine.expire(account, attrs.evolve(order, stop_price=ZERO), now_ms, "exchange")
            return
        house.engine.trigger(attrs.evolve(order, quantity=quantity), now_ms)
