"""Queries of a spot account (orders, trades, balances), and the methods of its session.

Queries are answered from memory or a database, which may lag behind the engine.
Source: binance_trading §2.1, §7 (4), §8; weights: §7, §8, §9.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from connector.testing.exchange.trading.exchange_state import House
from connector.testing.exchange.trading.methods import Call, Method
from connector.testing.exchange.trading.orders import ZERO, Order
from connector.testing.exchange.trading.parameters import flag_of, text_of, whole_of
from connector.testing.exchange.trading.refusals import refusal
from connector.testing.exchange.trading.spot import reports
from connector.testing.exchange.trading.spot.clearing import locked_by
from connector.testing.exchange.trading.spot.orders import SpotOrders
from connector.testing.exchange.trading.waiting import WaitingOrders

DAY_MS = 86_400_000
MOST_ROWS = 1000
ONE_ORDER: Mapping[str, int] = {}

ORDER_NAMES = frozenset(
    (
        "symbol", "side", "type", "timeInForce", "quantity", "quoteOrderQty", "price",
        "newClientOrderId", "newOrderRespType", "stopPrice", "strategyId", "strategyType",
        "selfTradePreventionMode",
    )
)  # fmt: skip
NAMING = frozenset(("symbol", "orderId", "origClientOrderId"))


def between(params: Mapping[str, str], longest_ms: int) -> tuple[int, int | None]:
    """``startTime`` and ``endTime``.

    Raises:
        Refused: -1127, they are too far apart.
    """
    start, end = whole_of(params, "startTime"), whole_of(params, "endTime")
    if start is not None and end is not None and end - start > longest_ms:
        raise refusal("interval", f"{longest_ms // 3_600_000} hours")
    if start is not None and end is None:
        end = start + longest_ms  # assumed: no more than may be asked for
    return start or 0, end


def rows(params: Mapping[str, str]) -> int:
    """``limit``: how many rows, 500 by default and 1000 at most."""
    limit = whole_of(params, "limit")
    return min(MOST_ROWS, 500 if limit is None else limit)


@attrs.define(eq=False)
class SpotMethods:
    """Every method of spot that concerns an account."""

    house: House
    waiting: WaitingOrders = attrs.field(init=False)
    table: Mapping[str, Method] = attrs.field(init=False)
    routes: Mapping[tuple[str, str], str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        orders = SpotOrders(self.house)
        self.waiting = WaitingOrders(self.house)
        self.table = {
            "order.place": Method(
                act=orders.place, orders=ONE_ORDER, names=ORDER_NAMES, engine=True,
                free_if_accepted=True,
            ),
            "order.test": Method(act=orders.test, names=ORDER_NAMES),
            "order.cancel": Method(
                act=orders.cancel,
                names=NAMING | {"newClientOrderId", "cancelRestrictions"},
                engine=True,
                free_if_accepted=True,
            ),
            "order.cancelReplace": Method(
                act=orders.replace, orders=ONE_ORDER, engine=True, free_if_accepted=True
            ),
            "order.amend.keepPriority": Method(
                act=orders.amend, weight=4, engine=True,
                names=NAMING | {"newClientOrderId", "newQty"},
            ),
            "openOrders.cancelAll": Method(
                act=orders.cancel_all, names=frozenset(("symbol",)), engine=True,
                free_if_accepted=True,
            ),
            "order.status": Method(act=self.order, weight=4, names=NAMING),
            "openOrders.status": Method(act=self.open_orders, weight=6, weight_of_all=80),
            "allOrders": Method(act=self.all_orders, weight=20),
            "myTrades": Method(act=self.trades, weight=20, weight_of_order=5),
            "account.status": Method(act=self.account, weight=20),
            "account.rateLimits.orders": Method(act=self.order_counts, weight=40),
            "session.logon": Method(act=self.log_on, weight=2),
            "session.status": Method(act=self.session, security="session", weight=2),
            "session.logout": Method(act=self.log_out, security="session", weight=2),
            "session.subscriptions": Method(act=self.subscriptions, security="session", weight=2),
            "userDataStream.subscribe": Method(
                act=self.subscribe_session, security="session", weight=2
            ),
            "userDataStream.subscribe.signature": Method(act=self.subscribe, weight=2),
            "userDataStream.unsubscribe": Method(
                act=self.unsubscribe, security="session", weight=2
            ),
        }  # fmt: skip
        self.routes = {
            ("POST", "/order"): "order.place",
            ("POST", "/order/test"): "order.test",
            ("DELETE", "/order"): "order.cancel",
            ("GET", "/order"): "order.status",
            ("POST", "/order/cancelReplace"): "order.cancelReplace",
            ("PUT", "/order/amend/keepPriority"): "order.amend.keepPriority",
            ("GET", "/openOrders"): "openOrders.status",
            ("DELETE", "/openOrders"): "openOrders.cancelAll",
            ("GET", "/allOrders"): "allOrders",
            ("GET", "/myTrades"): "myTrades",
            ("GET", "/account"): "account.status",
            ("GET", "/rateLimit/order"): "account.rateLimits.orders",
        }

    # -- orders and trades ----------------------------------------------------------------------

    def order(self, call: Call) -> dict[str, Any]:
        """``order.status``."""
        order_id, client_id = whole_of(call.params, "orderId"), call.params.get("origClientOrderId")
        if order_id is None and not client_id:
            raise refusal("missing", "origClientOrderId")
        symbol = self._symbol(call)
        return reports.queried(self.house.seen_order(call.owner, symbol, order_id, client_id))

    def _symbol(self, call: Call) -> str:
        return self.house.instrument(text_of(call.params, "symbol")).symbol

    def open_orders(self, call: Call) -> list[dict[str, Any]]:
        """``openOrders.status``: of a symbol, or of all."""
        symbol = self._symbol(call) if call.params.get("symbol") else None
        orders = self.house.view(call.owner).open_orders
        return [reports.queried(order) for order in orders if symbol in (None, order.symbol)]

    def all_orders(self, call: Call) -> list[dict[str, Any]]:
        """``allOrders``: from an order id, or of a day by the time of the last update."""
        symbol, first = self._symbol(call), whole_of(call.params, "orderId")
        start, end = between(call.params, DAY_MS)

        def wanted(order: Order) -> bool:
            if order.symbol != symbol:
                return False
            if first is not None:
                return order.order_id >= first
            return start <= order.updated_ms and (end is None or order.updated_ms <= end)

        found = [order for order in self.house.seen_orders(call.owner) if wanted(order)]
        found = found[: rows(call.params)] if first is not None else found[-rows(call.params) :]
        return [reports.queried(order) for order in found]

    def trades(self, call: Call) -> list[dict[str, Any]]:
        """``myTrades``: from a trade id, of an order, or of a day."""
        symbol, params = self._symbol(call), call.params
        first, order_id = whole_of(params, "fromId"), whole_of(params, "orderId")
        start, end = between(params, DAY_MS)
        if first is not None and (start or end is not None):
            raise refusal("combination")
        seen_ms = self.house.seen_ms()
        found = [
            fill
            for fill in call.owner.fills
            if fill.symbol == symbol
            and fill.ms <= seen_ms
            and fill.trade_id >= (first or 0)
            and order_id in (None, fill.order_id)
            and start <= fill.ms
            and (end is None or fill.ms <= end)
        ]
        found.sort(key=lambda fill: fill.trade_id)
        most = rows(params)
        return [
            reports.traded(fill)
            for fill in (found[:most] if first is not None or start else found[-most:])
        ]

    # -- balances and limits --------------------------------------------------------------------

    def account(self, call: Call) -> dict[str, Any]:
        """``account.status``."""
        account, spec = call.owner, call.owner.spec
        view = self.house.view(account)
        locked = locked_by(view.open_orders, self.house.instruments)
        omit = flag_of(call.params, "omitZeroBalances")
        return {
            "makerCommission": int(spec.maker_fee * 10_000),
            "takerCommission": int(spec.taker_fee * 10_000),
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {
                "maker": reports.eight(spec.maker_fee),
                "taker": reports.eight(spec.taker_fee),
                "buyer": reports.eight(ZERO),
                "seller": reports.eight(ZERO),
            },
            "canTrade": True,
            "canWithdraw": True,
            "canDeposit": True,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": view.updated_ms,
            "accountType": "SPOT",
            "balances": [
                {
                    "asset": asset,
                    "free": reports.eight(total - locked.get(asset, ZERO)),
                    "locked": reports.eight(locked.get(asset, ZERO)),
                }
                for asset, total in view.wallet.items()
                if total or not omit
            ],
            "permissions": ["SPOT"],
            "uid": 354_937_868,
        }

    def order_counts(self, call: Call) -> list[dict[str, Any]]:
        """``account.rateLimits.orders``."""
        return self.house.counts_of(call.owner).described(self.house.clock_ms())

    # -- the session of the WebSocket API -------------------------------------------------------

    def log_on(self, call: Call) -> dict[str, Any]:
        """``session.logon``: only with an Ed25519 key."""
        if call.session is None or call.owner.spec.credentials.kind != "ed25519":
            raise refusal("key")
        call.session.log_on(call.owner)
        return call.session.described()

    def session(self, call: Call) -> dict[str, Any]:
        """``session.status``."""
        assert call.session is not None  # the security of the method says so
        return call.session.described()

    def log_out(self, call: Call) -> dict[str, Any]:
        """``session.logout``."""
        assert call.session is not None
        call.session.log_out()
        return call.session.described()

    def subscriptions(self, call: Call) -> list[dict[str, Any]]:
        """``session.subscriptions``."""
        assert call.session is not None
        return call.session.subscriptions()

    def subscribe_session(self, call: Call) -> dict[str, Any]:
        """``userDataStream.subscribe``: of the account that has logged on."""
        assert call.session is not None
        if call.session.account is None:
            raise refusal("key")
        return {"subscriptionId": call.session.subscribe(call.session.account)}

    def subscribe(self, call: Call) -> dict[str, Any]:
        """``userDataStream.subscribe.signature``: with any key, without a logon."""
        if call.session is None:
            raise refusal("unknown_parameter")
        return {"subscriptionId": call.session.subscribe(call.owner)}

    def unsubscribe(self, call: Call) -> dict[str, Any]:
        """``userDataStream.unsubscribe``: one, or all."""
        assert call.session is not None
        call.session.unsubscribe(whole_of(call.params, "subscriptionId"))
        return {}
