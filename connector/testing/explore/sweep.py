"""Sweeps: every fault at every step, pairs of faults, every operation, many schedules.

A sweep is divided into units, each small enough for one process to do in seconds; a unit is a
generator of results. A first run without faults records at which steps a connection is open. The
sweep skips the steps at which a fault could have no effect.
"""

from __future__ import annotations

import gc
import itertools
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from types import MappingProxyType

import attrs

from connector.testing.explore.faults import (
    ALL_FAULTS,
    CORE,
    OPERATION_FAULTS,
    STEP_FAULTS,
    check_fault,
)
from connector.testing.explore.plan import OPERATIONS, Plan, Trigger
from connector.testing.explore.report import Report
from connector.testing.explore.result import Result
from connector.testing.explore.run import run
from connector.testing.explore.scenario import Scenario
from connector.testing.explore.schedule import Picks, Seeded

FAULTS_PER_SEED = 4
"""Number of random plans for each seeded schedule, besides the plan without faults."""
_RUNS_PER_COLLECTION = 50
_LONG_STEPS = 500
_SLOW_STRIDE = 10
"""Stride between the steps at which a slow fault is tried, in a program of more steps."""


@attrs.frozen
class Unit:
    """A part of a sweep."""

    scenario: str
    kind: str
    """A key of `KINDS`."""
    fault: str = ""
    """The (first) fault, if the kind has one."""
    first: int = 0
    """Index at which this part of a long list begins."""
    count: int = 0
    """Length of this part."""

    def __str__(self) -> str:
        part = f" {self.first}–{self.first + self.count - 1}" if self.count else ""
        return f"{self.scenario} {self.kind} {self.fault}{part}".strip()


def steps(scenario: Scenario, unit: Unit) -> Iterator[Result]:
    """Try one fault at every step."""
    base = run(scenario)
    for step in _steps_of(base, unit.fault, scenario.stride):
        yield run(scenario, plan=Plan.at_steps({step: unit.fault}))


def operations(scenario: Scenario, unit: Unit) -> Iterator[Result]:
    """Fail or hang the N-th dial, send, receive and close, once and from then on.

    `Scenario.stride` samples them; the first of each is always tried.
    """
    base = run(scenario, counted=True)
    for operation in OPERATIONS:
        for number in range(1, base.operations[operation] + 1, scenario.stride):
            for fault in OPERATION_FAULTS:
                for lasting in (False, True):
                    trigger = Trigger(number, fault, at=operation, lasting=lasting)
                    yield run(scenario, plan=Plan((trigger,)))


def pairs(scenario: Scenario, unit: Unit) -> Iterator[Result]:
    """Try a first fault at some steps, each followed by a second fault.

    The second fault is tried at every third step, with a different offset for each first step:
    runs with neighbouring steps are almost the same.
    """
    base = run(scenario)
    firsts = list(_steps_of(base, unit.fault))[unit.first : unit.first + unit.count]
    for first in firsts:
        single = run(scenario, plan=Plan.at_steps({first: unit.fault}))
        for fault in CORE:
            begin = first + 1 + first % _PAIR_STRIDE
            for second in range(begin, single.steps + 1, _PAIR_STRIDE):
                yield run(scenario, plan=Plan.at_steps({first: unit.fault, second: fault}))


def seeds(scenario: Scenario, unit: Unit) -> Iterator[Result]:
    """Run seeded schedules, each without faults and with a few random plans."""
    names = [name for name, fault in STEP_FAULTS.items() if not fault.slow] + [*scenario.faults]
    for seed in range(unit.first, unit.first + unit.count):
        schedule = Seeded(seed)
        base = run(scenario, schedule)
        yield base
        draw = random.Random(seed)
        for number in range(FAULTS_PER_SEED):
            drawn = draw.sample(range(1, base.steps + 1), k=1 + number % 2)
            plan = Plan.at_steps({step: draw.choice(names) for step in drawn})
            yield run(scenario, schedule, plan)


def picks(scenario: Scenario, unit: Unit) -> Iterator[Result]:
    """Run every schedule that differs from the default in exactly one choice."""
    base = run(scenario, Picks())
    for position, alternatives in enumerate(base.choices):
        for pick in range(1, alternatives):
            yield run(scenario, Picks((*(0,) * position, pick)))


KINDS: MappingProxyType[str, Callable[[Scenario, Unit], Iterator[Result]]] = MappingProxyType(
    {"steps": steps, "operations": operations, "pairs": pairs, "seeds": seeds, "picks": picks}
)
"""Function that runs a unit, by kind."""

