"""Conditional orders of USD-M: a separate system with its own ids, lists and cancels.

Cancelling all open orders leaves them alive. Source: binance_trading §0 (10), §5.3, §4.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal, TypeAlias

import attrs

from connector.testing.exchange.trading.conditions import is_active
from connector.testing.exchange.trading.orders import ZERO, PositionSide, Side, Trail

AlgoStatus: TypeAlias = Literal[
    "NEW", "TRIGGERING", "TRIGGERED", "FINISHED", "CANCELED", "REJECTED", "EXPIRED"
]
ALGO_TYPES = ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
FIRST_ALGO_ID = 3_000_000_000
MOST_OPEN = 200
"""Maximum number of open conditional orders, over all symbols."""


@attrs.frozen(kw_only=True)
class AlgoOrder:
    """One conditional order at one moment."""

    account: str
    algo_id: int
    client_id: str
    symbol: str
    side: Side
    type: str
    position_side: PositionSide
    time_in_force: str
    quantity: Decimal
    stop_price: Decimal = ZERO
    """The price that triggers it; 0 for a trailing stop."""
    trail: Trail | None = None
    price: Decimal = ZERO
    working_type: str = "CONTRACT_PRICE"
    close_position: bool = False
    reduce_only: bool = False
    status: AlgoStatus = "NEW"
    order_id: int | None = None
    """Id of the order that it became; None before it is triggered."""
    reason: str = ""
    created_ms: int = 0
    updated_ms: int = 0

    @property
    def is_open(self) -> bool:
        return self.status == "NEW"

    @property
    def is_active(self) -> bool:
        """Whether its price may trigger it; a trailing stop must be activated first."""
        return self.is_open and (self.trail is None or is_active(self.trail, self.side))


@attrs.define
class AlgoOrders:
    """Every conditional order of one exchange."""

    orders: dict[int, AlgoOrder] = attrs.field(factory=dict)
    _last_id: int = FIRST_ALGO_ID

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def keep(self, order: AlgoOrder) -> AlgoOrder:
        """Store an order, new or changed."""
        self.orders[order.algo_id] = order
        return order

    def end(self, order: AlgoOrder, status: AlgoStatus, ms: int, reason: str = "") -> AlgoOrder:
        """Change the status of an order."""
        return self.keep(attrs.evolve(order, status=status, updated_ms=ms, reason=reason))

    def of(self, account: str) -> list[AlgoOrder]:
        """All orders of one account, oldest first."""
        return [order for order in self.orders.values() if order.account == account]

    def open_of(self, account: str, symbol: str | None = None) -> list[AlgoOrder]:
        """The waiting orders, of a symbol or of all symbols."""
        return [
            order for order in self.of(account) if order.is_open and symbol in (None, order.symbol)
        ]

    def find(self, account: str, algo_id: int | None, client_id: str | None) -> AlgoOrder | None:
        """Find an order by either of its ids."""
        for order in reversed(self.of(account)):
            if order.algo_id == algo_id or (algo_id is None and order.client_id == client_id):
                return order
        return None


def described(order: AlgoOrder) -> dict[str, Any]:
    """The order as it appears in replies."""
    return {
        "algoId": order.algo_id,
        "clientAlgoId": order.client_id,
        "algoType": "CONDITIONAL",
        "orderType": order.type,
        "symbol": order.symbol,
        "side": order.side,
        "positionSide": order.position_side,
        "timeInForce": order.time_in_force,
        "quantity": f"{order.quantity}",
        "algoStatus": order.status,
        "actualOrderId": "" if order.order_id is None else str(order.order_id),
        "triggerPrice": f"{order.stop_price}",
        "price": f"{order.price}",
        "workingType": order.working_type,
        "closePosition": order.close_position,
        "priceProtect": False,
        "reduceOnly": order.reduce_only,
        "activatePrice": "" if order.trail is None else f"{order.trail.activation_price}",
        "callbackRate": "" if order.trail is None else f"{order.trail.callback_rate}",
        "createTime": order.created_ms,
        "updateTime": order.updated_ms,
        "triggerTime": 0 if order.order_id is None else order.updated_ms,
    }


def update(order: AlgoOrder, ms: int) -> dict[str, Any]:
    """``ALGO_UPDATE`` (§4)."""
    return {
        "e": "ALGO_UPDATE",
        "T": order.updated_ms,
        "E": ms,
        "o": {
            "caid": order.client_id,
            "aid": order.algo_id,
            "at": "CONDITIONAL",
            "o": order.type,
            "s": order.symbol,
            "S": order.side,
            "ps": order.position_side,
            "f": order.time_in_force,
            "q": f"{order.quantity}",
            "X": order.status,
            "ai": "" if order.order_id is None else str(order.order_id),
            "ap": "0.00000",
            "aq": "0.00000",
            "act": "0",
            "tp": f"{order.stop_price}",
            "p": f"{order.price}",
            "V": "EXPIRE_MAKER",
            "wt": order.working_type,
            "pm": "NONE",
            "cp": order.close_position,
            "pP": False,
            "R": order.reduce_only,
            "tt": 0,
            "gtd": 0,
            "rm": order.reason,
            "ia": order.is_active,
        },
    }
