"""A model of one place whose reply was lost: client, engine, lagging copy, stream.

A pure function of a few delays. It asks what a rule says of the order, and what is true: may it be
called absent, and is it neither open nor filled, now and ever after?
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

import attrs

from connector.trading.resolution import Resolution

WINDOW = 2.0
ENGINE = 10.0
SETTLE = 1.0


@attrs.frozen
class World:
    """What may happen, in seconds. None: never."""

    arrives: float | None
    """When the request reaches the exchange; refused if that is after the window."""
    queued: float = 0.0
    """How long it waits for the engine, up to `ENGINE` after its window."""
    filled_after: float | None = None
    """How long after it was accepted it is filled."""
    query_lag: float = 0.0
    """How far the copy that answers questions is behind: any time, no venue says how long."""
    stream_lag: float = 0.0
    """How late events come, up to `SETTLE`."""
    trades_lag: float = 0.0
    """How far lists of trades are behind, up to `SETTLE`."""
    hole: tuple[float, float] | None = None
    """When the private stream is cut and back: what was told meanwhile is lost."""
    failures: frozenset[int] = frozenset()
    """Which questions get no answer."""
    trip: float = 0.05
    """How long a question takes, each way."""

    @property
    def accepted_at(self) -> float | None:
        if self.arrives is None or self.arrives > WINDOW:
            return None
        return min(self.arrives + self.queued, WINDOW + ENGINE)

    def filled_at(self) -> float | None:
        if self.accepted_at is None or self.filled_after is None:
            return None
        return self.accepted_at + self.filled_after


@attrs.define
class Run:
    """One run of a rule in a world."""

    world: World
    now: float = 0.0
    cancelled_at: float | None = None
    verdict: str = "unknown"
    questions: int = 0
    _events: list[float] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        filled = self.world.filled_at()
        for moment in (self.world.accepted_at, filled):
            if moment is not None and not self._lost(moment):
                heapq.heappush(self._events, moment + self.world.stream_lag)

    def _lost(self, moment: float) -> bool:
        hole = self.world.hole
        return hole is not None and hole[0] <= moment <= hole[1]

    # What the exchange is.

    def open_at(self, moment: float) -> bool:
        accepted, filled = self.world.accepted_at, self.world.filled_at()
        if accepted is None or moment < accepted:
            return False
        if self.cancelled_at is not None and moment >= self.cancelled_at:
            return False
        return filled is None or moment < filled

    def filled_at(self, moment: float) -> bool:
        filled = self.world.filled_at()
        if filled is None or moment < filled:
            return False
        return self.cancelled_at is None or filled < self.cancelled_at

    # What it answers.

    def answered(self) -> bool:
        """One question, there and back; whether it has an answer."""
        self.questions += 1
        self.now += self.world.trip
        return self.questions not in self.world.failures

    def event_has_come(self) -> bool:
        return bool(self._events) and self._events[0] <= self.now

    def query(self) -> bool:
        """Whether the copy that answers questions knows the order."""
        accepted = self.world.accepted_at
        return accepted is not None and self.now - self.world.query_lag >= accepted

    def trades(self) -> bool:
        """Whether the list of trades has one of the order."""
        return self.filled_at(self.now - self.world.trades_lag)

    def truth(self) -> bool:
        """Whether it is neither open nor filled, now or later: then *absent* is right."""
        for tick in range(400):
            moment = self.now + tick * 0.1
            if self.open_at(moment) or self.filled_at(moment):
                return False
        return True


Rule = Callable[[Run], None]


def by_window_fence_and_fills(run: Run) -> None:
    """The rule of the library."""
    world = run.world
    resolution = Resolution(round((WINDOW + ENGINE) * 1e9), SETTLE)
    while run.now < 200:
        if world.hole is not None and run.now >= world.hole[0]:
            resolution.broken()
        if run.event_has_come():
            run.verdict = "found"
            return
        step, due = resolution.next(run.now)
        match step:
            case "absent":
                run.verdict = "absent"
                return
            case "wait":
                run.now = max(due, run.now + 0.001)
            case "ask":
                stamp = run.now
                if not run.answered():
                    resolution.failed(run.now)
                elif run.query():
                    run.verdict = "found"
                    return
                else:
                    run.now += world.trip
                    resolution.not_found(round(stamp * 1e9), run.now)
            case "fence":
                if not run.answered():
                    resolution.failed(run.now)
                elif run.open_at(run.now):
                    run.cancelled_at = run.now
                    run.verdict = "found"
                    return
                else:
                    run.now += world.trip
                    resolution.fenced(run.now)
            case "read":
                if not run.answered():
                    resolution.failed(run.now)
                    continue
                found = run.trades()
                run.now += world.trip
                if found:
                    run.verdict = "found"
                    return
                if resolution.read((), run.now, agrees=True):
                    run.verdict = "absent"
                    return


def by_query(run: Run) -> None:
    """What most clients do: ask twice, some seconds apart, after the window."""
    for pause in (WINDOW, 3.0):
        run.now += pause
        if run.answered() and run.query():
            run.verdict = "found"
            return
    run.verdict = "absent"


def by_patient_query(run: Run) -> None:
    """Ask after window and engine, then again: no delay makes a query a proof."""
    run.now = WINDOW + ENGINE + 5
    if run.answered() and run.query():
        run.verdict = "found"
        return
    run.verdict = "absent"


def by_fence_alone(run: Run) -> None:
    """A fence without fills: what was filled meanwhile is called absent."""
    run.now = WINDOW + ENGINE + 0.1
    if run.open_at(run.now):
        run.cancelled_at = run.now
        run.verdict = "found"
        return
    run.verdict = "absent"


def by_fence_before_the_window_ends(run: Run) -> None:
    """A fence while the request may still be on its way."""
    run.now = WINDOW / 2
    if run.open_at(run.now):
        run.cancelled_at = run.now
        run.verdict = "found"
        return
    run.now += SETTLE
    run.verdict = "found" if run.event_has_come() else "absent"


def judge(rule: Rule, world: World) -> tuple[str, bool]:
    """What the rule says, and whether that is right."""
    run = Run(world)
    rule(run)
    return run.verdict, run.verdict != "absent" or run.truth()
