"""``python -m connector.testing.explore``: explore scenarios, or replay one case.

python -m connector.testing.explore                          everything: the long sweep
python -m connector.testing.explore stream tls               these scenarios
python -m connector.testing.explore --venues okx,deribit     the core scenarios of these venues
python -m connector.testing.explore my_tests.leaks:SCENARIO  one of your own
python -m connector.testing.explore --replay stream/fifo/17=reset
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence

import trio

from connector.testing.explore.faults import STEP_FAULTS
from connector.testing.explore.plan import parse_case
from connector.testing.explore.progress import say, watching
from connector.testing.explore.report import Report
from connector.testing.explore.result import Result
from connector.testing.explore.run import run
from connector.testing.explore.scenarios import SCENARIOS, SHORT
from connector.testing.explore.sweep import KINDS, Unit, units
from connector.testing.explore.venue_scenarios import PROGRAMS, VENUES
from connector.testing.explore.worker import prepare_process, scenario_of
from connector.testing.explore.workers import sweep_in_processes

DEFAULT_SEEDS = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 1 if there are findings."""
    options = make_parser().parse_args(arguments)
    prepare_process()
    code = 1
    try:
        code = _run(options)
    except* BrokenPipeError:
        # The reader, such as `head`, is gone. Python would complain when it flushes at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _run(options: argparse.Namespace) -> int:
    try:
        if options.list:
            _list()
            return 0
        if options.replay:
            return _replay(options.replay)
        return _sweep(options)
    except (LookupError, ValueError) as error:
        say(f"error: {error.args[0]}")
        return 2


def make_parser() -> argparse.ArgumentParser:
    """Build the parser of the command's arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m connector.testing.explore", description=__doc__
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("scenarios", nargs="*", help="names (--list), or package.module:VARIABLE")
    add("--venues", metavar="NAMES", help="the core scenarios of these venues, or of all")
    add("--replay", metavar="CASE", help="run one case; a finding prints its case")
    add("--list", action="store_true", help="list the scenarios and faults")
    add("--kinds", help=f"kinds of sweep: {','.join(KINDS)}; the default suits the scenario")
    add("--faults", default=",".join(STEP_FAULTS), help="faults to try in steps and pairs")
    add("--seeds", type=int, default=DEFAULT_SEEDS, help="seeded schedules per scenario")
    add("--minutes", type=float, default=math.inf, help="stop starting new runs after this time")
    add("--processes", type=int, default=os.cpu_count() or 1, help="default: one per CPU")
    return parser


def _check_numbers(options: argparse.Namespace) -> None:
    """Raise `ValueError` for a number with which the command would run nothing."""
    if options.seeds < 0:
        raise ValueError("--seeds: write a whole number >= 0")
    if not options.minutes > 0:
        raise ValueError("--minutes: write a number > 0")
    if options.processes < 1:
        raise ValueError("--processes: write a whole number >= 1")


def _list() -> None:
    say("scenarios:")
    for name in SCENARIOS:
        say(f"  {name}")
    say("faults at a step:")
    for name in STEP_FAULTS:
        say(f"  {name}")


def _replay(text: str) -> int:
    case = parse_case(text)
    result = run(scenario_of(case.scenario), case.schedule, case.plan)
    say(_summary(result))
    for finding in result.findings:
        say(str(finding))
    return 1 if result.findings else 0


def _summary(result: Result) -> str:
    raised = f", raised {result.error!r}" if result.error is not None else ""
    return (
        f"{result.case}: {result.steps} steps, {result.seconds:.3f} s, {result.dials} dials, "
        f"{result.struck} fault(s) struck{raised}, {len(result.findings)} finding(s)"
    )


def _sweep(options: argparse.Namespace) -> int:
    _check_numbers(options)
    faults = options.faults.split(",")
    names = [*options.scenarios, *_of_venues(options.venues)] or list(SCENARIOS)
    work: list[Unit] = []
    for name in names:
        scenario = scenario_of(name)
        kinds = options.kinds.split(",") if options.kinds else _kinds(name)
        work += units(scenario, kinds=kinds, faults=faults, seeds=options.seeds)

    report = Report()

    async def go() -> None:
        with watching(len(work)) as watcher:
            await sweep_in_processes(
                work,
                processes=options.processes,
                watcher=watcher,
                seconds=options.minutes * 60,
                report=report,
            )

    interrupted = False
    try:
        trio.run(go)
    except* KeyboardInterrupt:
        interrupted = True
    say(str(report))
    if interrupted:
        say("interrupted: the sweep is incomplete")
    return 1 if report.findings else 130 if interrupted else 0


def _of_venues(text: str | None) -> list[str]:
    """List the scenarios of the venues that `text` names.

    Raises:
        LookupError: a venue is unknown.
    """
    wanted = [] if text is None else list(VENUES) if text == "all" else text.split(",")
    for name in wanted:
        if name not in VENUES:
            raise LookupError(f"unknown venue {name!r}; write all, or some of {', '.join(VENUES)}")
    return [f"{venue}_{program}" for venue in wanted for program in PROGRAMS]


def _kinds(name: str) -> tuple[str, ...]:
    """The default kinds of sweep: pairs only for short scenarios, because there are many."""
    pairs = ("pairs",) if name in SHORT else ()
    return ("steps", "operations", *pairs, "seeds", "picks")


if __name__ == "__main__":
    sys.exit(main())
