"""Orders of spot: place, cancel, replace and amend, as requests ask for them.

Source: binance_trading §5.1, §5.2, §5.4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

import attrs

from connector.testing.exchange.trading.exchange_state import House
from connector.testing.exchange.trading.instruments import Instrument
from connector.testing.exchange.trading.methods import Call
from connector.testing.exchange.trading.orders import Draft, Fill, Order, Side
from connector.testing.exchange.trading.parameters import (
    decimal_of,
    text_of,
    unwanted,
    whole_of,
)
from connector.testing.exchange.trading.refusals import Refused, refusal
from connector.testing.exchange.trading.spot import filters, reports

CLIENT_ID = re.compile(r"[a-zA-Z0-9\-_]{1,36}")
CLIENT_ID_RANGE = "^[a-zA-Z0-9-_]{1,36}$"
TYPES = ("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT")
PREVENTIONS = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT")
MOST_AMENDS_TEXT = "MAX_NUM_ORDER_AMENDS"


@attrs.define(eq=False)
class SpotOrders:
    """The requests of a spot account about orders."""

    house: House

    def place(self, call: Call) -> dict[str, Any]:
        """``order.place``."""
        order, fills = self._place(call, self.draft(call.params))
        default = "FULL" if order.type in ("LIMIT", "MARKET") else "ACK"
        response = call.params.get("newOrderRespType", default)
        return reports.placed(order, fills, response)

    def test(self, call: Call) -> dict[str, Any]:
        """``order.test``: checked as far as the engine, and no further."""
        self._check(call, self.draft(call.params))
        return {}

    def _place(self, call: Call, draft: Draft) -> tuple[Order, list[Fill]]:
        account, house = call.owner, self.house
        self._check(call, draft)
        house.raise_if_duplicate(account, draft.symbol, draft.client_id)
        before, now_ms = len(account.fills), house.clock_ms()
        if draft.stop_price:
            order = house.engine.wait(account, draft, now_ms)
        else:
            order = house.engine.place(account, draft, now_ms)
        mine = [fill for fill in account.fills[before:] if fill.order_id == order.order_id]
        return order, mine

    def _check(self, call: Call, draft: Draft) -> None:
        instrument = self.house.instrument(draft.symbol)
        if instrument.status != "TRADING":
            raise refusal("market_closed")
        if call.owner.restricted:
            raise refusal("trading_disabled")
        filters.check(draft, instrument, self.house.floor.last_price(draft.symbol), call.owner)

    def draft(self, params: Mapping[str, str]) -> Draft:
        """Read the parameters of a new order.

        Raises:
            Refused: a parameter is missing, wrong or not wanted.
        """
        symbol = text_of(params, "symbol")
        self.house.instrument(symbol)
        side, kind = text_of(params, "side"), text_of(params, "type")
        if side not in ("BUY", "SELL"):
            raise refusal("side")
        if kind not in TYPES:
            raise refusal("type")
        tif = self._time_in_force(params, kind)
        prevention = params.get("selfTradePreventionMode", self.house.readings.default_prevention)
        if prevention not in PREVENTIONS:
            raise refusal("parameter", "selfTradePreventionMode")
        if params.get("newOrderRespType", "ACK") not in ("ACK", "RESULT", "FULL"):
            raise refusal("parameter", "newOrderRespType")
        quantity, quote, price, stop = self._numbers(params, kind)
        strategy_type = whole_of(params, "strategyType")
        if strategy_type is not None and strategy_type < 1_000_000:
            raise refusal("parameter", "strategyType")
        return Draft(
            symbol=symbol,
            side=cast("Side", side),
            type=kind,
            client_id=self.client_id(params, "newClientOrderId"),
            time_in_force=tif,
            quantity=quantity,
            price=price,
            quote_quantity=quote,
            stop_price=stop,
            prevention=prevention,
            strategy_id=whole_of(params, "strategyId"),
            strategy_type=strategy_type,
        )

    def _time_in_force(self, params: Mapping[str, str], kind: str) -> str:
        if kind in ("LIMIT_MAKER", "MARKET"):
            if params.get("timeInForce") and self.house.readings.unwanted_time_in_force == -1114:
                raise refusal("tif_unwanted")
            unwanted(params, "timeInForce")
            return "GTC"
        tif = text_of(params, "timeInForce")
        if tif not in ("GTC", "IOC", "FOK"):
            raise refusal("tif")
        return tif

    def _numbers(
        self, params: Mapping[str, str], kind: str
    ) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """Quantity, quote quantity, price and stop price."""
        zero = Decimal(0)
        if kind == "MARKET":
            unwanted(params, "price", "stopPrice", "icebergQty")
            quantity = decimal_of(params, "quantity", mandatory=False)
            quote = decimal_of(params, "quoteOrderQty", mandatory=False)
            if quantity and quote:
                raise refusal("combination")
            if not quantity and not quote:
                raise refusal("missing", "quantity")
            return quantity, quote, zero, zero
        unwanted(params, "quoteOrderQty")
        stop = zero
        if kind.endswith("_LIMIT"):
            stop = decimal_of(params, "stopPrice")
        else:
            unwanted(params, "stopPrice")
        return decimal_of(params, "quantity"), zero, decimal_of(params, "price"), stop

    def client_id(self, params: Mapping[str, str], name: str) -> str:
        """The client id of a request; if it has none, the exchange makes one up.

        Raises:
            Refused: -1100 if it has characters that spot does not allow.
        """
        given = params.get(name)
        if given is None:
            return self.house.made_up_id()
        if not CLIENT_ID.fullmatch(given):
            raise refusal("illegal", name, CLIENT_ID_RANGE)
        return given

    def named(self, call: Call, prefix: str = "") -> Order:
        """The open order that a request names by either id.

        Raises:
            Refused: -1102 no id, -2011 no such order.
        """
        params = call.params
        id_name = f"{prefix}OrderId" if prefix else "orderId"
        client_name = f"{prefix}OrigClientOrderId" if prefix else "origClientOrderId"
        order_id, client_id = whole_of(params, id_name), params.get(client_name)
        if order_id is None and not client_id:
            raise refusal("missing", client_name)
        symbol = text_of(params, "symbol")
        self.house.instrument(symbol)
        return self.house.open_order(call.owner, symbol, order_id, client_id)

    def cancel(self, call: Call) -> dict[str, Any]:
        """``order.cancel``."""
        order = self.named(call)
        self._restrict(order, call.params.get("cancelRestrictions"))
        client_id = self.client_id(call.params, "newClientOrderId")
        return self._cancel(call, order, client_id)

    def _cancel(self, call: Call, order: Order, client_id: str) -> dict[str, Any]:
        after = self.house.engine.cancel(call.owner, order, self.house.clock_ms(), client_id)
        return reports.cancelled(after, client_id)

    def _restrict(self, order: Order, restriction: str | None) -> None:
        wanted = {"ONLY_NEW": "NEW", "ONLY_PARTIALLY_FILLED": "PARTIALLY_FILLED"}
        if restriction is None:
            return
        if restriction not in wanted:
            raise refusal("parameter", "cancelRestrictions")
        if order.status != wanted[restriction]:
            raise refusal("restrictions")

    def cancel_all(self, call: Call) -> list[dict[str, Any]]:
        """``openOrders.cancelAll``: all of a symbol; none is an error (§5.2)."""
        symbol = text_of(call.params, "symbol")
        self.house.instrument(symbol)
        orders = [order for order in call.owner.open_orders if order.symbol == symbol]
        if not orders:
            raise refusal("unknown_order")
        client_id = self.house.made_up_id()
        return [self._cancel(call, order, client_id) for order in orders]

    def replace(self, call: Call) -> dict[str, Any]:
        """``order.cancelReplace``: not transactional; one half may fail."""
        params = call.params
        mode = text_of(params, "cancelReplaceMode")
        if mode not in ("STOP_ON_FAILURE", "ALLOW_FAILURE"):
            raise refusal("parameter", "cancelReplaceMode")
        draft = self.draft(params)
        self._check(call, draft)
        outcome: dict[str, Any] = {"cancelResult": "SUCCESS", "newOrderResult": "NOT_ATTEMPTED"}
        try:
            order = self.named(call, "cancel")
            self._restrict(order, params.get("cancelRestrictions"))
            client_id = self.client_id(params, "cancelNewClientOrderId")
            outcome["cancelResponse"] = self._cancel(call, order, client_id)
        except Refused as refused:
            outcome |= {"cancelResult": "FAILURE", "cancelResponse": _body(refused)}
        outcome["newOrderResponse"] = None
        if outcome["cancelResult"] == "SUCCESS" or mode == "ALLOW_FAILURE":
            try:
                placed, fills = self._place(call, draft)
                outcome |= {
                    "newOrderResult": "SUCCESS",
                    "newOrderResponse": reports.placed(
                        placed, fills, params.get("newOrderRespType", "FULL")
                    ),
                }
            except Refused as refused:
                outcome |= {"newOrderResult": "FAILURE", "newOrderResponse": _body(refused)}
        results = {outcome["cancelResult"], outcome["newOrderResult"]}
        if results == {"SUCCESS"}:
            return outcome
        if "SUCCESS" in results:
            raise Refused(409, -2021, "Order cancel-replace partially failed.", data=outcome)
        raise Refused(400, -2022, "Order cancel-replace failed.", data=outcome)

    def amend(self, call: Call) -> dict[str, Any]:
        """``order.amend.keepPriority``: only to less; the id is new unless one is sent (§5.2)."""
        order, account = self.named(call), call.owner
        quantity = decimal_of(call.params, "newQty")
        client_id = self.client_id(call.params, "newClientOrderId")
        instrument = self.house.instrument(order.symbol)
        self._check_amend(order, quantity, instrument)
        if client_id != order.client_id:
            self.house.raise_if_duplicate(account, order.symbol, client_id)
        now_ms = self.house.clock_ms()
        if quantity <= order.filled:
            after = self.house.engine.expire(account, order, now_ms, "amended")
        else:
            after = self.house.engine.reduce(account, order, quantity, client_id, now_ms)
        return reports.amended(after, account.executions[-1].execution_id)

    def _check_amend(self, order: Order, quantity: Decimal, instrument: Instrument) -> None:
        if order.changes >= instrument.max_amends:
            raise filters.failed(MOST_AMENDS_TEXT)
        filters.check_quantity(instrument, quantity)
        ends = self.house.readings.amend_below_filled == "ends"
        if not 0 < quantity < order.quantity or (quantity <= order.filled and not ends):
            raise refusal("amend")
        if quantity * order.price < instrument.min_notional:
            raise refusal("amend")


def _body(refused: Refused) -> dict[str, Any]:
    return {"code": refused.code, "msg": refused.message}
