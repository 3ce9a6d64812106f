"""The private events of Binance spot, as reports.

Source: binance_trading §3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from connector.exchanges.binance.private import reading, replies, shapes
from connector.inputs.decimals import plus, quotient
from connector.trading.reports import (
    BalanceChange,
    BalanceReport,
    FillReport,
    OrderReport,
    Report,
    StreamEnded,
)

_EXECUTION = reading.quick_decoder(shapes.ExecutionReport)
_ACCOUNT_POSITION = reading.quick_decoder(shapes.AccountPosition)
_BALANCE = reading.decoder(shapes.BalanceDelta)


def _execution_report(payload: bytes) -> list[Report]:
    event = _EXECUTION(payload)
    client_id = event.former_client_id or event.client_id
    fill = None
    if event.execution == "TRADE":
        fill = FillReport(
            symbol=event.symbol,
            trade_id=str(event.trade_id),
            exchange_id=str(event.order_id),
            client_id=client_id,
            side=reading.side_of(event.side),
            price=event.last_price,
            quantity=event.last_quantity,
            cumulative=event.cumulative,
            fee=event.fee,
            fee_asset=event.fee_asset,
            maker=event.maker,
            time_ns=reading.ns(event.time),
        )
    prevented = "self-trade prevention" if event.status == "EXPIRED_IN_MATCH" else ""
    reasons = (str(event.expiry_reason or ""), event.reject_reason, prevented)
    return [
        OrderReport(
            symbol=event.symbol,
            client_id=client_id,
            exchange_id=str(event.order_id),
            side=reading.side_of(event.side),
            state=reading.STATES.get(event.status, "open"),
            price=None if event.type in reading.WITHOUT_PRICE else event.price,
            quantity=event.quantity or None,
            filled=event.cumulative,
            average_price=quotient(event.cumulative_quote, event.cumulative)
            if event.cumulative
            else None,
            conditional=event.type in reading.CONDITIONAL and not event.on_book,
            reason=next((each for each in reasons if each not in ("", "NONE")), ""),
            time_ns=reading.ns(event.time),
            created_ns=reading.ns(event.created),
            fill=fill,
        )
    ]


def _account_position(payload: bytes) -> list[Report]:
    event = _ACCOUNT_POSITION(payload)
    return [
        BalanceReport(
            asset=each.asset,
            total=plus(each.free, each.locked),
            available=each.free,
            locked=each.locked,
            time_ns=reading.ns(event.updated),
        )
        for each in event.balances
    ]


def _balance_change(payload: bytes) -> list[Report]:
    event = _BALANCE(payload)
    return [
        BalanceChange(
            asset=event.asset,
            change=event.change,
            reason="transfer",
            time_ns=reading.ns(event.time),
        )
    ]


def _stream_terminated(_: bytes) -> list[Report]:
    return [StreamEnded(reason="the exchange ended the subscription")]


SPOT_EVENTS: Mapping[str, Callable[[bytes], list[Any]]] = MappingProxyType(
    {
        "executionReport": _execution_report,
        "outboundAccountPosition": _account_position,
        "balanceUpdate": _balance_change,
        "externalLockUpdate": _balance_change,
        "eventStreamTerminated": _stream_terminated,
        "serverShutdown": replies.shutdown,
    }
)
"""Events of spot by name."""
