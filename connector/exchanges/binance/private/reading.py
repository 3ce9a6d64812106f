"""What Binance sends, turned into reports.

Source: binance_trading §3, §4, §8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from connector.decimals import ZERO, quotient
from connector.exchanges.binance.private import shapes
from connector.exchanges.protocol import UNDECODABLE
from connector.orders import Leg, Side
from connector.trading.reports import (
    BalanceChange,
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
from connector.trading.venue import Answer, Heard, Refusal, Shutdown, Window

T = TypeVar("T")

NS_PER_MS = 1_000_000

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
_WITHOUT_PRICE = frozenset(
    {"MARKET", "STOP_LOSS", "TAKE_PROFIT", "STOP_MARKET", "TAKE_PROFIT_MARKET",
     "TRAILING_STOP_MARKET"}
)  # fmt: skip
_CONDITIONAL = frozenset(
    {"STOP", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT", "STOP_MARKET",
     "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"}
)  # fmt: skip
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
"""Field ``er`` in words."""
_INTERVAL_SECONDS: Mapping[str, float] = MappingProxyType(
    {"SECOND": 1.0, "MINUTE": 60.0, "HOUR": 3600.0, "DAY": 86400.0}
)


def decoder(kind: type[T]) -> Callable[[bytes], T]:
    """How to read a payload of that form."""
    return msgspec.json.Decoder(kind, strict=False).decode


_FRAME = decoder(shapes.Frame)
_KIND = decoder(shapes.EventKind)
_ERROR_DATA = decoder(shapes.ErrorData)


def ns(milliseconds: int | None) -> int | None:
    """Milliseconds as nanoseconds."""
    return None if milliseconds is None else milliseconds * NS_PER_MS


def side_of(word: str) -> Side:
    """Binance's word in ours."""
    return "buy" if word == "BUY" else "sell"


def leg_of(word: str) -> Leg | None:
    """Binance's word in ours."""
    return "long" if word == "LONG" else "short" if word == "SHORT" else None


# --- frames


def read_frame(
    frame: bytes, events: Mapping[str, Callable[[bytes], list[Any]]]
) -> tuple[Heard, ...]:
    """What a frame says; `events` reads each kind of event."""
    said = _FRAME(frame)
    payload = bytes(said.event) or bytes(said.data)
    if payload:
        return _read_event(_KIND(payload).kind, payload, events)
    if said.kind:
        return _read_event(said.kind, frame, events)
    return (read_reply(said),)


def _read_event(
    kind: str, payload: bytes, events: Mapping[str, Callable[[bytes], list[Any]]]
) -> tuple[Heard, ...]:
    reader = events.get(kind)
    return (Ignored(kind=kind[:50]),) if reader is None else tuple(reader(payload))


def read_reply(said: shapes.Frame) -> Answer:
    """A reply to a request of the WebSocket API."""
    status = 200 if said.status is None else said.status
    refusal: Refusal | None = None
    if said.error is not None or status != 200:
        error = said.error or shapes.Error()
        refusal = Refusal(status, error.code, error.msg, retry_at_ns=_retry_at(error.data))
    return Answer(
        said.id if isinstance(said.id, int) else None,
        bytes(said.result),
        refusal,
        tuple(
            (Window(each.limit, each.interval_num * _INTERVAL_SECONDS[each.interval]), each.count)
            for each in said.rate_limits
            if each.rate_limit_type == "ORDERS" and each.interval in _INTERVAL_SECONDS
        ),
    )


def _retry_at(data: msgspec.Raw) -> int | None:
    try:
        return ns(_ERROR_DATA(bytes(data)).retry_after)
    except UNDECODABLE:
        return None


_REST_ERROR = decoder(shapes.Error)


def rest_refusal(status: int, body: bytes, headers: Mapping[str, str]) -> Refusal | None:
    """What a response over REST refuses."""
    if status == 200:
        return None
    try:
        error = _REST_ERROR(body)
    except UNDECODABLE:
        error = shapes.Error(None, body[:200].decode("utf-8", "backslashreplace"))
    after = headers.get("retry-after", "")
    return Refusal(
        status, error.code, error.msg, retry_after=float(after) if after.isdecimal() else None
    )


