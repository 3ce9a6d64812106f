"""OKX's messages as somebody received them.

Source: okx §4, §5.
"""

from __future__ import annotations

from typing import Any

import msgspec

from connector.testing.kits.okx.symbol_topics import LEVELS
from connector.testing.market.captured import Captured, Last, Rows, Shown, content, text_rows

_SHOWN = ("books5", "bbo-tbt", "tickers")


class OkxReader:
    """Reads messages of v5."""

    def read(self, text: str) -> list[Captured]:
        """Read a captured message as the messages that it stands for."""
        said = content(text)
        if not isinstance(said, dict) or not said.get("data") or "arg" not in said:
            return []
        arg, data = said["arg"], text.encode()
        channel, symbol = arg["channel"], arg.get("instId", "")
        shown: Shown | None = None
        if channel == "books":
            shown = _rows(said)
        elif channel in _SHOWN:
            shown = Last(data)
        return [Captured((f"{channel}:{symbol or arg.get('instType')}",), symbol, data, shown)]


def _rows(said: dict[str, Any]) -> Rows:
    (row,) = said["data"]

    def write(bids: Any, asks: Any) -> bytes:
        told = {**row, "asks": asks, "bids": bids}
        if "prevSeqId" in row:
            told["prevSeqId"] = -1
        return msgspec.json.encode({**said, "action": "snapshot", "data": [told]})

    whole = said["action"] == "snapshot"
    return Rows(whole, text_rows(row["bids"]), text_rows(row["asks"]), write, LEVELS)
