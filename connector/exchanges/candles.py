"""Candles of venues that do not mark a closed candle: the next candle closes it."""

from __future__ import annotations

from typing import Any

import msgspec

from connector.events import Candle


def closed_by_the_next(last: Candle[Any] | None, candle: Candle[Any]) -> list[Candle[Any]]:
    """A `connector.exchanges.protocol.Fold` that repeats the last candle, closed, before the next.

    A candle older than the last one is dropped: it is already closed.
    """
    if last is None or last.open_time_ns == candle.open_time_ns:
        return [candle]
    if candle.open_time_ns < last.open_time_ns:
        return []
    return [candle] if last.closed else [msgspec.structs.replace(last, closed=True), candle]
