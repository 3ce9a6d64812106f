"""Log the lifecycle events of an adapter: each one once, but a flood as a few lines and a count.

An exchange that has changed its format may send a thousand undecodable frames per second. The first
`FEW` are logged individually. From then on, one line per `INTERVAL_SECONDS` contains their number
and the latest of them, until an interval has no more than `FEW` again.
"""

from __future__ import annotations

import attrs

from connector import lifecycle
from connector.errors import DecodeError
from connector.lifecycle import Lifecycle, Stale

FEW = 5
"""Number of events of a kind that are logged one by one."""
INTERVAL_SECONDS = 10.0
"""In which they are counted, and for which the number of the others is told."""


@attrs.define
class _Flood:
    """The events of one kind in the current interval."""

    began: float
    """Time at which the interval began."""
    shown: int = 0
    """Number of events that were logged one by one."""
    hidden: int = 0
    """Number of events that were only counted."""
    latest: Lifecycle | None = None

    def turn(self, now: float) -> None:
        """Log the count of an interval that has ended, and begin the next."""
        if self.latest is not None:
            lifecycle.log_more(self.latest, self.hidden, now - self.began)
        else:
            self.shown = 0
        self.began, self.hidden, self.latest = now, 0, None

    def take(self, event: Lifecycle) -> None:
        """Log `event`, or count it."""
        if self.shown < FEW:
            self.shown += 1
            lifecycle.log(event)
        else:
            self.hidden += 1
            self.latest = event


class Journal:
    """Logs the lifecycle events of one adapter.

    It has no timer: the number of an interval is told with the first event behind it, or by
    `close`.
    """

    def __init__(self) -> None:
        self._floods: dict[type, _Flood] = {}

    def tell(self, event: Lifecycle, now: float) -> None:
        """Log `event`, which happened at `now` (seconds, of any clock that only goes forward)."""
        for flood in self._floods.values():
            if now - flood.began >= INTERVAL_SECONDS:
                flood.turn(now)
        if isinstance(event, DecodeError | Stale):
            self._floods.setdefault(type(event), _Flood(now)).take(event)
        else:
            lifecycle.log(event)

    def close(self, now: float) -> None:
        """Log the counts that have not been logged yet."""
        for flood in self._floods.values():
            flood.turn(now)
