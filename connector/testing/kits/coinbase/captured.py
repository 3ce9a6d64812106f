"""Coinbase's messages as somebody received them.

Their numbers are those of the connection that received them, so they are left out: the dialect
numbers messages anew.

Source: coinbase A3, A4, A5.
"""

from __future__ import annotations

from typing import Any

import msgspec

from connector.testing.kits.coinbase.exchange_feed import rewrite
from connector.testing.market.captured import Captured, Last, Row, Rows, Shown, content, text_rows

_ROWS = ("updates", "trades", "tickers", "candles", "products")
_SHOWN = ("ticker", "ticker_batch", "status")


class CoinbaseReader:
    """Reads messages of Advanced Trade, event by event, and books and trades of Exchange."""

    def read(self, text: str) -> list[Captured]:
        """Read a captured message as the messages that it stands for."""
        said = content(text)
        if isinstance(said, dict) and "events" not in said:
            said = rewrite(said)
        if not isinstance(said, dict) or not isinstance(said.get("events"), list):
            return []
        said.pop("sequence_num", None)
        found = []
        for event in said["events"]:
            product = _product(event)
            if product is None:
                continue
            message = {**said, "events": [event]}
            data, channel = _encode(message), said["channel"]
            shown: Shown | None = None
            if channel == "l2_data":
                shown = _rows(message, event)
            elif channel in _SHOWN:
                shown = Last(data)
            found.append(Captured((f"{channel}:{product}",), product, data, shown))
        return found


def _product(event: dict[str, Any]) -> str | None:
    """The product of an event; None of one that is of none."""
    if "product_id" in event:
        return str(event["product_id"])
    rows = next((event[name] for name in _ROWS if event.get(name)), None)
    return None if rows is None else str(rows[0].get("product_id") or rows[0].get("id"))


def _rows(message: dict[str, Any], event: dict[str, Any]) -> Rows:
    def write(bids: Any, asks: Any) -> bytes:
        updates = {"type": "snapshot", "updates": [*bids, *asks]}
        return _encode({**message, "events": [{**event, **updates}]})

    updates = event["updates"]
    return Rows(
        event["type"] == "snapshot", _levels(updates, "bid"), _levels(updates, "offer"), write
    )


def _levels(updates: list[dict[str, Any]], side: str) -> list[Row]:
    mine = [each for each in updates if each["side"] == side]
    rows = text_rows((each["price_level"], each["new_quantity"]) for each in mine)
    return [(price, row, gone) for (price, _, gone), row in zip(rows, mine, strict=True)]


def _encode(message: dict[str, Any]) -> bytes:
    """With the events last, where the dialect puts the number before them."""
    return msgspec.json.encode({**message, "events": message["events"]})
