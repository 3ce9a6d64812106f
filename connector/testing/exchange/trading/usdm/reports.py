"""Events and replies of futures to an account, with the fields of the notes and of captures.

One fill comes as `TRADE_LITE`, `ACCOUNT_UPDATE` and `ORDER_TRADE_UPDATE`, the last two with equal
times. COIN-M has fields of its own, and no `TRADE_LITE`. Source: binance_trading §4, §5.3, §12.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from connector.testing.exchange.trading import coinm
from connector.testing.exchange.trading.accounts import Position, SimulatedAccount
from connector.testing.exchange.trading.instruments import Instrument
from connector.testing.exchange.trading.orders import ZERO, Execution, Fill, Order
from connector.testing.exchange.trading.streams import Streams


def eight(number: Decimal) -> str:
    """Eight decimals, as wallets are written."""
    return f"{number:.8f}"


def plain(number: Decimal) -> str:
    """Without trailing zeros: they are not guaranteed (binance_usdm §4)."""
    return f"{number.normalize():f}" if number else "0"


def order_trade_update(
    execution: Execution, instrument: Instrument, notionals: tuple[Decimal, Decimal], now_ms: int
) -> dict[str, Any]:
    """``ORDER_TRADE_UPDATE``; `notionals` are the open orders of both sides, by value."""
    order, fill = execution.order, execution.fill
    price = instrument.price_text
    inner: dict[str, Any] = {
        "s": order.symbol,
        "c": order.client_id,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": instrument.quantity_text(order.quantity),
        "p": price(order.price) if order.price else "0",
        "ap": plain(round(order.average_price, 8)),
        "sp": price(order.stop_price) if order.stop_price else "0",
        "x": execution.kind,
        "X": order.status,
        "i": order.order_id,
        "l": plain(fill.quantity if fill else ZERO),
        "z": plain(order.filled),
        "L": price(fill.price) if fill else "0",
    }
    if fill is not None:
        inner |= {"n": eight(fill.fee), "N": fill.fee_asset}
    inner |= {
        "T": execution.ms,
        "t": fill.trade_id if fill else 0,
        "b": plain(notionals[0]),
        "a": plain(notionals[1]),
        "m": fill.maker if fill else False,
        "R": order.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": order.original_type or order.type,
        "ps": order.position_side,
        "cp": order.close_position,
        "rp": plain(fill.realised if fill else ZERO),
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": order.prevention,
        "pm": "NONE",
        "gtd": order.good_till_ms,
        "er": order.expiry_reason or "0",
    }
    if order.trail is not None:
        inner |= {"AP": price(order.trail.activation_price), "cr": plain(order.trail.callback_rate)}
    if execution.modify_id is not None:
        inner["M"] = execution.modify_id
    if instrument.contract_size is not None:
        inner = coinm.order_of_event(inner, instrument.settles_in)
    return {"e": "ORDER_TRADE_UPDATE", "T": execution.ms, "E": now_ms, "o": inner}


def trade_lite(
    execution: Execution, fill: Fill, instrument: Instrument, now_ms: int
) -> dict[str, Any]:
    """``TRADE_LITE``."""
    order = execution.order
    return {
        "e": "TRADE_LITE",
        "E": now_ms,
        "T": execution.ms,
        "s": order.symbol,
        "q": instrument.quantity_text(order.quantity),
        "p": instrument.price_text(order.price),
        "m": fill.maker,
        "c": order.client_id,
        "S": order.side,
        "L": instrument.price_text(fill.price),
        "l": plain(fill.quantity),
        "t": fill.trade_id,
        "i": order.order_id,
    }


def shown_position(position: Position, mark: Decimal) -> dict[str, Any]:
    """One entry of ``P`` in ``ACCOUNT_UPDATE``."""
    entry = plain(round(position.entry_price, 8))
    return {
        "s": position.symbol,
        "pa": plain(position.quantity),
        "ep": entry,
        "bep": entry,
        "cr": eight(position.realised),
        "up": eight(position.profit(mark)),
        "mt": "cross",
        "iw": "0",
        "ps": position.side,
    }


@attrs.define(eq=False)
class UsdmReports:
    """Reports an execution to an account, in the usual order of events."""

    streams: Streams
    instruments: Mapping[str, Instrument]
    mark: Callable[[str], Decimal]
    clock_ms: Callable[[], int]
    lite_last: bool = False
    sends_lite: bool = True

    def tell(self, account: SimulatedAccount, execution: Execution) -> None:
        now_ms = self.clock_ms()
        order, fill = execution.order, execution.fill
        instrument = self.instruments[order.symbol]
        update = order_trade_update(
            execution, instrument, self._notionals(account, order.symbol), now_ms
        )
        events = [update]
        if fill is not None:
            events.insert(0, self._after_fill(account, fill, execution.ms))
            if execution.kind == "TRADE" and self.sends_lite:
                lite = trade_lite(execution, fill, instrument, now_ms)
                events.insert(len(events) if self.lite_last else 0, lite)
        for event in events:
            self.streams.tell(account, event)

    def _notionals(self, account: SimulatedAccount, symbol: str) -> tuple[Decimal, Decimal]:
        bids = asks = ZERO
        for order in account.open_orders:
            if order.symbol == symbol:
                value = self.instruments[symbol].worth(order.price, order.remaining)
                bids, asks = (bids + value, asks) if order.side == "BUY" else (bids, asks + value)
        return bids, asks

    def _after_fill(self, account: SimulatedAccount, fill: Fill, ms: int) -> dict[str, Any]:
        assets = dict.fromkeys((self.instruments[fill.symbol].settles_in, fill.fee_asset))
        return self.account_update(
            account,
            "ORDER",
            assets,
            [account.position(fill.symbol, fill.position_side)],
            ms,
        )

    def account_update(
        self,
        account: SimulatedAccount,
        reason: str,
        assets: Iterable[str],
        positions: Iterable[Position],
        ms: int,
        *,
        change: Decimal = ZERO,
        symbol: str | None = None,
    ) -> dict[str, Any]:
        """``ACCOUNT_UPDATE``; in hedge mode the BOTH row goes with a changed side (§4).

        Args:
            change: ``bc``: what moved without profit and fee (that funding counts is assumed).
            symbol: of a funding fee.
        """
        rows: list[Position] = []
        for position in positions:
            if account.hedge and position.side != "BOTH":
                rows.append(Position(symbol=position.symbol))
            rows.append(position)
        inner: dict[str, Any] = {
            "m": reason,
            "B": [
                {
                    "a": asset,
                    "wb": eight(account.balances.get(asset, ZERO)),
                    "cw": eight(account.balances.get(asset, ZERO)),
                    "bc": eight(change) if change else "0",
                }
                for asset in assets
            ],
            "P": [shown_position(row, self.mark(row.symbol)) for row in rows],
        }
        if symbol is not None:
            inner["S"] = symbol
        return {"e": "ACCOUNT_UPDATE", "T": ms, "E": self.clock_ms(), "a": inner}


# -- replies --------------------------------------------------------------------------------------


def order_reply(order: Order, instrument: Instrument) -> dict[str, Any]:
    """To place, modify and cancel: no average price and no value since 2026-07-15 (§0 (9))."""
    reply = {
        "orderId": order.order_id,
        "symbol": order.symbol,
        "status": order.status,
        "clientOrderId": order.client_id,
        "price": instrument.price_text(order.price),
        "origQty": instrument.quantity_text(order.quantity),
        "executedQty": instrument.quantity_text(order.filled),
        "cumQty": instrument.quantity_text(order.filled),
        "timeInForce": order.time_in_force,
        "type": order.type,
        "reduceOnly": order.reduce_only,
        "closePosition": order.close_position,
        "side": order.side,
        "positionSide": order.position_side,
        "stopPrice": instrument.price_text(order.stop_price),
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": order.original_type or order.type,
        "priceMatch": "NONE",
        "selfTradePreventionMode": order.prevention,
        "goodTillDate": order.good_till_ms,
        "updateTime": order.updated_ms,
    }
    if order.trail is not None:
        reply |= {
            "activatePrice": instrument.price_text(order.trail.activation_price),
            "priceRate": plain(order.trail.callback_rate),
        }
    return reply if instrument.contract_size is None else coinm.order_of_reply(reply)


def queried(order: Order, instrument: Instrument) -> dict[str, Any]:
    """To a query, which keeps average price and value (binance_usdm §7)."""
    reply = order_reply(order, instrument)
    del reply["cumQty"]
    reply |= {
        "avgPrice": plain(round(order.average_price, 8)),
        "cumQuote": plain(order.quote_filled),
        "time": order.created_ms,
    }
    if instrument.contract_size is not None:
        reply["cumBase"] = reply.pop("cumQuote")
    return reply


def traded(fill: Fill, instrument: Instrument) -> dict[str, Any]:
    """One entry of ``userTrades``."""
    trade = {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "side": fill.side,
        "price": instrument.price_text(fill.price),
        "qty": instrument.quantity_text(fill.quantity),
        "realizedPnl": plain(fill.realised),
        "quoteQty": plain(fill.quote),
        "commission": eight(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.ms,
        "positionSide": fill.position_side,
        "buyer": fill.side == "BUY",
        "maker": fill.maker,
    }
    return trade if instrument.contract_size is None else coinm.trade(trade, instrument.settles_in)
