"""Conditional orders of USD-M, as requests ask for them; none of them is an open order.

Source: binance_trading §5.3 (Algo), §4 (ALGO_UPDATE).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

import attrs

from connector.testing.exchange.trading.algo import (
    ALGO_TYPES,
    MOST_OPEN,
    AlgoOrder,
    AlgoStatus,
    described,
)
from connector.testing.exchange.trading.conditions import TRAILING, followed, is_reached
from connector.testing.exchange.trading.exchange_state import House
from connector.testing.exchange.trading.methods import Call
from connector.testing.exchange.trading.orders import Draft, Side
from connector.testing.exchange.trading.parameters import (
    decimal_of,
    flag_of,
    text_of,
    unwanted,
    whole_of,
)
from connector.testing.exchange.trading.refusals import Refused, refusal
from connector.testing.exchange.trading.usdm.conditional_parameters import (
    closes_position,
    raise_if_closed_twice,
    trail_of,
)
from connector.testing.exchange.trading.usdm.orders import UsdmOrders


@attrs.define(eq=False)
class ConditionalOrders:
    """The requests of a USD-M account about conditional orders."""

    house: House
    orders: UsdmOrders

    def place(self, call: Call) -> dict[str, Any]:
        """``algoOrder.place``: no margin is checked before it triggers."""
        params, house, account = call.params, self.house, call.owner
        instrument = house.instrument(text_of(params, "symbol"))
        symbol = instrument.symbol
        if text_of(params, "algoType") != "CONDITIONAL":
            raise refusal("parameter", "algoType")
        kind, side = text_of(params, "type"), cast("Side", text_of(params, "side"))
        if kind not in ALGO_TYPES:
            raise refusal("type")
        if side not in ("BUY", "SELL"):
            raise refusal("side")
        trails, marked = kind == TRAILING, params.get("workingType") == "MARK_PRICE"
        unwanted(params, *(("triggerPrice",) if trails else ("activatePrice", "callbackRate")))
        position_side = self.orders.position_side(call, params)
        closes = closes_position(params, kind, side, position_side)
        if len(house.algo.open_of(account.name)) >= MOST_OPEN:
            raise refusal("open_orders")
        client_id = self.orders.client_id(params, "clientAlgoId")
        if any(each.client_id == client_id for each in house.algo.open_of(account.name)):
            raise refusal("duplicate_usdm")
        now_ms, price = house.clock_ms(), self._price(symbol, marked=marked)
        order = AlgoOrder(
            account=account.name,
            algo_id=house.algo.next_id(),
            client_id=client_id,
            symbol=symbol,
            side=side,
            type=kind,
            position_side=position_side,
            time_in_force=params.get("timeInForce", "GTC"),
            quantity=decimal_of(params, "quantity", mandatory=not closes),
            stop_price=decimal_of(params, "triggerPrice", mandatory=not trails),
            trail=(
                trail_of(params, side, "activatePrice", instrument, price=price, venue="usdm")
                if trails
                else None
            ),
            price=decimal_of(params, "price", mandatory=kind in ("STOP", "TAKE_PROFIT")),
            working_type=params.get("workingType", "CONTRACT_PRICE"),
            close_position=closes,
            reduce_only=closes or flag_of(params, "reduceOnly"),
            created_ms=now_ms,
            updated_ms=now_ms,
        )
        if closes:
            raise_if_closed_twice(order, house.algo.open_of(account.name, symbol))
        if is_reached(order, price):
            raise refusal("would_trigger")
        house.streams.tell_algo(account, house.algo.keep(order), now_ms)
        return described(order)

    def _price(self, symbol: str, *, marked: bool) -> Decimal:
        floor = self.house.floor
        return floor.mark(symbol) if marked else floor.last_price(symbol)

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
            if order.is_open:
                price = self._price(order.symbol, marked=order.working_type == "MARK_PRICE")
                order = self._follow(order, price)
                if is_reached(order, price):
                    self.trigger(order)

    def _follow(self, order: AlgoOrder, price: Decimal) -> AlgoOrder:
        """Let a trailing stop follow the price; it is reported when it becomes active (§4)."""
        if order.trail is None:
            return order
        house, now_ms = self.house, self.house.clock_ms()
        after = attrs.evolve(order, trail=followed(order.trail, order.side, price))
        if after.is_active and not order.is_active:
            after = attrs.evolve(after, updated_ms=now_ms)
            house.streams.tell_algo(house.accounts[order.account], after, now_ms)
        return house.algo.keep(after)

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
            reduce_only=order.reduce_only and not account.hedge,
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
