"""Messages of Bitget's WebSocket v1 as v3 writes them, for captures of before.

The argument names the market in two letters, and says `channel` and `instId` for `topic` and
`symbol`. Levels are in `a` and `b` now, with `seq` and `pseq`, which count here. A trade of v1 is a
list without an id, which counts here, too. What was traded before the subscription, tickers and
candles are left out: they have other fields.

Source: bitget §3–§5, and stored messages of v1.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

_MARKETS = {"sp": "spot", "mc": "usdt-futures"}


class WebSocketV1:
    """Rewrites the messages of one capture."""

    def __init__(self) -> None:
        self._changes: dict[str, int] = defaultdict(int)
        self._trades = 0

    def rewrite(self, said: dict[str, Any]) -> dict[str, Any] | None:
        """A message as v3 writes it; itself, if it is of v3 or v2; None of what is left out."""
        arg = said["arg"]
        market = _MARKETS.get(arg["instType"])
        if market is None:
            return said
        symbol, channel, rows = arg["instId"], arg["channel"], said["data"]
        if channel == "books":
            topic, data = "books", [self._book(symbol, said["action"], row) for row in rows]
        elif channel == "trade" and said["action"] == "update":
            topic, data = "publicTrade", self._new_trades(rows)
        else:
            return None
        argument = {"instType": market, "topic": topic, "symbol": symbol}
        return {"action": said["action"], "arg": argument, "data": data}

    def _book(self, symbol: str, action: str, row: dict[str, Any]) -> dict[str, Any]:
        before = self._changes[symbol] if action == "update" else 0
        self._changes[symbol] += 1
        return {
            "a": row["asks"], "b": row["bids"], "checksum": row["checksum"],
            "seq": self._changes[symbol], "pseq": before, "ts": str(row["ts"]),
        }  # fmt: skip

    def _new_trades(self, rows: list[list[str]]) -> list[dict[str, str]]:
        """The newest first, as they came."""
        found = []
        for time, price, size, side in reversed(rows):
            self._trades += 1
            found.append({"i": str(self._trades), "p": price, "v": size, "S": side, "T": time})
        return found[::-1]
