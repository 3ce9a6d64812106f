"""The private side of Binance USDⓈ-M futures: a listen key, orders over the WebSocket API.

The listen key is fetched over REST and opens the private stream in its query form, which is the one
that works on production. It expires after an hour without a renewal, perhaps in silence.

Source: binance_trading §2.2, §4, §5.3.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import quote

from connector.accounts import Summary
from connector.errors import ConfigError, OrderInvalid
from connector.exchanges.binance.private import (
    reading,
    refusals,
    replies,
    requests,
    shapes,
    usdm_events,
)
from connector.exchanges.binance.private.terms import BinanceTrading, Terms
from connector.exchanges.binance.signing import Parameter
from connector.inputs.decimals import written
from connector.orders import Intent, Limit
from connector.trading.reports import BalanceReport, OrderReport, PositionReport
from connector.trading.venue import (
    AccountReading,
    Constants,
    Promises,
    Request,
    StreamAccess,
    Token,
    Window,
)

CONSTANTS = Constants(
    engine_seconds=2.0,
    settle_seconds=2.0,
    largest_window_seconds=60.0,
    trades_span_seconds=7 * 86_400.0,
    source="binance_trading §7: the engine checks the window, too (-5028); 2 s after its end, and "
    "2 s for events and lists of trades, are assumed",
)
PROMISES = Promises(
    dead_man="symbol",
    # An amended order always goes to the back of the queue, under the same ids.
    amends=frozenset({"quantity", "price"}),
    # A separate system with a separate limit (binance_trading §5.3).
    conditional_count=False,
    quote_quantity=False,
)
ORDER_WINDOWS = (Window(300, 10.0), Window(1200, 60.0))
"""Source: binance_trading §9; limits in replies replace them."""

RENEW_SECONDS = 20 * 60.0
EXPIRE_SECONDS = 55 * 60.0
"""The key lives 60 min; source: binance_trading §2.2."""

_SELF_TRADE_PREVENTION = "EXPIRE_TAKER"
"""Always sent, because the documentation contradicts itself on the default (binance_trading
§5.3)."""

_ACCOUNT = reading.decoder(shapes.FuturesAccount)
_POSITIONS = reading.decoder(list[shapes.PositionRisk])
_MODE = reading.decoder(shapes.PositionMode)
_ALGO_ORDERS = reading.decoder(list[shapes.AlgoOrder])
_KEY = reading.decoder(shapes.ListenKey)


def _read_account(payload: bytes) -> AccountReading:
    account = _ACCOUNT(payload)
    return AccountReading(
        balances=tuple(
            BalanceReport(
                asset=each.asset,
                total=each.wallet_balance,
                available=each.available_balance,
                time_ns=reading.ns(each.update_time or None),
            )
            for each in account.assets
        ),
        summary=Summary(
            asset="USD",
            equity=account.total_margin_balance,
            available=account.available_balance,
            unrealised=account.total_unrealized_profit,
            initial_margin=account.total_initial_margin,
            maintenance_margin=account.total_maint_margin,
        ),
    )


def read_positions(payload: bytes) -> AccountReading:
    """``positionRisk``: positions, flat ones too where they are listed."""
    return AccountReading(
        balances=(),
        positions=tuple(
            PositionReport(
                symbol=each.symbol,
                leg=reading.leg_of(each.position_side),
                quantity=each.position_amt
                if each.position_side == "BOTH"
                else each.position_amt.copy_abs(),
                entry_price=each.entry_price or None,
                unrealised=each.unrealized,
                mark_price=each.mark_price or None,
                time_ns=reading.ns(each.update_time or None),
            )
            for each in _POSITIONS(payload)
        ),
    )


def read_mode(payload: bytes) -> AccountReading:
    """``positionSide/dual``."""
    return AccountReading(balances=(), hedge_mode=_MODE(payload).dual_side_position)


def _read_algo_orders(payload: bytes) -> tuple[OrderReport, ...]:
    return tuple(map(reading.algo_report, _ALGO_ORDERS(payload)))


def _read_key(payload: bytes) -> str:
    return _KEY(payload).listen_key


def listen_key(prefix: str) -> Token:
    """The key to the private stream, behind this prefix of REST.

    It is never deleted, because other programs on the account may use the same key.
    """
    path = f"{prefix}/listenKey"
    return Token(
        fetch=_listen_key(f"POST {path}", _read_key),
        renew=lambda _: _listen_key(f"PUT {path}", requests.read_nothing),
        renew_seconds=RENEW_SECONDS,
        expire_seconds=EXPIRE_SECONDS,
    )


def _listen_key(method: str, decode: Any) -> Request[Any]:
    return Request(
        what="listen key",
        over="rest",
        method=method,
        parameters={},
        decode=decode,
        signing="key",
        weight=1,
    )


def _stream(base: str, token: str) -> StreamAccess:
    """The private route, in the form that is not silent on production."""
    return StreamAccess(url=f"{base}/private/ws?listenKey={quote(token, safe='')}")


def place(intent: Intent, symbol: str, client_id: str) -> Request[OrderReport]:
    """``order.place``."""
    side = intent.side
    parameters: dict[str, Parameter] = {"symbol": symbol, "side": requests.SIDES[side]}
    if intent.leg is not None:
        parameters["positionSide"] = intent.leg.upper()
        closes = side == ("sell" if intent.leg == "long" else "buy")
        if intent.reduce_only and not closes:
            raise OrderInvalid(f"reduce_only: a {side} does not reduce the {intent.leg} leg")
    elif intent.reduce_only:
        # In hedge mode it is not taken: the leg and the side say it.
        parameters["reduceOnly"] = "true"
    if isinstance(intent, Limit):
        post_only, in_force = intent.post_only, intent.time_in_force
        parameters["type"] = "LIMIT"
        parameters["timeInForce"] = "GTX" if post_only else in_force
        parameters["quantity"] = written(intent.quantity)
        parameters["price"] = written(intent.price)
        parameters["newClientOrderId"] = client_id
        if in_force != "FOK" and not post_only:
            parameters["selfTradePreventionMode"] = _SELF_TRADE_PREVENTION
        return requests.place(parameters, weight=0)
    if intent.quote_quantity is not None:
        raise ConfigError(f"{symbol}: futures have no quote_quantity; write quantity")
    parameters["type"] = "MARKET"
    parameters |= requests.quantities(intent)
    parameters["newClientOrderId"] = client_id
    return requests.place(parameters, weight=0)


def amend(
    placed: Intent, symbol: str, client_id: str, quantity: Decimal, price: Decimal
) -> Request[OrderReport | None]:
    """``order.modify``: quantity in total and price, both required."""
    return Request(
        what="amend",
        over="orders",
        method="order.modify",
        parameters={
            "symbol": symbol,
            "side": requests.side(placed),
            "origClientOrderId": client_id,
            "quantity": requests.number(quantity),
            "price": requests.number(price),
        },
        decode=requests.read_order,
        weight=0,
        orders=1,
    )


def _cancel_conditional(number: int) -> Request[None]:
    return Request(
        what="cancel",
        over="rest",
        method="DELETE /fapi/v1/algoOrder",
        parameters={"algoId": number},
        decode=requests.read_nothing,
        weight=1,
    )


def dead_man(prefix: str) -> Callable[[str, float], Request[None]]:
    """``countdownCancelAll`` behind this prefix of REST."""
    return partial(_dead_man, f"POST {prefix}/countdownCancelAll")


def _dead_man(method: str, symbol: str, seconds: float) -> Request[None]:
    return Request(
        what="dead man",
        over="rest",
        method=method,
        parameters={"symbol": symbol, "countdownTime": round(seconds * 1000)},
        decode=requests.read_nothing,
        weight=10,
    )


def part(what: str, method: str, decode: Any, weight: int) -> Request[AccountReading]:
    """A part of the reading of an account."""
    return Request(
        what=what, over="rest", method=method, parameters={}, decode=decode, weight=weight
    )


USDM = Terms(
    name="binance_usdm",
    constants=CONSTANTS,
    promises=PROMISES,
    order_windows=ORDER_WINDOWS,
    prefix="/fapi/v1",
    orders_path="/ws-fapi/v1",
    order_weight=1,
    orders_weight=5,
    lists_all_orders=True,
    trades="/userTrades",
    trades_weight=5,
    order_limits=Request(
        what="order limits",
        over="rest",
        method="GET /fapi/v1/exchangeInfo",
        parameters={},
        decode=replies.read_limits,
        signing="open",
        weight=1,
    ),
    # Conditional orders are a system of their own.
    open_orders=(
        requests.open_orders("/fapi/v1/openOrders", 40),
        Request(
            what="open conditional orders",
            over="rest",
            method="GET /fapi/v1/openAlgoOrders",
            parameters={},
            decode=_read_algo_orders,
            weight=40,
        ),
    ),
    reading=(
        part("account", "GET /fapi/v3/account", _read_account, 5),
        part("positions", "GET /fapi/v3/positionRisk", read_positions, 5),
        part("position mode", "GET /fapi/v1/positionSide/dual", read_mode, 30),
    ),
    events=usdm_events.FUTURES_EVENTS,
    refusals=refusals.USDM,
    place=place,
    amend=amend,
    cancel_conditional=_cancel_conditional,
    dead_man=dead_man("/fapi/v1"),
    token=listen_key("/fapi/v1"),
    stream=_stream,
)
"""Source: binance_trading §2.2, §5.3, §8."""


def usdm_trading(*, stream_base: str, orders: str, rest: str) -> BinanceTrading:
    """The private side of USD-M futures at these addresses: bases, without a path."""
    return BinanceTrading(terms=USDM, stream_base=stream_base, orders=orders, rest=rest)
