"""The result of one run: its findings, and the data that a sweep needs."""

from __future__ import annotations

from collections import Counter

import attrs

from connector.testing.explore.plan import At, Case


@attrs.frozen
class Finding:
    """A violation of an invariant, and the case that reproduces it."""

    invariant: str
    """``I1`` … ``I18``, or ``progress`` for a program that makes no progress without a fault."""
    what: str
    case: Case
    step: int
    seconds: float
    """Virtual time."""
    tasks: str = attrs.field(default="", repr=False)
    """The task tree at that moment."""

    def __str__(self) -> str:
        return self.report(f"python -m connector.testing.explore --replay {self.case}")

    def report(self, again: str) -> str:
        """The finding as text, with the command that reproduces it (`again`)."""
        case = self.case
        lines = [
            f"{self.invariant}: {self.what}",
            f"  in {case.scenario}, schedule {case.schedule}, plan {case.plan}",
            f"  at step {self.step}, after {self.seconds:.3f} s",
            f"  again: {again}",
        ]
        if self.tasks:
            lines += ["  tasks:", *(f"    {line}" for line in self.tasks.splitlines())]
        return "\n".join(lines)


@attrs.frozen
class Result:
    """The results of one run."""

    case: Case
    findings: tuple[Finding, ...]
    steps: int
    """Steps of the program (`connector.testing.explore.steps`)."""
    struck: int
    """How many faults of the plan happened; the program may end before the others."""
    connected: bytes
    """For each step, 1 if a connection was open before it; recorded only in runs without faults."""
    served: bytes
    """For each step, how many connections the exchange served before it; only in such runs."""
    orders: bytes
    """For each step, how many orders were open at the exchange; only in such runs."""
    noted: tuple[str, ...]
    """The actions of the exchange that can trigger a waiting fault; only in such runs."""
    noted_before: tuple[int, ...]
    """For each step, how many of the `noted` actions happened before it."""
    operations: Counter[At]
    """The number of dials, sends, receives and closes, if they were counted."""
    most_tasks: int
    dials: int
    seconds: float
    """Virtual time."""
    choices: tuple[int, ...]
    """The number of alternatives of each choice; only with `Picks`."""
    trace: tuple[tuple[int, str], ...] = attrs.field(default=(), repr=False)
    """The task that made each step, by number and name; only if traced."""
    error: BaseException | None = attrs.field(default=None, repr=False)
    """What the program raised."""
