"""Hyperliquid's messages as somebody received them.

A book does not say whether it is the slow one, unless it is the fast one: it has ``fast``.

Source: hyperliquid §5.
"""

from __future__ import annotations

from typing import Any

from connector.testing.kits.hyperliquid.names import CONTEXT, FAST_BOOK, SLOW_BOOK, SPOT_CONTEXT
from connector.testing.market.captured import Captured, Last, content


class HyperliquidReader:
    """Reads messages of subscriptions."""

    def read(self, text: str) -> list[Captured]:
        """Read a captured message as the messages that it stands for."""
        said = content(text)
        if not isinstance(said, dict):
            return []
        channel, message = said.get("channel"), text.encode()
        data: Any = said.get("data")
        if channel == "trades" and data:
            coin = data[0]["coin"]
            return [Captured((f"trades:{coin}",), coin, message)]
        if channel == "candle":
            stream = f"candle:{data['s']}:{data['i']}"
            return [Captured((stream,), data["s"], message, Last(message))]
        if channel == "l2Book":
            channel = FAST_BOOK if data.get("fast") else SLOW_BOOK
        elif channel not in ("bbo", CONTEXT, SPOT_CONTEXT):
            return []
        return [Captured((f"{channel}:{data['coin']}",), data["coin"], message, Last(message))]
