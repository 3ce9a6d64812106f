"""A fault plan as data: which fault happens at which step or operation.

A plan has a text form for the command line; `parse_plan` reads it back::

    17=reset                  at step 17, reset the connections
    17=reset,40=cancel        and at step 40 cancel the program
    send3=fail                the third send fails
    receive5+=fail            the fifth receive fails, and every later one
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, TypeAlias, get_args

import attrs

from connector.testing.explore.schedule import Fifo, Schedule, parse_schedule

At: TypeAlias = Literal["step", "dial", "send", "receive", "close"]
OPERATIONS: tuple[At, ...] = get_args(At)[1:]

_trigger = re.compile(r"(?P<at>[a-z]*)(?P<number>\d+)(?P<lasting>\+?)=(?P<fault>[a-z0-9_]+)")


@attrs.frozen(order=True)
class Trigger:
    """One fault and its time: the `number`-th step, dial, send, receive or close."""

    number: int = attrs.field(validator=attrs.validators.ge(1))
    fault: str
    at: At = attrs.field(default="step", validator=attrs.validators.in_(get_args(At)))
    lasting: bool = False
    """For operations only: whether all later ones fail as well."""

    def __str__(self) -> str:
        at = "" if self.at == "step" else self.at
        return f"{at}{self.number}{'+' if self.lasting else ''}={self.fault}"


@attrs.frozen
class Plan:
    """All faults of one run."""

    triggers: tuple[Trigger, ...] = ()

    def __str__(self) -> str:
        return ",".join(map(str, self.triggers)) or "none"

    def __bool__(self) -> bool:
        return bool(self.triggers)

    @property
    def faults(self) -> frozenset[str]:
        """The names of the faults."""
        return frozenset(trigger.fault for trigger in self.triggers)

    @property
    def counts_operations(self) -> bool:
        """Whether a fault strikes at an operation."""
        return any(trigger.at != "step" for trigger in self.triggers)

    @staticmethod
    def at_steps(steps: dict[int, str]) -> Plan:
        """The plan ``{step: fault}``."""
        return Plan(tuple(Trigger(step, fault) for step, fault in sorted(steps.items())))


def parse_plan(text: str) -> Plan:
    """Parse the text form of a plan.

    Raises:
        ValueError: `text` has another form.
    """
    if text in ("", "none"):
        return Plan()
    return Plan(tuple(_parse_triggers(text.split(","))))


def _parse_triggers(parts: Iterable[str]) -> Iterable[Trigger]:
    for part in parts:
        found = _trigger.fullmatch(part)
        at = found["at"] or "step" if found else ""
        if found is None or at not in get_args(At):
            raise ValueError(
                f"{part!r} is not a fault with a time; write 17=reset, send3=fail or receive5+=fail"
            )
        yield Trigger(
            number=int(found["number"]),
            fault=found["fault"],
            at=at,  # type: ignore[arg-type]
            lasting=bool(found["lasting"]),
        )


@attrs.frozen
class Case:
    """Everything that determines a run, by name."""

    scenario: str
    schedule: Schedule = attrs.field(factory=Fifo)
    plan: Plan = Plan()

    def __str__(self) -> str:
        return f"{self.scenario}/{self.schedule}/{self.plan}"


def parse_case(text: str) -> Case:
    """Parse the text form of a case: ``scenario/schedule/plan``.

    Raises:
        ValueError: `text` has another form.
    """
    parts = text.rsplit("/", 2)
    if len(parts) != 3:
        raise ValueError(
            f"{text!r} is not a case; write scenario/schedule/plan: stream/fifo/17=reset"
        )
    scenario, schedule, plan = parts
    return Case(scenario, parse_schedule(schedule), parse_plan(plan))
