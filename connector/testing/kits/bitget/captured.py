"""Bitget's messages as somebody received them, of v3, v2 and v1.

Source: bitget §4, §5.
"""

from __future__ import annotations

from typing import Any

import msgspec

from connector.testing.kits.bitget.websocket_v1 import WebSocketV1
from connector.testing.market.captured import Captured, Last, Rows, Shown, content, text_rows

_SHOWN = ("books1", "books5", "books15", "books50", "ticker")


class BitgetReader:
    """Reads messages of both versions, which their arguments tell apart, and of v1."""

    def __init__(self) -> None:
        self._before = WebSocketV1()

    def read(self, text: str) -> list[Captured]:
        """Read a captured message as the messages that it stands for."""
        received = content(text)
        if not isinstance(received, dict) or "data" not in received or "arg" not in received:
            return []
        said = self._before.rewrite(received)
        if said is None:
            return []
        arg, data = said["arg"], text.encode() if said is received else msgspec.json.encode(said)
        stream, symbol, topic = _named(arg)
        shown: Shown | None = None
        if topic == "books":
            shown = _rows(said)
        elif topic in _SHOWN:
            shown = Last(data)
        return [Captured((stream,), symbol, data, shown)]


def _named(arg: dict[str, Any]) -> tuple[str, str, str]:
    """The stream, its symbol, and its topic."""
    if "channel" in arg:
        symbol = arg["instId"] + ("_CM" if arg["instType"] == "COIN-FUTURES" else "")
        return f"v2.{arg['channel']}:{symbol}", symbol, arg["channel"]
    topic, symbol = arg["topic"], arg.get("symbol", "")
    name = f"{topic}:{symbol or arg['instType']}"
    return name + (f":{arg['interval']}" if "interval" in arg else ""), symbol, topic


def _rows(said: dict[str, Any]) -> Rows:
    (row,) = said["data"]
    bid_name, ask_name = ("b", "a") if "b" in row else ("bids", "asks")

    def write(bids: Any, asks: Any) -> bytes:
        told = {**row, bid_name: bids, ask_name: asks}
        if "pseq" in row:
            told["pseq"] = 0
        return msgspec.json.encode({**said, "action": "snapshot", "data": [told]})

    whole = said["action"] == "snapshot"
    return Rows(whole, text_rows(row[bid_name]), text_rows(row[ask_name]), write)
