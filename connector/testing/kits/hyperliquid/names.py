"""What the subscriptions of a coin are called here, and which coins are spot.

Both forms of a book come as ``l2Book``; the slow one has a name of its own for faults and plans.

Source: hyperliquid §5, §9.
"""

from __future__ import annotations

from typing import Any

FAST_BOOK, SLOW_BOOK = "l2Book", "l2Book.slow"
CONTEXT, SPOT_CONTEXT = "activeAssetCtx", "activeSpotAssetCtx"
INTERVALS = "1m|3m|5m|15m|30m|1h|2h|4h|8h|12h|1d|3d|1w|1M"


def is_spot(coin: str) -> bool:
    """Whether a coin is a pair, or the number of one."""
    return coin[:1] == "@" or "/" in coin


def _is_book(subscription: dict[str, Any]) -> bool:
    """Whether the options of a book are documented ones: a ``mantissa`` is for five figures."""
    figures, mantissa = subscription.get("nSigFigs"), subscription.get("mantissa")
    return (
        subscription.get("fast", True) in (True, False, None)
        and figures in (None, 2, 3, 4, 5)
        and (mantissa is None or (figures == 5 and mantissa in (1, 2, 5)))
    )


def stream_of(subscription: dict[str, Any]) -> str | None:
    """The name of a subscription; None if it cannot be one."""
    kind, coin = subscription.get("type"), subscription.get("coin")
    if not isinstance(coin, str) or not coin:
        return None
    if kind == "candle":
        interval = subscription.get("interval")
        return f"candle:{coin}:{interval}" if interval in INTERVALS.split("|") else None
    if kind == "l2Book":
        if not _is_book(subscription):
            return None
        return f"{FAST_BOOK if subscription.get('fast') is True else SLOW_BOOK}:{coin}"
    if kind == CONTEXT:
        return f"{SPOT_CONTEXT if is_spot(coin) else CONTEXT}:{coin}"
    return f"{kind}:{coin}" if kind in ("trades", "bbo") else None