FIRST_OF_PAIRS = ("reset", "half_open", "refuse", "close", "mute", "handshake_hang")
"""Faults after which a second one is tried: each leads to a different state."""
_PAIR_STRIDE = 3
_PAIRS_PER_UNIT = 8
_SEEDS_PER_UNIT = 20


def units(
    scenario: Scenario,
    *,
    kinds: Iterable[str] = ("steps", "operations"),
    faults: Iterable[str] = tuple(STEP_FAULTS),
    seeds: int = 0,
) -> Iterator[Unit]:
    """Divide a sweep over one scenario into units.

    Args:
        scenario: what to run.
        kinds: keys of `KINDS`.
        faults: faults for steps; those in `FIRST_OF_PAIRS` are also the first faults of pairs.
        seeds: how many seeded schedules.

    Raises:
        ValueError: a kind or fault is unknown.
    """
    name = scenario.name
    kinds, faults = tuple(kinds), tuple(faults)
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"unknown kind of sweep {kind!r}; the kinds are {', '.join(KINDS)}")
    if faults == tuple(STEP_FAULTS):
        faults += scenario.faults
    for fault in faults:
        check_fault(fault)
    for kind in kinds:
        if kind == "steps":
            yield from (Unit(name, kind, fault) for fault in faults)
        elif kind == "pairs":
            base = run(scenario)
            for fault in faults:
                if fault not in FIRST_OF_PAIRS:
                    continue
                total = len(list(_steps_of(base, fault)))
                for first in range(0, total, _PAIRS_PER_UNIT):
                    yield Unit(name, kind, fault, first, min(_PAIRS_PER_UNIT, total - first))
        elif kind == "seeds":
            for first in range(0, seeds, _SEEDS_PER_UNIT):
                yield Unit(name, kind, "", first, min(_SEEDS_PER_UNIT, seeds - first))
        else:
            yield Unit(name, kind)


def explore(scenario: Scenario, unit: Unit) -> Iterator[Result]:
    """Run one unit, and yield its results in order."""
    return KINDS[unit.kind](scenario, unit)


def sweep(
    scenario: Scenario,
    *,
    kinds: Iterable[str] = ("steps", "operations"),
    faults: Iterable[str] = tuple(STEP_FAULTS),
    seeds: int = 0,
    enough: int = 10,
) -> Report:
    """Sweep over one scenario in this process.

    Args:
        scenario: what to run.
        kinds: keys of `KINDS`.
        faults: faults for steps and pairs.
        seeds: how many seeded schedules.
        enough: stop after this many runs with findings.

    Raises:
        ValueError: a kind or fault is unknown.
    """
    report = Report()
    tally = report.tally(scenario.name)
    report.add(run(scenario))
    began = time.process_time()
    with collector_off() as collect:
        parts = units(scenario, kinds=kinds, faults=faults, seeds=seeds)
        for result in itertools.chain.from_iterable(explore(scenario, unit) for unit in parts):
            report.add(result)
            collect()
            if tally.findings >= enough:
                break
    tally.cpu_seconds = time.process_time() - began
    return report


@contextmanager
def collector_off() -> Iterator[Callable[[], None]]:
    """Collect garbage only between runs, so that the collector cannot close a socket in a run.

    Yields:
        A function to call after every run.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    runs = itertools.count(1)

    def collect() -> None:
        if not next(runs) % _RUNS_PER_COLLECTION:
            gc.collect(1)

    try:
        yield collect
    finally:
        gc.collect()
        if was_enabled:
            gc.enable()


def _steps_of(base: Result, fault: str, stride: int = 1) -> Iterator[int]:
    """The steps at which `fault` can have an effect; every `stride`-th of them."""
    given = ALL_FAULTS[fault]
    if given.slow and base.steps > _LONG_STEPS:
        stride = max(stride, _SLOW_STRIDE)
    moments = _moments(base, given.waits_for)
    tried = set()
    for step in range(1, base.steps + 1, stride):
        if (
            (base.connected[step - 1] or not given.needs_connection)
            and base.served[step - 1] >= given.needs_served
            and (base.orders[step - 1] or not given.needs_order)
            and moments[step - 1] not in tried
        ):
            if given.waits_for:
                tried.add(moments[step - 1])
            yield step


def _moments(base: Result, waits_for: tuple[str, ...]) -> list[int]:
    """For each step, how many actions that trigger the fault the exchange had done before."""
    patterns = (*waits_for, "script *")
    matching = [any(fnmatchcase(each, one) for one in patterns) for each in base.noted]
    before = [0, *itertools.accumulate(matching)]
    return [before[number] for number in base.noted_before]
