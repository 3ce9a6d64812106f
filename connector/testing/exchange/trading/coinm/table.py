"""Every method of COIN-M that concerns an account: those of USD-M, with its own paths and weights.

Source: binance_trading §12, for weights since the merge of 2026-06-30; account and balance weigh
what their pages say.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from connector.testing.exchange.trading.coinm.wallets import CoinmWallets
from connector.testing.exchange.trading.exchange_state import House
from connector.testing.exchange.trading.methods import Method
from connector.testing.exchange.trading.usdm.table import ORDER_NAMES, UsdmMethods
from connector.testing.exchange.trading.usdm.wallets import UsdmWallets
from connector.testing.exchange.trading.waiting import WaitingOrders

CONDITIONAL_NAMES = frozenset(("stopPrice", "closePosition", "activationPrice", "callbackRate"))


@attrs.define(eq=False)
class CoinmMethods:
    """Every method of COIN-M that concerns an account."""

    house: House
    waiting: WaitingOrders = attrs.field(init=False)
    table: Mapping[str, Method] = attrs.field(init=False)
    routes: Mapping[tuple[str, str], str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.waiting = WaitingOrders(self.house)
        shared, wallets = UsdmMethods(self.house), CoinmWallets(self.house, UsdmWallets(self.house))
        table = {name: each for name, each in shared.table.items() if not _is_algo(name)}
        for name in ("order.place", "order.test"):
            # No GTD, and conditional types go here (§12).
            names = (ORDER_NAMES - {"goodTillDate"}) | CONDITIONAL_NAMES
            table[name] = attrs.evolve(table[name], names=names)
        self.table = table | {
            "account.status": Method(act=wallets.account, weight=5),
            "account.balance": Method(act=wallets.balances, weight=1),
            "account.position": Method(act=wallets.positions, weight=1),
        }
        routes = {
            route: name
            for route, name in shared.routes.items()
            if route[1].startswith("/v1/") and not _is_algo(name)
        }
        self.routes = routes | {
            ("GET", "/v1/account"): "account.status",
            ("GET", "/v1/balance"): "account.balance",
            ("GET", "/v1/positionRisk"): "account.position",
        }


def _is_algo(name: str) -> bool:
    """USD-M has conditional orders as a system of their own."""
    return "algo" in name.lower()
