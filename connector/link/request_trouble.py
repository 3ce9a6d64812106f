"""What goes wrong with REST requests: counted by reason, told once per change, never per attempt.

Each request that fails is remembered with the reasons it failed for until it is answered or given
up. A reason is news when no request in trouble has failed for it yet. When the last of them is
settled, the trouble is over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

import attrs

FAILURES: Mapping[str, str] = MappingProxyType(
    {
        "unreachable": "no connection could be made",
        "no answer": "the connection broke, or the answer did not come in time",
        "limited": "the exchange answered 418 or 429: too many requests",
        "unavailable": "the exchange answered 5xx, 408 or 425",
        "redirected": "something answered with a redirect",
        "refused": "something answered 4xx, without the words of the exchange",
        "undecodable": "the answer is not what the exchange's documentation says",
    }
)
"""Why a request failed: the `reason` of `RequestsFailing`, the key of `RestStatistics.failures`."""


@attrs.frozen
class RestStatistics:
    """The REST requests of one adapter."""

    requests: int
    """Requests that were sent."""
    failures: Mapping[str, int]
    """Attempts that failed, by reason (`connector.link.request_trouble.FAILURES`)."""
    rejections: int
    """Requests that the exchange refused for good."""
    waiting: int
    """Requests in line."""
    failing: str | None
    """Why requests fail at present, in words; None while they do not."""
    failing_seconds: float
    """How long they have been failing; 0 while they do not."""
    last_success_seconds: float | None
    """How long ago a request was answered; None if none was yet."""
    weight_used: int
    """Of the exchange's window, by all adapters of this program, as far as is known."""
    weight_limit: int
    """What the exchange allows in a window."""
    gate_seconds: float
    """How long until the next request may be sent: the exchange said so, or the weight is used."""
    sockets_open: int


class Trouble:
    """Which requests are failing, and for which reasons."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """Failures of the whole life, by reason."""
        self.detail: str | None = None
        """What went wrong last; None while nothing is wrong."""
        self.since = 0.0
        """When the present trouble began."""
        self.failures = 0
        """Failures of the present trouble."""
        self._reasons: dict[str, set[str]] = {}

    def failed(self, target: str, reason: str, detail: str, now: float) -> bool:
        """A request has failed; whether that is news.

        Args:
            target: whose request.
            reason: a key of `FAILURES`.
            detail: the same in words, with what is known.
            now: the time.
        """
        self.counts[reason] += 1
        if not self._reasons:
            self.since, self.failures = now, 0
        self.failures += 1
        self.detail = detail
        known = any(reason in reasons for reasons in self._reasons.values())
        self._reasons.setdefault(target, set()).add(reason)
        return not known

    def settled(self, target: str) -> bool:
        """A request was answered, or given up; whether that ends the trouble."""
        if self._reasons.pop(target, None) is None or self._reasons:
            return False
        self.detail = None
        return True
