"""Fields of COIN-M, made of those of USD-M.

Source: binance_trading §12.
"""

from __future__ import annotations

from typing import Any

from connector.testing.market.coinm_payloads import pair_of

_ONLY_USDM = ("si", "ss", "gtd")


def order_of_event(inner: dict[str, Any], coin: str) -> dict[str, Any]:
    """``o`` of ``ORDER_TRADE_UPDATE``: with the asset of its margin."""
    return {name: value for name, value in inner.items() if name not in _ONLY_USDM} | {"ma": coin}


def order_of_reply(reply: dict[str, Any]) -> dict[str, Any]:
    """An order in a reply: with its pair."""
    return reply | {"pair": pair_of(reply["symbol"])}


def trade(trade: dict[str, Any], coin: str) -> dict[str, Any]:
    """An entry of ``userTrades``: what it is worth is in the coin."""
    return trade | {
        "pair": pair_of(trade["symbol"]),
        "marginAsset": coin,
        "baseQty": trade["quoteQty"],
        "quoteQty": "0",
    }
