"""The private events of Binance futures, USDⓈ-M and COIN-M, as reports.

Source: binance_trading §4, §12.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from connector.exchanges.binance.decode import is_coin_margined
from connector.exchanges.binance.private import reading, replies, shapes
from connector.orders import Side
from connector.trading.reports import (
    BalanceReport,
    FillReport,
    FundingReport,
    Ignored,
    ModeChanged,
    OrderReport,
    PositionReport,
    Report,
    ReportedState,
    StreamEnded,
)

_ALGO_STATES: Mapping[str, ReportedState] = MappingProxyType(
    {
        "NEW": "open",
        "TRIGGERING": "open",
        "TRIGGERED": "filled",
        "FINISHED": "filled",
        "CANCELED": "cancelled",
        "REJECTED": "refused",
        "EXPIRED": "expired",
    }
)
_FUTURES_EXPIRY: Mapping[str, str] = MappingProxyType(
    {
        "1": "self-trade prevention",
        "2": "the rest of IOC",
        "3": "the rest of IOC, by self-trade prevention",
        "4": "a reduce-only order of higher priority, or the position would reverse",
        "5": "liquidation",
        "6": "GTE condition",
        "7": "delisted",
        "8": "the initial order after its stop",
        "9": "the rest of a market order",
    }
)
"""Meaning of the field ``er``."""

# Of dictionaries: views of them look up by another call.
_state_of, _leg_of = dict(reading.STATES).get, dict(reading.LEGS).get
_ORDER_UPDATE = reading.quick_decoder(shapes.OrderTradeUpdate)
_TRADE_LITE = reading.quick_decoder(shapes.TradeLite)
_ACCOUNT_UPDATE = reading.quick_decoder(shapes.AccountUpdate)
_ALGO_UPDATE = reading.decoder(shapes.AlgoUpdate)
_CONFIG_UPDATE = reading.decoder(shapes.ConfigUpdate)


def _order_trade_update(payload: bytes) -> list[Report]:
    event = _ORDER_UPDATE(payload)
    order = event.order
    side: Side = "buy" if order.side == "BUY" else "sell"
    leg = _leg_of(order.position_side)
    exchange_id = str(order.order_id)
    fill = None
    # A liquidation trades under CALCULATED.
    if order.execution in ("TRADE", "CALCULATED") and order.last_quantity > 0:
        fill = FillReport(
            symbol=order.symbol,
            trade_id=str(order.trade_id),
            exchange_id=exchange_id,
            client_id=order.client_id,
            side=side,
            leg=leg,
            price=order.last_price,
            quantity=order.last_quantity,
            cumulative=order.cumulative,
            fee=order.fee,
            fee_asset=order.fee_asset,
            maker=order.maker,
            realised=order.realised,
            time_ns=None if order.time is None else order.time * reading.NS_PER_MS,
        )
    reported = _state_of(order.status)
    if reported is None:
        # NEW_INSURANCE and NEW_ADL: taken over at once.
        reported = "filled" if order.cumulative >= order.quantity else "open"
    return [
        OrderReport(
            symbol=order.symbol,
            client_id=order.client_id,
            exchange_id=exchange_id,
            side=side,
            leg=leg,
            state=reported,
            price=None if order.type in reading.WITHOUT_PRICE else order.price,
            quantity=order.quantity or None,
            filled=order.cumulative,
            average_price=order.average_price or None,
            reduce_only=order.reduce_only,
            conditional=order.type in reading.CONDITIONAL and order.cumulative == 0,
            reason=_FUTURES_EXPIRY.get(str(order.expiry_reason), "") if order.expiry_reason else "",
            time_ns=None if event.time is None else event.time * reading.NS_PER_MS,
            fill=fill,
        )
    ]


def _trade_lite(payload: bytes) -> list[Report]:
    event = _TRADE_LITE(payload)
    return [
        FillReport(
            symbol=event.symbol,
            trade_id=str(event.trade_id),
            exchange_id=str(event.order_id),
            client_id=event.client_id,
            side=reading.side_of(event.side),
            price=event.last_price,
            quantity=event.last_quantity,
            maker=event.maker,
            time_ns=reading.ns(event.time),
            early=True,
        )
    ]


def _account_update(payload: bytes) -> list[Report]:
    event = _ACCOUNT_UPDATE(payload)
    change, time_ns = event.change, reading.ns(event.time)
    reports: list[Report] = [
        BalanceReport(
            asset=each.asset, total=each.wallet_balance, reason=change.reason, time_ns=time_ns
        )
        for each in change.balances
    ]
    reports += [
        PositionReport(
            symbol=each.symbol,
            leg=reading.leg_of(each.position_side),
            quantity=_of_leg(each.position_side, each.amount),
            entry_price=each.entry_price or None,
            unrealised=each.unrealised,
            reason=change.reason,
            time_ns=time_ns,
        )
        for each in change.positions
    ]
    if change.reason == "FUNDING_FEE":
        reports += [
            FundingReport(
                symbol=change.symbol, asset=each.asset, amount=each.change, time_ns=time_ns
            )
            for each in change.balances
        ]
    return reports


def _of_leg(position_side: str, amount: Decimal) -> Decimal:
    return amount if position_side == "BOTH" else amount.copy_abs()


def _algo_update(payload: bytes) -> list[Report]:
    event = _ALGO_UPDATE(payload)
    order = event.order
    return [
        OrderReport(
            symbol=order.symbol,
            client_id=order.client_id,
            exchange_id=f"{reading.ALGO}:{order.algo_id}",
            side=reading.side_of(order.side),
            leg=reading.leg_of(order.position_side),
            state=_ALGO_STATES.get(order.status, "open"),
            price=order.price or None,
            quantity=order.quantity or None,
            reduce_only=order.reduce_only,
            conditional=True,
            reason=order.reason,
            time_ns=reading.ns(event.time),
        )
    ]


def _config_update(payload: bytes) -> list[Report]:
    if bytes(_CONFIG_UPDATE(payload).assets):
        return [ModeChanged(what="the multi-asset mode")]
    return [Ignored(kind="leverage")]


def _listen_key_expired(_: bytes) -> list[Report]:
    return [StreamEnded(reason="the listen key has expired")]


_EVENTS: Mapping[str, Callable[[bytes], list[Any]]] = MappingProxyType(
    {
        "ORDER_TRADE_UPDATE": _order_trade_update,
        "TRADE_LITE": _trade_lite,
        "ACCOUNT_UPDATE": _account_update,
        "ALGO_UPDATE": _algo_update,
        "ACCOUNT_CONFIG_UPDATE": _config_update,
        "listenKeyExpired": _listen_key_expired,
        "serverShutdown": replies.shutdown,
    }
)
_OF_A_SYMBOL = frozenset({"ORDER_TRADE_UPDATE", "TRADE_LITE", "ACCOUNT_UPDATE", "ALGO_UPDATE"})


def of_market(*, coin_margined: bool) -> Mapping[str, Callable[[bytes], list[Any]]]:
    """Events of futures by name; those of the other market are left out.

    Since 2026-06-30 one stream may carry the orders of USD-M and of COIN-M; the documentation is
    silent about it. The form of a symbol tells them apart (binance_trading §12).
    """
    return MappingProxyType(
        {
            name: _only(reader, coin_margined) if name in _OF_A_SYMBOL else reader
            for name, reader in _EVENTS.items()
        }
    )


def _only(
    reader: Callable[[bytes], list[Any]], coin_margined: bool
) -> Callable[[bytes], list[Any]]:
    def is_other(report: Any) -> bool:
        symbol = getattr(report, "symbol", None)
        return symbol is not None and is_coin_margined(symbol) != coin_margined

    def read(payload: bytes) -> list[Any]:
        reports = reader(payload)
        for each in reports:
            if is_other(each):
                break
        else:
            return reports
        kept = [each for each in reports if not is_other(each)]
        # Balances that moved with a position of the other market are in its wallet.
        ours = any(getattr(each, "symbol", None) is not None for each in kept)
        return kept if ours else [Ignored(kind="another market")]

    return read


FUTURES_EVENTS = of_market(coin_margined=False)
"""Those of USD-M."""
