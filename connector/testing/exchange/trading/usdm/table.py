"""Every method of USD-M that concerns an account, with its weight and its routes.

Source: binance_trading §2.2, §5.3, §8, §9; binance_usdm §7, §8.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from connector.testing.exchange.trading.exchange_state import House
from connector.testing.exchange.trading.methods import Call, Method
from connector.testing.exchange.trading.parameters import flag_of, text_of, whole_of
from connector.testing.exchange.trading.refusals import refusal
from connector.testing.exchange.trading.usdm.conditional import ConditionalOrders
from connector.testing.exchange.trading.usdm.orders import UsdmOrders
from connector.testing.exchange.trading.usdm.queries import UsdmQueries
from connector.testing.exchange.trading.usdm.wallets import UsdmWallets

ONE_ORDER: Mapping[str, int] = {}
BATCH_ORDERS = {"10S": 5, "1M": 1}
"""A batch counts five in the ten seconds and one in the minute (§5.3)."""
ORDER_NAMES = frozenset(
    (
        "symbol", "side", "positionSide", "type", "timeInForce", "quantity", "price", "reduceOnly",
        "newClientOrderId", "newOrderRespType", "selfTradePreventionMode", "goodTillDate",
    )
)  # fmt: skip
NAMING = frozenset(("symbol", "orderId", "origClientOrderId"))


@attrs.define(eq=False)
class UsdmMethods:
    """Every method of USD-M that concerns an account."""

    house: House
    conditional: ConditionalOrders = attrs.field(init=False)
    table: Mapping[str, Method] = attrs.field(init=False)
    routes: Mapping[tuple[str, str], str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        orders, queries = UsdmOrders(self.house), UsdmQueries(self.house)
        wallets = UsdmWallets(self.house)
        self.conditional = algo = ConditionalOrders(self.house, orders)
        self.table = {
            "order.place": Method(
                act=orders.place, orders=ONE_ORDER, weight=0, engine=True, names=ORDER_NAMES
            ),
            "order.test": Method(act=orders.test, names=ORDER_NAMES),
            "order.modify": Method(
                act=orders.modify, orders=ONE_ORDER, weight=0, engine=True,
                names=NAMING | {"side", "quantity", "price", "modifyId", "reduceOnly"},
            ),
            "order.cancel": Method(act=orders.cancel, engine=True, names=NAMING),
            "openOrders.cancelAll": Method(act=orders.cancel_all, engine=True),
            "batchOrders.place": Method(
                act=orders.place_batch, orders=BATCH_ORDERS, weight=5, engine=True
            ),
            "batchOrders.modify": Method(
                act=orders.modify_batch, orders=BATCH_ORDERS, weight=5, engine=True
            ),
            "batchOrders.cancel": Method(act=orders.cancel_batch, engine=True),
            "countdownCancelAll": Method(act=orders.count_down, weight=10),
            "order.status": Method(act=queries.order, names=NAMING),
            "openOrder": Method(act=queries.open_order, names=NAMING),
            "openOrders.status": Method(act=queries.open_orders, weight_of_all=40),
            "allOrders": Method(act=queries.all_orders, weight=5),
            "orderAmendment": Method(act=queries.amendments),
            "userTrades": Method(act=queries.trades, weight=5),
            "account.status": Method(act=wallets.account, weight=5),
            "account.balance": Method(act=wallets.balances, weight=5),
            "account.position": Method(act=wallets.positions, weight=5),
            "income": Method(act=wallets.income, weight=30),
            "positionSide.status": Method(act=self.position_mode, weight=30),
            "positionSide.change": Method(act=self.change_position_mode),
            "leverage": Method(act=self.change_leverage),
            "algoOrder.place": Method(act=algo.place, weight=0),
            "algoOrder.cancel": Method(act=algo.cancel),
            "algoOrder.status": Method(act=algo.query),
            "openAlgoOrders.status": Method(act=algo.open_orders, weight_of_all=40),
            "allAlgoOrders": Method(act=algo.all_orders, weight=5),
            "openAlgoOrders.cancelAll": Method(act=algo.cancel_all),
            "session.logon": Method(act=self.log_on, weight=2),
            "session.status": Method(act=self.session, security="session", weight=2),
            "session.logout": Method(act=self.log_out, security="session", weight=2),
            "userDataStream.start": Method(act=self.open_key, security="key"),
            "userDataStream.ping": Method(act=self.extend_key, security="key"),
            "userDataStream.stop": Method(act=self.close_key, security="key"),
        }  # fmt: skip
        self.routes = {
            ("POST", "/v1/order"): "order.place",
            ("POST", "/v1/order/test"): "order.test",
            ("PUT", "/v1/order"): "order.modify",
            ("DELETE", "/v1/order"): "order.cancel",
            ("GET", "/v1/order"): "order.status",
            ("GET", "/v1/openOrder"): "openOrder",
            ("GET", "/v1/openOrders"): "openOrders.status",
            ("DELETE", "/v1/allOpenOrders"): "openOrders.cancelAll",
            ("POST", "/v1/batchOrders"): "batchOrders.place",
            ("PUT", "/v1/batchOrders"): "batchOrders.modify",
            ("DELETE", "/v1/batchOrders"): "batchOrders.cancel",
            ("POST", "/v1/countdownCancelAll"): "countdownCancelAll",
            ("GET", "/v1/allOrders"): "allOrders",
            ("GET", "/v1/orderAmendment"): "orderAmendment",
            ("GET", "/v1/userTrades"): "userTrades",
            ("GET", "/v2/account"): "account.status",
            ("GET", "/v3/account"): "account.status",
            ("GET", "/v2/balance"): "account.balance",
            ("GET", "/v3/balance"): "account.balance",
            ("GET", "/v2/positionRisk"): "account.position",
            ("GET", "/v3/positionRisk"): "account.position",
            ("GET", "/v1/income"): "income",
            ("GET", "/v1/positionSide/dual"): "positionSide.status",
            ("POST", "/v1/positionSide/dual"): "positionSide.change",
            ("POST", "/v1/leverage"): "leverage",
            ("POST", "/v1/algoOrder"): "algoOrder.place",
            ("DELETE", "/v1/algoOrder"): "algoOrder.cancel",
            ("GET", "/v1/algoOrder"): "algoOrder.status",
            ("GET", "/v1/openAlgoOrders"): "openAlgoOrders.status",
            ("GET", "/v1/allAlgoOrders"): "allAlgoOrders",
            ("DELETE", "/v1/algoOpenOrders"): "openAlgoOrders.cancelAll",
            ("POST", "/v1/listenKey"): "userDataStream.start",
            ("PUT", "/v1/listenKey"): "userDataStream.ping",
            ("DELETE", "/v1/listenKey"): "userDataStream.stop",
        }

    # -- modes ----------------------------------------------------------------------------------

    def position_mode(self, call: Call) -> dict[str, Any]:
        """``GET positionSide/dual``."""
        return {"dualSidePosition": call.owner.hedge}

    def change_position_mode(self, call: Call) -> dict[str, Any]:
        """``POST positionSide/dual``: not with open orders or positions."""
        text_of(call.params, "dualSidePosition")
        account, hedge = call.owner, flag_of(call.params, "dualSidePosition")
        if hedge == account.hedge:
            raise refusal("no_side_change")
        if account.open_orders:
            raise refusal("side_change_orders")
        if any(position.quantity for position in account.positions.values()):
            raise refusal("side_change_position")
        account.hedge = hedge
        return {"code": 200, "msg": "success"}

    def change_leverage(self, call: Call) -> dict[str, Any]:
        """``POST leverage``; told as ``ACCOUNT_CONFIG_UPDATE``."""
        symbol = self.house.instrument(text_of(call.params, "symbol")).symbol
        leverage = whole_of(call.params, "leverage")
        if leverage is None or not 1 <= leverage <= 125:
            raise refusal("parameter", "leverage")
        call.owner.leverage[symbol] = leverage
        now_ms = self.house.clock_ms()
        self.house.streams.tell(
            call.owner,
            {
                "e": "ACCOUNT_CONFIG_UPDATE",
                "E": now_ms,
                "T": now_ms,
                "ac": {"s": symbol, "l": leverage},
            },
        )
        return {"symbol": symbol, "leverage": leverage, "maxNotionalValue": "1000000"}

    # -- sessions and listen keys ---------------------------------------------------------------

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
        assert call.session is not None  # the security of the method says so
        call.session.log_out()
        return call.session.described()

    def open_key(self, call: Call) -> dict[str, Any]:
        """``POST listenKey``: the key that is active, or a new one."""
        return {"listenKey": self.house.streams.keys.open(call.owner.name, self.house.clock_ms())}

    def extend_key(self, call: Call) -> dict[str, Any]:
        """``PUT listenKey``."""
        text = self.house.streams.keys.extend(call.owner.name, self.house.clock_ms())
        return {"listenKey": text}

    def close_key(self, call: Call) -> dict[str, Any]:
        """``DELETE listenKey``: ends the stream for all connections that use it (§2.2)."""
        self.house.streams.keys.close(call.owner.name)
        self.house.streams.deafen(call.owner.name)
        return {}
