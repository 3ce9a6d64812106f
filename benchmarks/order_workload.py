"""How many orders and fills there are, and how a contestant reports what they cost it."""

from __future__ import annotations

import json
import statistics

ORDERS, CHUNK = 2000, 50
"""Placed one by one; after so many all are cancelled, which is not counted."""
FILLS = 5000


def report(spent: float, times: list[float], on_fills: float) -> None:
    """Print the figures: CPU seconds of all orders, seconds of each, CPU seconds of all fills."""
    figures = {
        "order_us": spent / ORDERS * 1e6,
        "accepted_us": statistics.median(times) * 1e6,
        "event_us": on_fills / FILLS * 1e6,
    }
    print(json.dumps(figures), flush=True)