# --- orders and trades


def order_report(order: shapes.Order) -> OrderReport:
    """An order in a reply or a list."""
    executed = order.executed_qty or ZERO
    spent = order.cummulative_quote_qty
    complete = bool(order.status and order.side and order.orig_qty is not None)
    conditional = (order.orig_type or order.type) in _CONDITIONAL
    return OrderReport(
        symbol=order.symbol,
        client_id=order.orig_client_order_id or order.client_order_id,
        exchange_id=str(order.order_id),
        side=side_of(order.side),
        leg=leg_of(order.position_side),
        state=STATES.get(order.status, "open"),
        price=None if order.type in _WITHOUT_PRICE else order.price,
        quantity=order.orig_qty or None,
        filled=executed,
        average_price=quotient(spent, executed) if spent and executed else None,
        reduce_only=order.reduce_only,
        conditional=conditional and order.is_working is not True,
        time_ns=ns(order.update_time or order.transact_time),
        created_ns=ns(order.time),
        partial=not complete,
    )


def algo_report(order: shapes.AlgoOrder) -> OrderReport:
    """A conditional order in a list."""
    return OrderReport(
        symbol=order.symbol,
        client_id=order.client_algo_id,
        exchange_id=f"algo:{order.algo_id}",
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


# --- events of spot


_EXECUTION = decoder(shapes.ExecutionReport)
_ACCOUNT_POSITION = decoder(shapes.AccountPosition)
_BALANCE = decoder(shapes.BalanceDelta)


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
            side=side_of(event.side),
            price=event.last_price,
            quantity=event.last_quantity,
            cumulative=event.cumulative,
            fee=event.fee,
            fee_asset=event.fee_asset,
            maker=event.maker,
            time_ns=ns(event.time),
        )
    reasons = (event.expiry_reason, event.reject_reason)
    return [
        OrderReport(
            symbol=event.symbol,
            client_id=client_id,
            exchange_id=str(event.order_id),
            side=side_of(event.side),
            state=STATES.get(event.status, "open"),
            price=None if event.type in _WITHOUT_PRICE else event.price,
            quantity=event.quantity or None,
            filled=event.cumulative,
            average_price=quotient(event.cumulative_quote, event.cumulative)
            if event.cumulative
            else None,
            conditional=event.type in _CONDITIONAL and not event.on_book,
            reason=next((each for each in reasons if each not in ("", "NONE")), ""),
            time_ns=ns(event.time),
            created_ns=ns(event.created),
            fill=fill,
        )
    ]


def _account_position(payload: bytes) -> list[Report]:
    event = _ACCOUNT_POSITION(payload)
    return [
        BalanceReport(
            asset=each.asset,
            total=each.free + each.locked,
            available=each.free,
            locked=each.locked,
            time_ns=ns(event.updated),
        )
        for each in event.balances
    ]


def _balance_change(payload: bytes) -> list[Report]:
    event = _BALANCE(payload)
    return [
        BalanceChange(
            asset=event.asset, change=event.change, reason="transfer", time_ns=ns(event.time)
        )
    ]


def _stream_terminated(_: bytes) -> list[Report]:
    return [StreamEnded(reason="the exchange ended the subscription")]


def _shutdown(_: bytes) -> list[Shutdown]:
    return [Shutdown()]


SPOT_EVENTS: Mapping[str, Callable[[bytes], list[Any]]] = MappingProxyType(
    {
        "executionReport": _execution_report,
        "outboundAccountPosition": _account_position,
        "balanceUpdate": _balance_change,
        "externalLockUpdate": _balance_change,
        "eventStreamTerminated": _stream_terminated,
        "serverShutdown": _shutdown,
    }
)
"""Events of spot by name."""


# --- events of futures


