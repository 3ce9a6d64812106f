"""Conditional orders of USD-M, as requests ask for them; none of them is an open order.

Source: binance_trading §5.3 (Algo), §4 (ALGO_UPDATE).
"""

from __future__ import annotations

from typing import Any, cast

import attrs

from connector.testing.exchange.trading.algo import (
    ALGO_TYPES,
    MOST_OPEN,
    AlgoOrder,
    AlgoStatus,
    described,
)
from connector.testing.exchange.trading.exchange_state import House
from connector.testing.exchange.trading.methods import Call
from connector.testing.exchange.trading.orders import Draft, Side
from connector.testing.exchange.trading.parameters import (
    decimal_of,
    flag_of,
    text_of,
    whole_of,
)
from connector.testing.exchange.trading.refusals import Refused, refusal
from connector.testing.exchange.trading.usdm.orders import UsdmOrders


@attrs.define(eq=False)
class ConditionalOrders:
    """The requests of a USD-M account about conditional orders."""

    house: House
    orders: UsdmOrders

    def place(self, call: Call) -> dict[str, Any]:
        """``algoOrder.place``: no margin is checked before it triggers."""
        params, house, account = call.params, self.house, call.owner
        symbol = house.instrument(text_of(params, "symbol")).symbol
        if text_of(params, "algoType") != "CONDITIONAL":
            raise refusal("parameter", "algoType")
        kind, side = text_of(params, "type"), text_of(params, "side")
        if kind not in ALGO_TYPES:
            raise refusal("type")
        if side not in ("BUY", "SELL"):
            raise refusal("side")
        closes = flag_of(params, "closePosition")
        if len(house.algo.open_of(account.name)) >= MOST_OPEN:
            raise refusal("open_orders")
        client_id = self.orders.client_id(params, "clientAlgoId")
        if any(each.client_id == client_id for each in house.algo.open_of(account.name)):
            raise refusal("duplicate_usdm")
        now_ms = house.clock_ms()
        order = AlgoOrder(
            account=account.name,
            algo_id=house.algo.next_id(),
            client_id=client_id,
            symbol=symbol,
            side=cast("Side", side),
            type=kind,
            position_side=self.orders.position_side(call, params),
            time_in_force=params.get("timeInForce", "GTC"),
            quantity=decimal_of(params, "quantity", mandatory=not closes),
            trigger_price=decimal_of(params, "triggerPrice"),
            price=decimal_of(params, "price", mandatory=kind in ("STOP", "TAKE_PROFIT")),
            working_type=params.get("workingType", "CONTRACT_PRICE"),
            close_position=closes,
            reduce_only=flag_of(params, "reduceOnly"),
            created_ms=now_ms,
            updated_ms=now_ms,
        )
        if order.reached(self._price(order)):
            raise refusal("would_trigger")
        house.streams.tell_algo(account, house.algo.keep(order), now_ms)
        return described(order)

    def _price(self, order: AlgoOrder) -> Any:
        floor = self.house.floor
        marked = order.working_type == "MARK_PRICE"
        return floor.mark(order.symbol) if marked else floor.last_price(order.symbol)

    def _named(self, call: Call) -> AlgoOrder | None:
        algo_id, client_id = whole_of(call.params, "algoId"), call.params.get("clientAlgoId")
        if algo_id is None and not client_id:
            raise refusal("missing", "algoId")
        return self.house.algo.find(call.owner.name, algo_id, client_id)

    def cancel(self, call: Call) -> dict[str, Any]:
        """``algoOrder.cancel``."""
        order = self._named(call)
        if order is None or not order.is_open:
            raise refusal("unknown_order")
        self._end(call, order)
        return {
            "algoId": order.algo_id,
            "clientAlgoId": order.client_id,
            "code": "200",
            "msg": "success",
        }

    def _end(self, call: Call, order: AlgoOrder) -> None:
        now_ms = self.house.clock_ms()
        ended = self.house.algo.end(order, "CANCELED", now_ms)
        self.house.streams.tell_algo(call.owner, ended, now_ms)

    def cancel_all(self, call: Call) -> dict[str, Any]:
        """``DELETE algoOpenOrders``."""
        symbol = text_of(call.params, "symbol")
        for order in self.house.algo.open_of(call.owner.name, symbol):
            self._end(call, order)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def query(self, call: Call) -> dict[str, Any]:
        """``GET algoOrder``."""
        order = self._named(call)
        if order is None:
            raise refusal("no_order")
        return described(order)

    def open_orders(self, call: Call) -> list[dict[str, Any]]:
        """``GET openAlgoOrders``."""
        symbol = call.params.get("symbol")
        return [described(each) for each in self.house.algo.open_of(call.owner.name, symbol)]

    def all_orders(self, call: Call) -> list[dict[str, Any]]:
        """``GET allAlgoOrders``."""
        symbol = text_of(call.params, "symbol")
        found = self.house.algo.of(call.owner.name)
        return [described(each) for each in found if each.symbol == symbol]

    # -- triggering -----------------------------------------------------------------------------

    def wait(self) -> bool:
        """Whether any order waits for its price."""
        return any(order.is_open for order in self.house.algo.orders.values())

    def trigger_due(self) -> None:
        """Trigger every order whose price has been reached."""
        for order in tuple(self.house.algo.orders.values()):
            if order.is_open and order.reached(self._price(order)):
                self.trigger(order)

    def trigger(self, order: AlgoOrder) -> None:
        """Turn a conditional order into an order with a made-up client id."""
        house, account = self.house, self.house.accounts[order.account]
        now_ms = house.clock_ms()
        market = order.type.endswith("MARKET")
        position = account.position(order.symbol, order.position_side)
        draft = Draft(
            symbol=order.symbol,
            side=order.side,
            type="MARKET" if market else "LIMIT",
            client_id=house.made_up_id(),
            time_in_force="GTC" if market else order.time_in_force,
            quantity=abs(position.quantity) if order.close_position else order.quantity,
            price=order.price,
            reduce_only=(order.reduce_only or order.close_position) and not account.hedge,
            position_side=order.position_side,
        )
        self._tell(order, "TRIGGERING")
        try:
            became = house.engine.place(account, draft, now_ms)
        except Refused as refused:
            self._tell(order, "REJECTED", reason=refused.message)
            return
        order = house.algo.keep(attrs.evolve(order, order_id=became.order_id))
        self._tell(order, "TRIGGERED")
        self._tell(order, "FINISHED")

    def _tell(self, order: AlgoOrder, status: AlgoStatus, reason: str = "") -> None:
        house = self.house
        now_ms = house.clock_ms()
        changed = house.algo.end(house.algo.orders[order.algo_id], status, now_ms, reason)
        house.streams.tell_algo(house.accounts[order.account], changed, now_ms)
