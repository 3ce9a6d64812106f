"""A worker process of a sweep: it reads units as lines, and writes counts and findings.

Workers are processes, not threads, because a run takes over trio's scheduler, the wall clock and
the garbage collector of its process. A process can also be killed when a run hangs in a way that
nothing inside the process can end.
"""

from __future__ import annotations

import importlib
import logging
import signal
import sys
import time
from typing import TYPE_CHECKING

import msgspec

from connector.testing.explore.plan import parse_case
from connector.testing.explore.report import Report
from connector.testing.explore.result import Finding
from connector.testing.explore.scenario import Scenario
from connector.testing.explore.scenarios import SCENARIOS
from connector.testing.explore.sweep import Unit, collector_off, explore

if TYPE_CHECKING:
    from typing import BinaryIO

NEWS_SECONDS = 0.5


class Found(msgspec.Struct, frozen=True):
    """A `Finding` in the form in which it is sent between processes."""

    invariant: str
    what: str
    case: str
    step: int
    seconds: float
    tasks: str

    def as_finding(self) -> Finding:
        """Convert to a `Finding`."""
        return Finding(
            invariant=self.invariant,
            what=self.what,
            case=parse_case(self.case),
            step=self.step,
            seconds=self.seconds,
            tasks=self.tasks,
        )


class News(msgspec.Struct, frozen=True):
    """What a worker has done since its last message; `finished` marks the last one of a unit."""

    runs: int
    steps: int
    most_steps: int
    faults: int
    findings: int
    cpu_seconds: float
    names: list[str]
    found: list[Found]
    finished: bool = False


def scenario_of(name: str) -> Scenario:
    """Find the scenario called `name`; ``package.module:VARIABLE`` names one outside this package.

    Raises:
        LookupError: there is no such scenario.
    """
    if name in SCENARIOS:
        return SCENARIOS[name]
    module, _, variable = name.partition(":")
    if not variable:
        raise LookupError(
            f"unknown scenario {name!r}; the scenarios are {', '.join(SCENARIOS)}, or write "
            "package.module:VARIABLE for one of your own"
        )
    try:
        scenario = getattr(importlib.import_module(module), variable, None)
    except ModuleNotFoundError as error:
        raise LookupError(f"{module} cannot be imported: {error}") from error
    if not isinstance(scenario, Scenario):
        raise LookupError(f"{variable} in {module} is not a Scenario")  # noqa: TRY004
    return scenario


def prepare_process() -> None:
    """Prepare a process for exploring; every process calls this first."""
    # Thousands of runs would log faults that they cause on purpose.
    logging.getLogger("connector").setLevel(logging.CRITICAL + 1)
    # A process started in the background ignores SIGINT, but the fault `interrupt` needs it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def work(incoming: BinaryIO, outgoing: BinaryIO) -> None:
    """Run units one after another until no more arrive."""
    prepare_process()
    with collector_off() as collect:
        for line in incoming:
            unit = msgspec.json.decode(line, type=Unit)
            report, said, cpu = Report(), time.monotonic(), time.process_time()
            for result in explore(scenario_of(unit.scenario), unit):
                report.add(result)
                collect()
                if time.monotonic() - said > NEWS_SECONDS:
                    _tell(outgoing, unit, report, time.process_time() - cpu)
                    report, said, cpu = Report(), time.monotonic(), time.process_time()
            _tell(outgoing, unit, report, time.process_time() - cpu, finished=True)


def _tell(
    outgoing: BinaryIO, unit: Unit, report: Report, cpu_seconds: float, *, finished: bool = False
) -> None:
    tally = report.tally(unit.scenario)
    news = News(
        runs=tally.runs,
        steps=tally.steps,
        most_steps=tally.most_steps,
        faults=tally.faults,
        findings=tally.findings,
        cpu_seconds=cpu_seconds,
        names=sorted(tally.names),
        found=[
            Found(each.invariant, each.what, str(each.case), each.step, each.seconds, each.tasks)
            for each in report.findings
        ],
        finished=finished,
    )
    outgoing.write(msgspec.json.encode(news) + b"\n")
    outgoing.flush()


if __name__ == "__main__":
    work(sys.stdin.buffer, sys.stdout.buffer)
