"""The result of one run: its findings, and the data that a sweep needs."""

from __future__ import annotations

from collections import Counter

import attrs

from connector.testing.explore.plan import At, Case


@attrs.frozen
class Finding:
    """Something that must not happen, and how to make it happen again."""

    invariant: str
    """``I1`` … ``I12``, or ``progress`` for a program that stands still without any fault."""
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
        """The finding as text, with the command that shows it `again`."""
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
    """What a run has shown."""

    case: Case
    findings: tuple[Finding, ...]
    steps: int
    """Steps of the program (`connector.testing.explore.steps`)."""
    struck: int
    """How many faults of the plan happened; the program may end before the others."""
    connected: bytes
    """For each step, 1 if a connection was open before it; only without faults."""
    served: bytes
    """For each step, how many connections the exchange served before it; only without faults."""
    orders: bytes
    """For each step, how many orders were open at the exchange; only without faults."""
    noted: tuple[str, ...]
    """What the exchange did that a fault may lie in wait for; only without faults …"""
    noted_before: tuple[int, ...]
    """… and for each step, how many of these things before it."""
    operations: Counter[At]
    """Dials, sends, receives and closes, if the run was asked to count them."""
    most_tasks: int
    dials: int
    seconds: float
    """Virtual time."""
    choices: tuple[int, ...]
    """With `Picks`: how many alternatives each choice had."""
    trace: tuple[tuple[int, str], ...] = attrs.field(default=(), repr=False)
    """If asked for: which task made each step, by number and name."""
    error: BaseException | None = attrs.field(default=None, repr=False)
    """What the program raised."""
