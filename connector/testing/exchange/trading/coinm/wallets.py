"""Balances and positions of a COIN-M account.

There are no totals, because each coin is a separate account. Every traded symbol has a position,
even a flat one. Source: binance_trading §12; what the pages of ``/dapi/v1/account``,
``/dapi/v1/balance`` and ``/dapi/v1/positionRisk`` show.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs

from connector.testing.exchange.trading.accounts import Position
from connector.testing.exchange.trading.exchange_state import House
from connector.testing.exchange.trading.methods import Call
from connector.testing.exchange.trading.orders import PositionSide
from connector.testing.exchange.trading.usdm import reports
from connector.testing.exchange.trading.usdm.wallets import UsdmWallets
from connector.testing.market.coinm_payloads import pair_of

ONE_WAY: tuple[PositionSide, ...] = ("BOTH",)
HEDGE: tuple[PositionSide, ...] = ("BOTH", "LONG", "SHORT")


@attrs.define(eq=False)
class CoinmWallets:
    """The queries about balances and positions."""

    house: House
    wallets: UsdmWallets

    def account(self, call: Call) -> dict[str, Any]:
        """``GET account``."""
        return {
            "assets": [
                {name: value for name, value in each.items() if name != "marginAvailable"}
                for each in self.wallets.assets(call)
            ],
            "positions": self.positions(call),
            "canDeposit": True,
            "canTrade": True,
            "canWithdraw": True,
            "feeTier": 0,
            "updateTime": 0,
        }

    def balances(self, call: Call) -> list[dict[str, Any]]:
        """``GET balance``."""
        return [
            {
                "accountAlias": "SgsR",
                "asset": each["asset"],
                "balance": each["walletBalance"],
                "withdrawAvailable": each["maxWithdrawAmount"],
                "crossWalletBalance": each["crossWalletBalance"],
                "crossUnPnl": each["crossUnPnl"],
                "availableBalance": each["availableBalance"],
                "updateTime": each["updateTime"],
            }
            for each in self.wallets.assets(call)
        ]

    def positions(self, call: Call) -> list[dict[str, Any]]:
        """``GET positionRisk``: of every symbol, a pair or a coin."""
        coin, pair = call.params.get("marginAsset"), call.params.get("pair")
        held = self.house.view(call.owner).positions
        return [
            self._risk(held.get((symbol, side), Position(symbol=symbol, side=side)), call)
            for symbol, instrument in self.house.instruments.items()
            if coin in (None, instrument.settles_in) and pair in (None, pair_of(symbol))
            for side in (HEDGE if call.owner.hedge else ONE_WAY)
        ]

    def _risk(self, position: Position, call: Call) -> dict[str, Any]:
        mark = self.house.floor.mark(position.symbol)
        entry = reports.plain(round(position.entry_price, 8)) if position.quantity else "0.0"
        leverage = call.owner.leverage.get(position.symbol, call.owner.spec.leverage)
        return {
            "symbol": position.symbol,
            "positionAmt": reports.plain(position.quantity),
            "entryPrice": entry,
            "breakEvenPrice": entry,
            "markPrice": reports.eight(mark if position.quantity else Decimal(0)),
            "unRealizedProfit": reports.eight(position.profit(mark)),
            "liquidationPrice": "0",
            "leverage": str(leverage),
            "maxQty": "50",
            "marginType": "cross",
            "isolatedMargin": "0.00000000",
            "isAutoAddMargin": "false",
            "positionSide": position.side,
            "updateTime": position.updated_ms,
        }
