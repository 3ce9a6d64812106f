"""Times as Coinbase writes them. Source: coinbase A4."""

from __future__ import annotations

from datetime import UTC, datetime


def timestamp(ms: int, extra_ns: int = 0) -> str:
    """``2026-09-07T23:37:22.278662782Z``: digits down to the nanosecond, no zeros behind them."""
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    digits = f"{ms % 1000:03}{extra_ns:06}".rstrip("0")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{'.' * bool(digits)}{digits}Z"


def go_time(ms: int, running_seconds: float) -> str:
    """``2026-09-07 23:37:22.674409 +0000 UTC m=+139651.272674714``, of heartbeats."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S.%f} +0000 UTC m=+{running_seconds:.9f}"
