"""Count failures of REST requests by reason, and report each change once, not each attempt.

A failing request is remembered with its reasons until it is answered or dropped. A reason is new
if no failing request has failed for it yet. When the last failing request is settled, the trouble
ends.
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
    """The number of sent requests."""
    failures: Mapping[str, int]
    """The number of failed attempts, by reason (`connector.link.request_trouble.FAILURES`)."""
    rejections: int
    """The number of requests that the exchange rejected."""
    waiting: int
    """The number of requests that wait."""
    failing: str | None
    """Why requests fail now; None while they do not."""
    failing_seconds: float
    """How long requests have been failing, in seconds; 0 while they do not."""
    last_success_seconds: float | None
    """The time since the last answer, in seconds; None if there was none yet."""
    weight_used: int
    """The used request weight of the exchange's window, by all adapters of this program."""
    weight_limit: int
    """The request weight that the exchange allows in a window."""
    gate_seconds: float
    """The time until the next request may be sent, in seconds."""
    sockets_open: int
    """The number of open sockets for REST."""


class Trouble:
    """The failing requests, with their reasons."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """All failures so far, by reason."""
        self.detail: str | None = None
        """The last failure; None while no request fails."""
        self.since = 0.0
        """When the current trouble began."""
        self.failures = 0
        """Number of failures in the current trouble."""
        self._reasons: dict[str, set[str]] = {}

    def failed(self, target: str, reason: str, detail: str, now: float) -> bool:
        """Count a failed request, and return whether its reason is new.

        Args:
            target: the target of the request.
            reason: a key of `FAILURES`.
            detail: a description of the failure.
            now: the current time.
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
        """Note that a request was answered or given up; return whether this ends the trouble."""
        if self._reasons.pop(target, None) is None or self._reasons:
            return False
        self.detail = None
        return True
