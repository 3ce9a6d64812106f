"""Spot's events and replies to an account, with the fields of the notes and of captures.

Source: binance_trading §3, §5.1, §5.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from connector.testing.exchange.trading.accounts import SimulatedAccount
from connector.testing.exchange.trading.instruments import Instrument
from connector.testing.exchange.trading.limits import OrderCounts
from connector.testing.exchange.trading.orders import ZERO, Execution, Fill, Order
from connector.testing.exchange.trading.spot.clearing import locked_by
from connector.testing.exchange.trading.streams import Streams

FIRST_FILL_TAKER, FIRST_FILL_MAKER = 1, 5
"""What spot takes back from the count of unfilled orders for a first fill (§9)."""


def eight(number: Decimal) -> str:
    """Eight decimals, as spot writes everything."""
    return f"{number:.8f}"


def execution_report(execution: Execution, now_ms: int) -> dict[str, Any]:
    """``executionReport``."""
    order, fill = execution.order, execution.fill
    working = order.is_open and not order.waits
    report: dict[str, Any] = {
        "e": "executionReport",
        "E": now_ms,
        "s": order.symbol,
        "c": execution.reported_client_id,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": eight(order.quantity),
        "p": eight(order.price),
        "P": eight(order.stop_price),
        "F": eight(ZERO),
        "g": -1,
        "C": execution.previous_client_id,
        "x": execution.kind,
        "X": order.status,
        "r": "NONE",
        "i": order.order_id,
        "l": eight(fill.quantity if fill else ZERO),
        "z": eight(order.filled),
        "L": eight(fill.price if fill else ZERO),
        "n": eight(fill.fee) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": execution.ms,
        "t": fill.trade_id if fill else -1,
        "I": execution.execution_id,
        "w": working,
        "m": fill.maker if fill else False,
        "M": False,
        "O": order.created_ms,
        "Z": eight(order.quote_filled),
        "Y": eight(fill.quote if fill else ZERO),
        "Q": eight(order.quote_quantity),
    }
    if not order.waits:
        report["W"] = order.created_ms
    report["V"] = order.prevention
    if order.strategy_id is not None:
        report["j"] = order.strategy_id
    if order.strategy_type is not None:
        report["J"] = order.strategy_type
    if execution.kind == "TRADE_PREVENTION":
        report |= {"v": execution.execution_id, "A": eight(order.prevented)}
        report["B"] = eight(execution.prevented)
    if execution.kind == "EXPIRED" and order.expiry_reason:
        report["eR"] = order.expiry_reason
    return report


@attrs.define(eq=False)
class SpotReports:
    """Reports an execution to an account: the report, and the changed balances."""

    streams: Streams
    instruments: Mapping[str, Instrument]
    clock_ms: Callable[[], int]
    counts: Mapping[str, OrderCounts]
    balances_first: bool = False

    def tell(self, account: SimulatedAccount, execution: Execution) -> None:
        now_ms = self.clock_ms()
        self._take_back(account, execution, now_ms)
        instrument = self.instruments[execution.order.symbol]
        assets = dict.fromkeys((instrument.base, instrument.quote))
        if execution.fill is not None:
            assets[execution.fill.fee_asset] = None
        events = [
            execution_report(execution, now_ms),
            self.account_position(account, assets, execution.ms),
        ]
        for event in reversed(events) if self.balances_first else events:
            self.streams.tell(account, event)

    def _take_back(self, account: SimulatedAccount, execution: Execution, now_ms: int) -> None:
        """The first fill of an order takes unfilled orders back from the count."""
        fill = execution.fill
        if fill is not None and fill.quantity == execution.order.filled:
            counts = self.counts.get(account.name)
            if counts is not None:
                counts.add(-FIRST_FILL_MAKER if fill.maker else -FIRST_FILL_TAKER, now_ms)

    def account_position(
        self, account: SimulatedAccount, assets: Iterable[str], ms: int
    ) -> dict[str, Any]:
        """``outboundAccountPosition``: free and locked of the assets that may have changed."""
        locked = locked_by(account.open_orders, self.instruments)
        return {
            "e": "outboundAccountPosition",
            "E": self.clock_ms(),
            "u": ms,
            "B": [
                {
                    "a": asset,
                    "f": eight(account.balances.get(asset, ZERO) - locked.get(asset, ZERO)),
                    "l": eight(locked.get(asset, ZERO)),
                }
                for asset in assets
            ],
        }


def balance_update(asset: str, amount: Decimal, ms: int) -> dict[str, Any]:
    """``balanceUpdate``: a deposit, withdrawal or transfer."""
    return {"e": "balanceUpdate", "E": ms, "a": asset, "d": eight(amount), "T": ms}


# -- replies --------------------------------------------------------------------------------------


def placed(order: Order, fills: Iterable[Fill], response: str) -> dict[str, Any]:
    """The reply to a place: ACK, RESULT or FULL."""
    reply: dict[str, Any] = {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "transactTime": order.created_ms,
    }
    if response == "ACK":
        return reply
    reply |= _state(order)
    reply["workingTime"] = order.created_ms
    reply["selfTradePreventionMode"] = order.prevention
    if order.expiry_reason:
        reply["expiryReason"] = order.expiry_reason
    if response == "FULL":
        reply["fills"] = [
            {
                "price": eight(fill.price),
                "qty": eight(fill.quantity),
                "commission": eight(fill.fee),
                "commissionAsset": fill.fee_asset,
                "tradeId": fill.trade_id,
            }
            for fill in fills
        ]
    return reply


def _state(order: Order) -> dict[str, Any]:
    return {
        "price": eight(order.price),
        "origQty": eight(order.quantity),
        "executedQty": eight(order.filled),
        "origQuoteOrderQty": eight(order.quote_quantity),
        "cummulativeQuoteQty": eight(order.quote_filled),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": order.side,
    }


def cancelled(order: Order, client_id: str) -> dict[str, Any]:
    """The reply to a cancel; `client_id` is that of the request (§5.2)."""
    return {
        "symbol": order.symbol,
        "origClientOrderId": order.client_id,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": client_id,
        "transactTime": order.updated_ms,
        **_state(order),
        "selfTradePreventionMode": order.prevention,
    }


def queried(order: Order) -> dict[str, Any]:
    """The reply to a query; one of a list of open orders looks the same."""
    reply = {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        **_state(order),
        "stopPrice": eight(order.stop_price),
        "icebergQty": eight(ZERO),
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": not order.waits,
        "workingTime": -1 if order.waits else order.created_ms,
        "selfTradePreventionMode": order.prevention,
    }
    if order.prevented:
        reply["preventedQuantity"] = eight(order.prevented)
    if order.expiry_reason:
        reply["expiryReason"] = order.expiry_reason
    return reply


def amended(order: Order, execution_id: int) -> dict[str, Any]:
    """The reply to ``order.amend.keepPriority``."""
    return {
        "transactTime": order.updated_ms,
        "executionId": execution_id,
        "amendedOrder": {
            "symbol": order.symbol,
            "orderId": order.order_id,
            "orderListId": -1,
            "origClientOrderId": "",
            "clientOrderId": order.client_id,
            "price": eight(order.price),
            "qty": eight(order.quantity),
            "executedQty": eight(order.filled),
            "preventedQty": eight(order.prevented),
            "quoteOrderQty": eight(order.quote_quantity),
            "cumulativeQuoteQty": eight(order.quote_filled),
            "status": order.status,
            "timeInForce": order.time_in_force,
            "type": order.type,
            "side": order.side,
            "workingTime": order.created_ms,
            "selfTradePreventionMode": order.prevention,
        },
    }


def traded(fill: Fill) -> dict[str, Any]:
    """One entry of ``myTrades``."""
    return {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "orderListId": -1,
        "price": eight(fill.price),
        "qty": eight(fill.quantity),
        "quoteQty": eight(fill.quote),
        "commission": eight(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.ms,
        "isBuyer": fill.side == "BUY",
        "isMaker": fill.maker,
        "isBestMatch": True,
    }
