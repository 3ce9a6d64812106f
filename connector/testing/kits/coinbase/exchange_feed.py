"""Messages of Coinbase Exchange's feed as Advanced Trade writes them, for captures of before.

A message of Advanced Trade has a channel and events. A book has one list of updates with words for
the sides, and the levels of a snapshot are updates; a snapshot had no time. The side of a trade is
the maker's in both. Tickers have other fields, and are left out; so is the last trade before the
subscription.

Source: coinbase A4, A5, X1.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from connector.testing.kits.coinbase.symbol_topics import SOME_YEAR_AGO

_SIDES = {"buy": "bid", "sell": "offer"}


def rewrite(said: dict[str, Any]) -> dict[str, Any] | None:
    """A message as Advanced Trade writes it; None of what is left out."""
    kind = said.get("type")
    if kind == "match":
        trade = {
            "trade_id": str(said["trade_id"]), "product_id": said["product_id"],
            "price": said["price"], "size": said["size"], "side": said["side"].upper(),
            "time": said["time"],
        }  # fmt: skip
        return _message("market_trades", said["time"], {"type": "update", "trades": [trade]})
    if kind not in ("snapshot", "l2update"):
        return None
    time = said.get("time", SOME_YEAR_AGO)
    changes = said.get("changes") or [
        (side, *level) for side, name in (("buy", "bids"), ("sell", "asks")) for level in said[name]
    ]
    updates = [
        {
            "side": _SIDES[side],
            "event_time": time,
            "price_level": price,
            "new_quantity": size if Decimal(size) else "0",
        }
        for side, price, size in changes
    ]
    word = "snapshot" if kind == "snapshot" else "update"
    event = {"type": word, "product_id": said["product_id"], "updates": updates}
    return _message("l2_data", time, event)


def _message(channel: str, time: str, event: dict[str, Any]) -> dict[str, Any]:
    return {"channel": channel, "client_id": "", "timestamp": time, "events": [event]}