_ORDER_UPDATE = decoder(shapes.OrderTradeUpdate)
_TRADE_LITE = decoder(shapes.TradeLite)
_ACCOUNT_UPDATE = decoder(shapes.AccountUpdate)
_ALGO_UPDATE = decoder(shapes.AlgoUpdate)
_CONFIG_UPDATE = decoder(shapes.ConfigUpdate)


def _order_trade_update(payload: bytes) -> list[Report]:
    event = _ORDER_UPDATE(payload)
    order = event.order
    fill = None
    # A liquidation trades under CALCULATED.
    if order.execution in ("TRADE", "CALCULATED") and order.last_quantity > 0:
        fill = FillReport(
            symbol=order.symbol,
            trade_id=str(order.trade_id),
            exchange_id=str(order.order_id),
            client_id=order.client_id,
            side=side_of(order.side),
            leg=leg_of(order.position_side),
            price=order.last_price,
            quantity=order.last_quantity,
            cumulative=order.cumulative,
            fee=order.fee,
            fee_asset=order.fee_asset,
            maker=order.maker,
            realised=order.realised,
            time_ns=ns(order.time),
        )
    reported = STATES.get(order.status)
    if reported is None:
        # NEW_INSURANCE and NEW_ADL: taken over at once.
        reported = "filled" if order.cumulative >= order.quantity else "open"
    return [
        OrderReport(
            symbol=order.symbol,
            client_id=order.client_id,
            exchange_id=str(order.order_id),
            side=side_of(order.side),
            leg=leg_of(order.position_side),
            state=reported,
            price=None if order.type in _WITHOUT_PRICE else order.price,
            quantity=order.quantity or None,
            filled=order.cumulative,
            average_price=order.average_price or None,
            reduce_only=order.reduce_only,
            conditional=order.type in _CONDITIONAL and order.cumulative == 0,
            reason=_FUTURES_EXPIRY.get(str(order.expiry_reason), ""),
            time_ns=ns(event.time),
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
            side=side_of(event.side),
            price=event.last_price,
            quantity=event.last_quantity,
            maker=event.maker,
            time_ns=ns(event.time),
            early=True,
        )
    ]


def _account_update(payload: bytes) -> list[Report]:
    event = _ACCOUNT_UPDATE(payload)
    change, time_ns = event.change, ns(event.time)
    reports: list[Report] = [
        BalanceReport(
            asset=each.asset, total=each.wallet_balance, reason=change.reason, time_ns=time_ns
        )
        for each in change.balances
    ]
    reports += [
        PositionReport(
            symbol=each.symbol,
            leg=leg_of(each.position_side),
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
    return amount if position_side == "BOTH" else abs(amount)


def _algo_update(payload: bytes) -> list[Report]:
    event = _ALGO_UPDATE(payload)
    order = event.order
    return [
        OrderReport(
            symbol=order.symbol,
            client_id=order.client_id,
            exchange_id=f"algo:{order.algo_id}",
            side=side_of(order.side),
            leg=leg_of(order.position_side),
            state=_ALGO_STATES.get(order.status, "open"),
            price=order.price or None,
            quantity=order.quantity or None,
            reduce_only=order.reduce_only,
            conditional=True,
            reason=order.reason,
            time_ns=ns(event.time),
        )
    ]


def _config_update(payload: bytes) -> list[Report]:
    if bytes(_CONFIG_UPDATE(payload).assets):
        return [ModeChanged(what="the multi-asset mode")]
    return [Ignored(kind="leverage")]


def _listen_key_expired(_: bytes) -> list[Report]:
    return [StreamEnded(reason="the listen key has expired")]


FUTURES_EVENTS: Mapping[str, Callable[[bytes], list[Any]]] = MappingProxyType(
    {
        "ORDER_TRADE_UPDATE": _order_trade_update,
        "TRADE_LITE": _trade_lite,
        "ACCOUNT_UPDATE": _account_update,
        "ALGO_UPDATE": _algo_update,
        "ACCOUNT_CONFIG_UPDATE": _config_update,
        "listenKeyExpired": _listen_key_expired,
        "serverShutdown": _shutdown,
    }
)
"""Events of futures by name."""
