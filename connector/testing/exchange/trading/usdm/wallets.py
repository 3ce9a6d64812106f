"""Queries of a USD-M account about balances and positions; COIN-M shares most of them.

Source: binance_trading §8; binance_usdm §8.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

import attrs

from connector.testing.exchange.trading.accounts import AccountView, Position, SimulatedAccount
from connector.testing.exchange.trading.exchange_state import House
from connector.testing.exchange.trading.methods import Call
from connector.testing.exchange.trading.orders import ZERO
from connector.testing.exchange.trading.parameters import whole_of
from connector.testing.exchange.trading.usdm import reports
from connector.testing.exchange.trading.usdm.clearing import UsdmClearing


@attrs.define(eq=False)
class UsdmWallets:
    """The queries about balances and positions."""

    house: House

    def _view(self, call: Call) -> AccountView:
        return self.house.view(call.owner)

    def assets(self, call: Call) -> list[dict[str, Any]]:
        """The contents of each wallet."""
        view, account = self._view(call), call.owner
        profits: dict[str, Decimal] = {}
        for position in view.positions.values():
            asset = self.house.instrument(position.symbol).settles_in
            profit = position.profit(self.house.floor.mark(position.symbol))
            profits[asset] = profits.get(asset, ZERO) + profit
        return [
            self._asset(account, asset, total, profits.get(asset, ZERO), view.updated_ms)
            for asset, total in view.wallet.items()
        ]

    def _asset(
        self,
        account: SimulatedAccount,
        asset: str,
        total: Decimal,
        profit: Decimal,
        updated_ms: int,
    ) -> dict[str, Any]:
        clearing, text = cast("UsdmClearing", self.house.clearing), reports.eight
        positions, orders, maintenance = clearing.margins(account, asset)
        available = text(max(ZERO, clearing.available(account, asset)))
        return {
            "asset": asset,
            "walletBalance": text(total),
            "unrealizedProfit": text(profit),
            "marginBalance": text(total + profit),
            "maintMargin": text(maintenance),
            "initialMargin": text(positions + orders),
            "positionInitialMargin": text(positions),
            "openOrderInitialMargin": text(orders),
            "crossWalletBalance": text(total),
            "crossUnPnl": text(profit),
            "availableBalance": available,
            "maxWithdrawAmount": available,
            "marginAvailable": True,
            "updateTime": updated_ms,
        }

    def account(self, call: Call) -> dict[str, Any]:
        """``account.status``: totals, assets and positions."""
        assets = self.assets(call)

        def total(name: str) -> str:
            return reports.eight(sum((Decimal(each[name]) for each in assets), ZERO))

        return {
            "feeTier": 0,
            "canTrade": True,
            "canDeposit": True,
            "canWithdraw": True,
            "multiAssetsMargin": False,
            "totalInitialMargin": total("initialMargin"),
            "totalMaintMargin": total("maintMargin"),
            "totalPositionInitialMargin": total("positionInitialMargin"),
            "totalOpenOrderInitialMargin": total("openOrderInitialMargin"),
            "totalWalletBalance": total("walletBalance"),
            "totalUnrealizedProfit": total("unrealizedProfit"),
            "totalMarginBalance": total("marginBalance"),
            "totalCrossWalletBalance": total("crossWalletBalance"),
            "totalCrossUnPnl": total("crossUnPnl"),
            "availableBalance": total("availableBalance"),
            "maxWithdrawAmount": total("maxWithdrawAmount"),
            "assets": assets,
            "positions": [
                {
                    "symbol": each["symbol"],
                    "positionSide": each["positionSide"],
                    "positionAmt": each["positionAmt"],
                    "unrealizedProfit": each["unRealizedProfit"],
                    "notional": each["notional"],
                    "updateTime": each["updateTime"],
                }
                for each in self.positions(call)
            ],
        }

    def balances(self, call: Call) -> list[dict[str, Any]]:
        """``account.balance``."""
        return [
            {
                "accountAlias": "SgsR",
                "asset": each["asset"],
                "balance": each["walletBalance"],
                "crossWalletBalance": each["crossWalletBalance"],
                "crossUnPnl": each["crossUnPnl"],
                "availableBalance": each["availableBalance"],
                "maxWithdrawAmount": each["maxWithdrawAmount"],
                "marginAvailable": True,
                "updateTime": each["updateTime"],
            }
            for each in self.assets(call)
        ]

    def positions(self, call: Call) -> list[dict[str, Any]]:
        """``account.position``: symbols with a position or orders; absence is flat (§8)."""
        view, wanted = self._view(call), call.params.get("symbol")
        ordered = {order.symbol for order in view.open_orders}
        rows: list[Position] = []
        for symbol in self.house.instruments:
            if wanted not in (None, symbol):
                continue
            held = [each for each in view.positions.values() if each.symbol == symbol]
            if any(each.quantity for each in held) or symbol in ordered:
                rows += self._rows_of(call, symbol, view)
        return [self._risk(each, call) for each in rows]

    def _rows_of(self, call: Call, symbol: str, view: AccountView) -> list[Position]:
        if not call.owner.hedge:
            return [view.positions.get((symbol, "BOTH"), Position(symbol=symbol))]
        both = (
            view.positions.get((symbol, side), Position(symbol=symbol, side=side))
            for side in ("LONG", "SHORT")
        )
        ordered = {each.position_side for each in view.open_orders if each.symbol == symbol}
        return [each for each in both if each.quantity or each.side in ordered]

    def _risk(self, position: Position, call: Call) -> dict[str, Any]:
        instrument = self.house.instrument(position.symbol)
        mark = self.house.floor.mark(position.symbol)
        clearing = cast("UsdmClearing", self.house.clearing)
        value = position.quantity * mark
        margin = reports.eight(abs(value) / clearing.leverage(call.owner, position.symbol))
        return {
            "symbol": position.symbol,
            "positionSide": position.side,
            "positionAmt": instrument.quantity_text(position.quantity),
            "entryPrice": reports.plain(round(position.entry_price, 8)),
            "breakEvenPrice": reports.plain(round(position.entry_price, 8)),
            "markPrice": reports.eight(mark),
            "unRealizedProfit": reports.eight(position.profit(mark)),
            "liquidationPrice": "0",
            "isolatedMargin": "0",
            "notional": reports.eight(value),
            "marginAsset": instrument.quote,
            "isolatedWallet": "0",
            "initialMargin": margin,
            "maintMargin": reports.eight(abs(value) * instrument.maintenance),
            "positionInitialMargin": margin,
            "openOrderInitialMargin": "0",
            "adl": 0,
            "bidNotional": "0",
            "askNotional": "0",
            "updateTime": position.updated_ms,
        }

    def income(self, call: Call) -> list[dict[str, Any]]:
        """``GET income``: funding fees, and other payments without a trade."""
        kind, symbol = call.params.get("incomeType"), call.params.get("symbol")
        start, end = whole_of(call.params, "startTime"), whole_of(call.params, "endTime")
        return [
            {
                "symbol": of,
                "incomeType": what,
                "income": reports.eight(amount),
                "asset": asset,
                "info": what,
                "time": ms,
                "tranId": ms,
                "tradeId": "",
            }
            for ms, what, of, asset, amount in call.owner.income
            if kind in (None, what)
            and symbol in (None, of)
            and (start or 0) <= ms
            and (end is None or ms <= end)
        ]
