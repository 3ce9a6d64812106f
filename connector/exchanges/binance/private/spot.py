"""The private side of Binance spot: events and orders over the WebSocket API, readings over REST.

There is no listen key: the private stream is subscribed to with a signature, and lives as long as
its connection. There is no dead man's switch.

Source: binance_trading §2.1, §3, §5.1, §5.2.
"""

from __future__ import annotations

from connector.errors import ConfigError
from connector.exchanges.binance.private import (
    reading,
    refusals,
    replies,
    requests,
    shapes,
    spot_events,
)
from connector.exchanges.binance.private.terms import BinanceTrading, Terms
from connector.exchanges.binance.signing import Parameter
from connector.inputs.decimals import plus
from connector.orders import Intent, Limit
from connector.trading.reports import BalanceReport, OrderReport
from connector.trading.venue import (
    AccountReading,
    Constants,
    Promises,
    Request,
    StreamAccess,
    Window,
)

CONSTANTS = Constants(
    engine_seconds=10.0,
    settle_seconds=2.0,
    largest_window_seconds=60.0,
    source="binance_trading §7, §11.2: the API gives up after 10 s; that events and lists of "
    "trades settle within 2 s is assumed",
)
PROMISES = Promises(
    dead_man=None,
    amends=frozenset(),
    quote_quantity=True,
    reduce_only=False,
    margin=False,
)
ORDER_WINDOWS = (Window(50, 10.0), Window(160_000, 86_400.0))
"""Source: binance_trading §9; limits in replies replace them."""

_ACCOUNT = reading.decoder(shapes.SpotAccount)


def _read_account(payload: bytes) -> AccountReading:
    account = _ACCOUNT(payload)
    return AccountReading(
        balances=tuple(
            BalanceReport(
                asset=each.asset,
                total=plus(each.free, each.locked),
                available=each.free,
                locked=each.locked,
                time_ns=reading.ns(account.update_time),
            )
            for each in account.balances
        )
    )


def _stream(url: str, token: str) -> StreamAccess:
    """A connection of the WebSocket API, subscribed with a signature: any kind of key."""
    del token
    return StreamAccess(
        url=url,
        login=Request(
            what="subscribe",
            over="orders",
            method="userDataStream.subscribe.signature",
            parameters={},
            decode=requests.read_nothing,
            weight=2,
        ),
    )


def _place(intent: Intent, symbol: str, client_id: str) -> Request[OrderReport]:
    if intent.reduce_only:
        raise ConfigError("binance_spot has no reduce_only: there are no positions")
    if intent.leg is not None:
        raise ConfigError(f"binance_spot has no hedge mode: leg={intent.leg!r}")
    parameters: dict[str, Parameter] = {"symbol": symbol, "side": requests.side(intent)}
    if not isinstance(intent, Limit):
        parameters["type"] = "MARKET"
        if intent.quote_quantity is not None:
            parameters["quoteOrderQty"] = requests.number(intent.quote_quantity)
    elif intent.post_only:
        # It takes no time in force.
        parameters["type"] = "LIMIT_MAKER"
    else:
        parameters |= {"type": "LIMIT", "timeInForce": intent.time_in_force}
    parameters |= requests.quantities(intent)
    parameters |= {"newClientOrderId": client_id, "newOrderRespType": "RESULT"}
    return requests.place(parameters, weight=1)


SPOT = Terms(
    name="binance_spot",
    constants=CONSTANTS,
    promises=PROMISES,
    order_windows=ORDER_WINDOWS,
    prefix="/api/v3",
    orders_path="/ws-api/v3",
    order_weight=4,
    orders_weight=20,
    trades="/myTrades",
    trades_weight=20,
    order_limits=Request(
        what="order limits",
        over="rest",
        method="GET /api/v3/rateLimit/order",
        parameters={},
        decode=replies.read_used_limits,
        weight=40,
    ),
    open_orders=(requests.open_orders("/api/v3/openOrders", 80),),
    reading=(
        Request(
            what="account",
            over="rest",
            method="GET /api/v3/account",
            parameters={"omitZeroBalances": "true"},
            decode=_read_account,
            weight=20,
        ),
    ),
    events=spot_events.SPOT_EVENTS,
    refusals=refusals.SPOT,
    place=_place,
    stream=_stream,
)
"""Spot has no listen key since 2026-02-20, no dead man's switch (binance_trading §10), and no amend
under the same client id. Conditional orders are listed with the open orders."""


def spot_trading(*, orders: str, rest: str) -> BinanceTrading:
    """The private side of spot at these addresses: bases, without a path."""
    return BinanceTrading(terms=SPOT, orders=orders, rest=rest)
