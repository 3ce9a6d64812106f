"""Queries of a USD-M account about orders and trades, answered from a state that may lag.

Source: binance_trading §7, §8; binance_usdm §8.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import attrs

from connector.testing.exchange.trading.exchange_state import House
from connector.testing.exchange.trading.methods import Call
from connector.testing.exchange.trading.orders import Order
from connector.testing.exchange.trading.parameters import text_of, whole_of
from connector.testing.exchange.trading.refusals import refusal
from connector.testing.exchange.trading.usdm import reports

WEEK_MS = 7 * 86_400_000
MOST_ROWS = 1000


@attrs.define(eq=False)
class UsdmQueries:
    """The queries about orders and trades."""

    house: House

    def _found(self, call: Call) -> Order:
        order_id, client_id = whole_of(call.params, "orderId"), call.params.get("origClientOrderId")
        if order_id is None and not client_id:
            raise refusal("missing", "origClientOrderId")
        symbol = self.house.instrument(text_of(call.params, "symbol")).symbol
        return self.house.seen_order(
            call.owner, symbol, order_id, client_id if order_id is None else None
        )

    def _shown(self, order: Order) -> dict[str, Any]:
        return reports.queried(order, self.house.instrument(order.symbol))

    def order(self, call: Call) -> dict[str, Any]:
        """``order.status``."""
        return self._shown(self._found(call))

    def open_order(self, call: Call) -> dict[str, Any]:
        """``GET openOrder``: fails for an order that is over (§7 (5))."""
        order = self._found(call)
        if not order.is_open:
            raise refusal("no_order")
        return self._shown(order)

    def open_orders(self, call: Call) -> list[dict[str, Any]]:
        """``GET openOrders``: of a symbol, or of all."""
        symbol = call.params.get("symbol")
        orders = self.house.view(call.owner).open_orders
        return [self._shown(order) for order in orders if symbol in (None, order.symbol)]

    def all_orders(self, call: Call) -> list[dict[str, Any]]:
        """``GET allOrders``: from an order id, or of seven days; the symbol may be left out."""
        symbol, first = call.params.get("symbol"), whole_of(call.params, "orderId")
        start, end = self._between(call)
        found = [
            order
            for order in self.house.seen_orders(call.owner)
            if symbol in (None, order.symbol)
            and order.order_id >= (first or 0)
            and start <= order.created_ms <= end
        ]
        most = self._rows(call)
        return [self._shown(each) for each in (found[:most] if first else found[-most:])]

    def _between(self, call: Call) -> tuple[int, int]:
        now_ms = self.house.clock_ms()
        start, end = whole_of(call.params, "startTime"), whole_of(call.params, "endTime")
        if start is not None and end is not None and end - start > WEEK_MS:
            raise refusal("interval", "7 days")
        if start is None:
            start = (now_ms if end is None else end) - WEEK_MS
        return start, start + WEEK_MS if end is None else end

    def _rows(self, call: Call) -> int:
        limit = whole_of(call.params, "limit")
        return min(MOST_ROWS, 500 if limit is None else limit)

    def amendments(self, call: Call) -> list[dict[str, Any]]:
        """``GET orderAmendment``: the modifications of an order."""
        order = self._found(call)
        history = call.owner.history(order.order_id)
        states = history.all if history is not None else ()
        changes = [
            (before, after) for before, after in pairwise(states) if after.changes > before.changes
        ]
        by_order = {
            each.order.changes: each.modify_id
            for each in call.owner.executions
            if each.kind == "AMENDMENT" and each.order.order_id == order.order_id
        }
        instrument = self.house.instrument(order.symbol)
        return [
            {
                "amendmentId": after.changes,
                "symbol": order.symbol,
                "orderId": order.order_id,
                "clientOrderId": order.client_id,
                "time": after.updated_ms,
                "modifyId": by_order.get(after.changes),
                "amendment": {
                    "price": {
                        "before": instrument.price_text(before.price),
                        "after": instrument.price_text(after.price),
                    },
                    "origQty": {
                        "before": instrument.quantity_text(before.quantity),
                        "after": instrument.quantity_text(after.quantity),
                    },
                    "count": after.changes,
                },
            }
            for before, after in reversed(changes)
        ]

    def trades(self, call: Call) -> list[dict[str, Any]]:
        """``GET userTrades``: from a trade id, or of seven days."""
        symbol = self.house.instrument(text_of(call.params, "symbol")).symbol
        first, order_id = whole_of(call.params, "fromId"), whole_of(call.params, "orderId")
        if first is not None and (call.params.get("startTime") or call.params.get("endTime")):
            raise refusal("combination")
        start, end = self._between(call) if first is None else (0, self.house.clock_ms())
        found = [
            fill
            for fill in call.owner.fills
            if fill.symbol == symbol
            and fill.ms <= self.house.seen_ms()
            and start <= fill.ms <= end
            and fill.trade_id >= (first or 0)
            and order_id in (None, fill.order_id)
        ]
        found.sort(key=lambda fill: fill.trade_id)
        most = self._rows(call)
        instrument = self.house.instrument(symbol)
        return [
            reports.traded(fill, instrument)
            for fill in (found[:most] if first is not None else found[-most:])
        ]
