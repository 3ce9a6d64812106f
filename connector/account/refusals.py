"""Count refusals by reason, and log each reason at most once per second."""

from __future__ import annotations

import logging

from connector.trading.venue import Refusal

_log = logging.getLogger("connector.account")

_SECONDS = 1.0


class Refusals:
    """The orders that the exchange has refused."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        """By reason (`connector.errors.RefusalReason`)."""
        self._logged: dict[str, float] = {}

    def note(self, reason: str, refusal: Refusal, now: float) -> None:
        """Count one, and log it unless one of its reason was logged within a second."""
        count = self.counts[reason] = self.counts.get(reason, 0) + 1
        if now < self._logged.get(reason, -_SECONDS) + _SECONDS:
            return
        self._logged[reason] = now
        _log.warning(
            "order refused: %s, code %s, %r; %d of this reason so far",
            reason,
            refusal.code,
            refusal.text[:200],
            count,
        )
