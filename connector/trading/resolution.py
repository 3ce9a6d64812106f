"""Find the outcome of an unanswered place request: the rule, as a state machine.

A query that finds nothing proves nothing: exchanges answer it from a copy that lags, for minutes
(ORDER_BUGS 56–59). *Absent* needs all of:

.. code-block:: text

    asking ────▶ waiting ────▶ asking again ────▶ fencing ────▶ settling ────▶ absent
      │ found      window         │ found           │ cancelled,     │ hole in the stream
      ▼            is over        ▼                 ▼ or found       ▼
    found                       found             found       reading ─▶ reading again ─▶ absent
                                                                 └── they disagree: begin again

1. an answer "no such order" that the exchange gave after its *window*, in which it might still
   accept the request, was over, engine queue included;
2. then a *fence*: a cancel by client id, which only the matching engine can answer, and to which it
   answers that nothing of this id is open. The order is asked for before, so that one that can be
   found is not cancelled;
3. no fill: the private stream had no hole from before the send until it had settled after the
   fence; or else position and trades, read twice with the venue's settle time between, agree with
   the fills that are known: whose each trade is can be told, and the known trades have moved what
   is held from what it was when the order was sent to what it is (on spot, one of both assets).
   Where trades were at the same time, that cannot be told, and the two readings must be the same.
   While they disagree the order stays unknown.

A failed question is not an answer, so it is repeated. A reply, an event or a question that finds
the order ends the resolution from outside.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

Step: TypeAlias = Literal["ask", "fence", "read", "wait", "absent"]
_Stage: TypeAlias = Literal["asking", "waiting", "again", "fencing", "settling", "first", "second"]

_BACK_OFF = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds after failed questions in a row."""
_LONGER = (1, 1, 2, 4, 8, 16)
"""After how many times the settle time it begins again, when readings disagree in a row."""
_ASK_EVERY = 1.0
"""Seconds between questions inside the window: the order may show itself."""


@attrs.define
class Resolution:
    """The way to certainty about one unknown place.

    Args:
        window_end_ns: exchange's time after which it cannot be accepted any more.
        settle_seconds: the longest that events and lists of trades lag behind the engine.
    """

    window_end_ns: int
    settle_seconds: float
    hole: bool = False
    """Whether the private stream had a hole since before the place was sent."""
    _stage: _Stage = "asking"
    _due: float = 0.0
    _failures: int = 0
    _fills: object = None
    _disagreements: int = 0

    def next(self, now: float) -> tuple[Step, float]:
        """What to do now, or ``wait`` and until when.

        ``ask``: learn the exchange's time, then ask for the order by its client id. ``fence``:
        cancel it by its client id. ``read``: read position and trades. ``absent``: it is proved.
        """
        if self._stage == "settling" and now >= self._due:
            if not self.hole:
                return "absent", now
            self._stage = "first"
        if now < self._due:
            return "wait", self._due
        match self._stage:
            case "asking" | "waiting" | "again":
                return "ask", now
            case "fencing":
                return "fence", now
            case "first" | "second":
                return "read", now
            case _:
                return "wait", self._due

    def failed(self, now: float) -> None:
        """A question or the fence has no answer."""
        wait = _BACK_OFF[min(self._failures, len(_BACK_OFF) - 1)]
        self._failures += 1
        self._due = max(self._due, now + wait)

    def not_found(self, stamp_ns: int, now: float) -> None:
        """The exchange answered "no such order".

        Args:
            stamp_ns: the exchange's time, read before the question was sent.
            now: of our monotonic clock.
        """
        self._failures = 0
        if stamp_ns > self.window_end_ns:
            self._stage = "fencing"
            self._due = now
            return
        self._stage = "waiting"
        left = (self.window_end_ns - stamp_ns) / 1e9
        self._due = now + min(max(left + 0.001, 0.01), _ASK_EVERY)

    def fenced(self, now: float) -> None:
        """The engine answered the cancel: nothing of this id is open."""
        self._failures = 0
        self._stage = "settling"
        self._due = now + self.settle_seconds

    def broken(self) -> None:
        """The private stream has, or may have, lost something."""
        self.hole = True

    def read(self, fills: object, now: float, *, agrees: bool) -> bool:
        """Position and trades were read.

        Args:
            fills: what was read, to be compared with the second reading.
            now: of our monotonic clock.
            agrees: whether it holds nothing beyond the fills that are known.

        Returns:
            Whether the order is proved to be absent.
        """
        self._failures = 0
        if not agrees:
            self._stage, self._fills = "again", None
            self._due = now + self.settle_seconds * _LONGER[self._disagreements]
            self._disagreements = min(self._disagreements + 1, len(_LONGER) - 1)
            return False
        if self._stage == "first":
            self._stage, self._fills = "second", fills
            self._due = now + self.settle_seconds
            return False
        same = fills == self._fills
        if not same:
            self._fills = fills
            self._due = now + self.settle_seconds
        return same
