"""Convert the orders and trades in Binance's replies and lists to reports.

Source: binance_trading §3, §4, §8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

from connector.exchanges.binance.private import shapes
from connector.exchanges.usual_json import finite_decoder, usual_decoder
from connector.inputs.decimals import ZERO, quotient
from connector.orders import Leg, Side
from connector.trading.reports import (
    FillReport,
    OrderReport,
    ReportedState,
)

T = TypeVar("T")

NS_PER_MS = 1_000_000
ALGO = "algo"
"""Prefix of the id of a conditional order of futures, which has a separate numbering."""

STATES: Mapping[str, ReportedState] = MappingProxyType(
    {
        "NEW": "open",
        "PENDING_NEW": "open",
        "PARTIALLY_FILLED": "open",
        "PENDING_CANCEL": "open",
        "FILLED": "filled",
        "CANCELED": "cancelled",
        "REJECTED": "refused",
        "EXPIRED": "expired",
        "EXPIRED_IN_MATCH": "expired",
    }
)
LEGS: Mapping[str, Leg] = MappingProxyType({"LONG": "long", "SHORT": "short"})
"""Other words mean that there is only one."""
_state_of, _leg_of = dict(STATES).get, dict(LEGS).get
WITHOUT_PRICE = frozenset(
    {"MARKET", "STOP_LOSS", "TAKE_PROFIT", "STOP_MARKET", "TAKE_PROFIT_MARKET",
     "TRAILING_STOP_MARKET"}
)  # fmt: skip
CONDITIONAL = frozenset(
    {"STOP", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT", "STOP_MARKET",
     "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"}
)  # fmt: skip


def decoder(kind: type[T]) -> Callable[[bytes], T]:
    """Make a decoder of payloads of this form."""
    decode: Callable[[bytes], T] = finite_decoder(kind)
    return decode


def quick_decoder(kind: type[T]) -> Callable[[bytes], T]:
    """Make a decoder that looks for numbers in text only if it finds none otherwise.

    Binance sends numbers (binance_trading §4, §5), but an order must not be lost where it does not.
    """
    return usual_decoder(kind, finite=True)


def ns(milliseconds: int | None) -> int | None:
    """Convert milliseconds to nanoseconds."""
    return None if milliseconds is None else milliseconds * NS_PER_MS


def side_of(word: str) -> Side:
    """Convert Binance's word to ours."""
    return "buy" if word == "BUY" else "sell"


def leg_of(word: str) -> Leg | None:
    """Convert Binance's word to ours."""
    return LEGS.get(word)


# --- orders and trades


def order_report(order: shapes.Order) -> OrderReport:
    """An order in a reply or a list."""
    executed = order.executed_qty or ZERO
    spent = order.cummulative_quote_qty
    complete = bool(order.status and order.side and order.orig_qty is not None)
    # Once it is triggered, futures change its type, and spot says that it works.
    conditional = order.type in CONDITIONAL
    updated, created = order.update_time or order.transact_time, order.time
    return OrderReport(
        symbol=order.symbol,
        client_id=order.orig_client_order_id or order.client_order_id,
        exchange_id=str(order.order_id),
        side="buy" if order.side == "BUY" else "sell",
        leg=_leg_of(order.position_side),
        state=_state_of(order.status, "open"),
        price=None if order.type in WITHOUT_PRICE else order.price,
        quantity=order.orig_qty or None,
        filled=executed,
        average_price=quotient(spent, executed) if spent and executed else None,
        reduce_only=order.reduce_only,
        conditional=conditional and order.is_working is not True,
        time_ns=None if updated is None else updated * NS_PER_MS,
        created_ns=None if created is None else created * NS_PER_MS,
        partial=not complete,
    )


def algo_report(order: shapes.AlgoOrder) -> OrderReport:
    """A conditional order in a list."""
    return OrderReport(
        symbol=order.symbol,
        client_id=order.client_algo_id,
        exchange_id=f"{ALGO}:{order.algo_id}",
        side=side_of(order.side),
        leg=leg_of(order.position_side),
        state="open",
        price=order.price or None,
        quantity=order.quantity or None,
        reduce_only=order.reduce_only,
        conditional=True,
        time_ns=ns(order.update_time),
        created_ns=ns(order.create_time),
    )


def amend_report(reply: shapes.AmendReply) -> OrderReport:
    """The order in the reply to an amend of spot."""
    order = reply.amended_order
    return OrderReport(
        symbol=order.symbol,
        client_id=order.client_order_id,
        exchange_id=str(order.order_id),
        side=side_of(order.side),
        state=STATES.get(order.status, "open"),
        price=order.price,
        quantity=order.qty,
        filled=order.executed_qty or ZERO,
        time_ns=ns(reply.transact_time),
    )


def trade_report(trade: shapes.Trade) -> FillReport:
    """A trade in a list."""
    buyer = trade.side == "BUY" if trade.side else bool(trade.is_buyer)
    return FillReport(
        symbol=trade.symbol,
        trade_id=str(trade.id),
        exchange_id=str(trade.order_id),
        side="buy" if buyer else "sell",
        leg=leg_of(trade.position_side),
        price=trade.price,
        quantity=trade.qty,
        fee=trade.commission,
        fee_asset=trade.commission_asset,
        maker=trade.is_maker if trade.maker is None else trade.maker,
        realised=trade.realized_pnl,
        time_ns=ns(trade.time),
    )
