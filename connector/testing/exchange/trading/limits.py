"""Rate limits: request weights of the host and order counts of each account.

Weights count for all keys together, because all come from one address; orders count per account
(INVARIANTS 65). Source: binance_trading §9, binance_spot §8, binance_usdm §7.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import attrs

from connector.testing.exchange.trading.refusals import refusal

MINUTE_MS = 60_000
Letter: TypeAlias = Literal["S", "M", "D"]
LETTER_MS: dict[Letter, int] = {"S": 1000, "M": MINUTE_MS, "D": 86_400_000}
LETTER_NAMES: dict[Letter, str] = {"S": "SECOND", "M": "MINUTE", "D": "DAY"}


@attrs.frozen
class OrderLimit:
    """A maximum number of orders in a fixed window of ``number`` seconds, minutes or days."""

    number: int
    letter: Letter
    most: int

    @property
    def length_ms(self) -> int:
        return self.number * LETTER_MS[self.letter]

    @property
    def name(self) -> str:
        """The name in the header, such as ``10S``."""
        return f"{self.number}{self.letter}"

    def described(self, count: int | None = None) -> dict[str, Any]:
        """As in ``rateLimits``."""
        shown: dict[str, Any] = {
            "rateLimitType": "ORDERS",
            "interval": LETTER_NAMES[self.letter],
            "intervalNum": self.number,
            "limit": self.most,
        }
        return shown if count is None else shown | {"count": count}


SPOT_ORDER_LIMITS = (OrderLimit(10, "S", 50), OrderLimit(1, "D", 160_000))
COINM_ORDER_LIMITS = (OrderLimit(1, "M", 1200),)
"""A sample says 6000; what USD-M allows is the stricter (binance_trading §12)."""
USDM_ORDER_LIMITS = (OrderLimit(10, "S", 300), OrderLimit(1, "M", 1200))


@attrs.define
class Weights:
    """The request weight of one host in fixed minutes; an excess is answered 429, then banned.

    Args:
        most: the maximum weight per minute.
        refusals_before_ban: number of requests answered with 429 before 418 follows (assumed).
    """

    most: int
    refusals_before_ban: int
    ban_seconds: float
    minute: int = 0
    used: int = 0
    refused: int = 0
    banned_until: float = 0.0

    def charge(self, weight: int, now: float, now_ms: int) -> None:
        """Count a request at `now` (seconds since the exchange was opened).

        Raises:
            Refused: -1003, with 429 or 418 and how long to wait.
        """
        if now < self.banned_until:
            raise self._banned(now, now_ms)
        if int(now * 1000 / MINUTE_MS) != self.minute:
            self.minute, self.used, self.refused = int(now * 1000 / MINUTE_MS), 0, 0
        self.used += weight
        if self.used <= self.most:
            return
        self.refused += 1
        if self.refused > self.refusals_before_ban:
            self.ban(now, self.ban_seconds)
            raise self._banned(now, now_ms)
        wait = (self.minute + 1) * MINUTE_MS / 1000 - now
        raise refusal(
            "too_much_weight",
            self.most,
            data=_retry(now_ms, wait),
            retry_after_seconds=wait,
        )

    def ban(self, now: float, seconds: float) -> None:
        """Answer everything with 418 for this time."""
        self.banned_until = now + seconds

    def _banned(self, now: float, now_ms: int) -> Exception:
        wait = self.banned_until - now
        until_ms = now_ms + round(wait * 1000)
        return refusal("banned", until_ms, data=_retry(now_ms, wait), retry_after_seconds=wait)


def _retry(now_ms: int, wait_seconds: float) -> dict[str, Any]:
    """``error.data``: the moment in epoch milliseconds, not a number of seconds (§9)."""
    return {"serverTime": now_ms, "retryAfter": now_ms + math.ceil(wait_seconds * 1000)}


@attrs.define
class OrderCounts:
    """Orders of one account in the fixed windows of its venue."""

    limits: tuple[OrderLimit, ...]
    _windows: dict[str, tuple[int, int]] = attrs.field(factory=dict)

    def count(self, limit: OrderLimit, now_ms: int) -> int:
        """The number of orders in the current window."""
        window, count = self._windows.get(limit.name, (0, 0))
        return count if window == now_ms // limit.length_ms else 0

    def raise_if_full(self, now_ms: int, amounts: dict[str, int] | None = None) -> None:
        """Raise if this many more orders (by default one) exceed a limit.

        Raises:
            Refused: -1015. Cancels are not checked.
        """
        for limit in self.limits:
            amount = 1 if amounts is None else amounts.get(limit.name, 1)
            if self.count(limit, now_ms) + amount > limit.most:
                wait = limit.length_ms - now_ms % limit.length_ms
                raise refusal(
                    "too_many_orders",
                    limit.most,
                    f"{limit.number} {LETTER_NAMES[limit.letter]}",
                    data={"serverTime": now_ms, "retryAfter": now_ms + wait},
                    retry_after_seconds=wait / 1000,
                )

    def add(self, amount: int, now_ms: int, amounts: dict[str, int] | None = None) -> None:
        """Add to the count; a negative amount reduces it, to zero at the lowest.

        Spot reduces the count for a fill, because it counts unfilled orders (§9).
        """
        for limit in self.limits:
            change = amount if amounts is None else amounts.get(limit.name, amount)
            count = max(0, self.count(limit, now_ms) + change)
            self._windows[limit.name] = now_ms // limit.length_ms, count

    def headers(self, now_ms: int) -> dict[str, str]:
        """``X-MBX-ORDER-COUNT-10S`` and so on."""
        return {
            f"X-MBX-ORDER-COUNT-{limit.name}": str(self.count(limit, now_ms))
            for limit in self.limits
        }

    def described(self, now_ms: int) -> list[dict[str, Any]]:
        """With counts, as in ``rateLimits`` of the WebSocket API."""
        return [limit.described(self.count(limit, now_ms)) for limit in self.limits]
