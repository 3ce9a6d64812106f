"""`Trouble`: why a sink or an adapter has failed, and when the next attempt is.

It is logged once per cause, not once per attempt, and once more when it is over.
"""

from __future__ import annotations

import logging

import trio

from connector.lifecycle import write_fields
from connector.link.pacing import Reconnect

_log = logging.getLogger("connector.run")

SINK_PACE = Reconnect(initial=0.5, factor=2.0, cap=30.0, jitter="none")
"""A disk that is full, or a Redis that refuses, costs little to be asked again."""
ADAPTER_PACE = Reconnect(initial=5.0, factor=2.0, cap=300.0, jitter="none")
"""An exchange that refuses does not want to be asked often."""


class Trouble:
    """What is wrong with one thing, if anything is.

    Args:
        kind, name: such as ``sink`` and ``events``, for the log.
        pace: of the attempts to mend it.
    """

    def __init__(self, kind: str, name: str, pace: Reconnect) -> None:
        self.reason = ""
        """Why; empty while all is well."""
        self.failures = 0
        """Attempts that have failed, over the whole life."""
        self.retry_at = 0.0
        """When the next attempt is due, on trio's clock."""
        self._what = {kind: name}
        self._kind = kind
        self._pace = pace
        self._in_a_row = 0
        self._since = 0.0

    @property
    def resting(self) -> bool:
        """Whether it is too early for another attempt."""
        return bool(self.reason) and trio.current_time() < self.retry_at

    @property
    def retry_seconds(self) -> float:
        """Until the next attempt."""
        return max(self.retry_at - trio.current_time(), 0.0)

    def failed(self, reason: str) -> None:
        """Another attempt has failed."""
        now = trio.current_time()
        self._since = self._since if self.reason else now
        self.failures += 1
        self._in_a_row += 1
        delay = self._pace.delay(self._in_a_row)
        self.retry_at = now + delay
        if reason != self.reason:
            self.reason = reason
            fields = {**self._what, "reason": reason, "retry_seconds": round(delay, 3)}
            text = write_fields(fields)
            _log.error("%s failed %s", self._kind, text, extra={"fields": fields})

    def over(self, **more: object) -> None:
        """It works; with what else there is to tell."""
        if self.reason:
            seconds = round(trio.current_time() - self._since, 3)
            fields = {**self._what, "seconds": seconds, **more}
            text = write_fields(fields)
            _log.warning("%s works again %s", self._kind, text, extra={"fields": fields})
        self.reason, self._in_a_row = "", 0
