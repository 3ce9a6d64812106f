"""Bybit's messages as somebody received them.

Source: bybit §4, §5.
"""

from __future__ import annotations

from typing import Any

import msgspec

from connector.testing.market.captured import (
    Captured,
    Fields,
    Rows,
    Shown,
    content,
    text_rows,
)


class BybitReader:
    """Reads messages of v5."""

    def read(self, text: str) -> list[Captured]:
        """Read a captured message as the messages that it stands for."""
        said = content(text)
        if not isinstance(said, dict) or "topic" not in said or "data" not in said:
            return []
        topic: str = said["topic"]
        kind, *parameters, symbol = topic.split(".")
        shown: Shown | None = None
        if kind == "orderbook" and parameters[0].isdecimal():
            shown = _rows(said, int(parameters[0]))
        elif kind == "tickers":
            shown = _fields(said)
        return [Captured((topic,), symbol, text.encode(), shown)]


def _rows(said: dict[str, Any], depth: int) -> Rows:
    data = said["data"]

    def write(bids: Any, asks: Any) -> bytes:
        return msgspec.json.encode(
            {**said, "type": "snapshot", "data": {**data, "b": bids, "a": asks}}
        )

    whole = said["type"] == "snapshot"
    return Rows(whole, text_rows(data["b"]), text_rows(data["a"]), write, depth)


def _fields(said: dict[str, Any]) -> Fields:
    def write(fields: Any) -> bytes:
        return msgspec.json.encode({**said, "type": "snapshot", "data": fields})

    return Fields(said["type"] == "snapshot", said["data"], write)
