"""Candles of venues that do not say when one is over: the next one closes it."""

from __future__ import annotations

from typing import Any

import msgspec

from connector.events import Candle


def closed_by_the_next(last: Candle[Any] | None, candle: Candle[Any]) -> list[Candle[Any]]:
    """A `connector.exchanges.protocol.Fold`: the last candle once more, closed, before the next.

    A candle that is older than the last is left out: the last word on it has been said.
    """
    if last is None or last.open_time_ns == candle.open_time_ns:
        return [candle]
    if candle.open_time_ns < last.open_time_ns:
        return []
    return [candle] if last.closed else [msgspec.structs.replace(last, closed=True), candle]
