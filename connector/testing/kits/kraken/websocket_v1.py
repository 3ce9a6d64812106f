"""Messages of Kraken's WebSocket v1 as v2 writes them, for captures of before.

v1 sends arrays, in which numbers are text: v2 has objects, and numbers with the same digits. XBT is
BTC, and XDG is DOGE. A snapshot of v1 has no checksum, and a trade no id: the checksum is made, and
trades are counted. Other channels than books and trades have other fields, and are left out.

Source: kraken §3–§5.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zlib import crc32

import msgspec

_NEW_NAMES = {"XBT": "BTC", "XDG": "DOGE"}
_CHECKED_LEVELS = 10


class WebSocketV1:
    """Rewrites the messages of one capture."""

    def __init__(self) -> None:
        self._trades: dict[str, int] = defaultdict(int)

    def rewrite(self, said: list[Any]) -> tuple[str, int | None] | None:
        """A message as v2 writes it, and the depth of a book; None of what is left out."""
        if len(said) < len(("channel id", "payload", "channel", "pair")):
            return None
        *payloads, channel, pair = said[1:]
        assets: list[str] = pair.split("/")
        symbol = "/".join(_NEW_NAMES.get(each, each) for each in assets)
        if channel == "trade":
            return self._trade(payloads[0], symbol), None
        kind, _, depth = channel.partition("-")
        if kind != "book":
            return None
        merged = {key: value for part in payloads for key, value in part.items()}
        return _book(merged, symbol), int(depth)

    def _trade(self, trades: list[list[str]], symbol: str) -> str:
        rows = []
        for price, quantity, time, side, order, *_ in trades:
            self._trades[symbol] += 1
            rows.append(
                {
                    "symbol": symbol,
                    "side": "buy" if side == "b" else "sell",
                    "price": msgspec.Raw(price.encode()),
                    "qty": msgspec.Raw(quantity.encode()),
                    "ord_type": "limit" if order == "l" else "market",
                    "trade_id": self._trades[symbol],
                    "timestamp": _stamp(time),
                }
            )
        said = {"channel": "trade", "type": "update", "data": rows}
        return msgspec.json.encode(said).decode()


def _book(told: dict[str, Any], symbol: str) -> str:
    whole = "as" in told
    bids, asks = told.get("bs" if whole else "b", []), told.get("as" if whole else "a", [])
    row = {
        "symbol": symbol,
        "bids": [_level(each) for each in bids],
        "asks": [_level(each) for each in asks],
        "checksum": _checksum(bids, asks) if whole else int(told["c"]),
        "timestamp": _stamp(max((each[2] for each in (*bids, *asks)), default="0")),
    }
    kind = "snapshot" if whole else "update"
    return msgspec.json.encode({"channel": "book", "type": kind, "data": [row]}).decode()


def _level(level: Sequence[str]) -> dict[str, msgspec.Raw]:
    return {"price": msgspec.Raw(level[0].encode()), "qty": msgspec.Raw(level[1].encode())}


def _checksum(bids: list[list[str]], asks: list[list[str]]) -> int:
    best = [
        *sorted(asks, key=lambda level: Decimal(level[0]))[:_CHECKED_LEVELS],
        *sorted(bids, key=lambda level: -Decimal(level[0]))[:_CHECKED_LEVELS],
    ]
    digits = (text.replace(".", "").lstrip("0") for level in best for text in level[:2])
    return crc32("".join(digits).encode())


def _stamp(time: str) -> str:
    """Seconds with a fraction, as v2 writes them."""
    seconds, _, fraction = time.partition(".")
    moment = datetime.fromtimestamp(int(seconds), UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction.ljust(6, '0')[:6]}Z"
