"""The time window in which the exchange accepts a signed request.

Source: binance_trading §11.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

import attrs

from connector.testing.exchange.trading.refusals import refusal

DEFAULT_WINDOW_MS = Decimal(5000)
MOST_WINDOW_MS = Decimal(60_000)
AHEAD_MS = 1000
"""A timestamp must be before the server's time plus this."""
MICROSECONDS_FROM = 10**15
"""Timestamps of this size are microseconds; milliseconds get there in the year 33658."""


@attrs.frozen
class Window:
    """A request's timestamp, and the longest time that it may be in transit, in milliseconds."""

    timestamp_ms: Decimal
    window_ms: Decimal

    def raise_unless_open(self, now_ms: int) -> None:
        """Raise unless ``timestamp < now + 1000`` and ``now - timestamp <= recvWindow``.

        Raises:
            Refused: -1021, with the text for a time too early or too late.
        """
        if self.timestamp_ms >= now_ms + AHEAD_MS:
            raise refusal("early")
        if self.is_over(now_ms):
            raise refusal("late")

    def is_over(self, now_ms: int) -> bool:
        """Whether the request has been in transit for too long."""
        return now_ms - self.timestamp_ms > self.window_ms


def window_of(params: Mapping[str, str], *, microseconds: bool) -> Window:
    """Read ``timestamp`` and ``recvWindow``.

    Args:
        microseconds: whether the venue takes timestamps in microseconds and fractions of a
            millisecond in recvWindow: spot does.

    Raises:
        Refused: one is missing, malformed or too large.
    """
    text = params.get("timestamp", "")
    if not text.isdecimal() or not text.isascii():
        raise refusal("missing" if not text else "illegal", "timestamp", "^[0-9]{1,20}$")
    timestamp = Decimal(text)
    if microseconds and timestamp >= MICROSECONDS_FROM:
        timestamp /= 1000
    return Window(timestamp, _length(params.get("recvWindow"), microseconds=microseconds))


def _length(text: str | None, *, microseconds: bool) -> Decimal:
    if text is None:
        return DEFAULT_WINDOW_MS
    try:
        length = Decimal(text)
    except InvalidOperation:
        raise refusal("illegal", "recvWindow", "^[0-9]{1,20}$") from None
    places = -int(length.as_tuple().exponent) if length.is_finite() else 99
    if length <= 0 or places > (3 if microseconds else 0):
        raise refusal("illegal", "recvWindow", "^[0-9]{1,20}$")
    if length > MOST_WINDOW_MS:
        raise refusal("window_too_long")
    return length
