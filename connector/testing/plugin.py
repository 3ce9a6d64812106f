"""The marks and fixtures of the pytest plugin; pytest loads them from ``pytest_connector``.

A test marked ``every_step`` becomes one test per fault, and each of them runs the test's function
once for every step: `connector.testing.explore` with a test for a program.
"""

from __future__ import annotations

import functools
import inspect
import logging
import shlex
import signal
import sys
import traceback
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import PurePath
from typing import Any

import attrs
import pytest
import trio

from connector.testing.exchange.exchange import SimulatedExchange, open_exchange
from connector.testing.explore.faults import STEP_FAULTS, check_fault
from connector.testing.explore.plan import Case, parse_case
from connector.testing.explore.result import Finding, Result
from connector.testing.explore.run import run
from connector.testing.explore.scenario import Scenario
from connector.testing.explore.stage import Stage
from connector.testing.explore.sweep import (
    FIRST_OF_PAIRS,
    KINDS,
    Unit,
    collector_off,
    explore,
    units,
)
from connector.testing.explore.verdict import leaves
from connector.testing.leaks import Descriptors, describe, descriptors, new_since, no_leaks
from connector.testing.market.order_flow import OrderFlow
from connector.testing.network.network import MemoryNetwork

STAGED: dict[str, Callable[[Stage], object]] = {
    "stage": lambda stage: stage,
    "memory_network": lambda stage: stage.network,
    "simulated_exchange": lambda stage: stage.exchange,
}
"""Arguments made anew for every run, instead of the fixtures of these names."""

OF_THE_STAGE = frozenset({"leave", "consumer"})
"""Faults that equal ``cancel`` for a test that does not use its stage."""
SPARE_TASKS = 2
"""A program may have twice its tasks without faults, plus this many."""
OPTION = "--connector-replay"
_SWEEP_OPTIONS = ("kinds", "seeds")
_NOT_THE_TESTS = {"trio", "outcome", "explore", "contextlib.py", "plugin.py"}


@attrs.frozen
class Ask:
    """The settings in the marks of a test."""

    scenario: Scenario
    faults: tuple[str, ...]
    kinds: tuple[str, ...]
    seeds: int
    bounds_tasks: bool
    """Whether the test sets the scenario's limit of tasks."""

    def units(self) -> Iterator[Unit]:
        """The parts of the sweep, each a test."""
        for kind in self.kinds:
            if kind == "pairs":
                for fault in self.faults:
                    if fault in FIRST_OF_PAIRS:
                        yield Unit(self.scenario.name, kind, fault, 0, sys.maxsize)
            else:
                yield from units(self.scenario, kinds=(kind,), faults=self.faults, seeds=self.seeds)


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Make one test for each part of the sweep, or for the one case to replay."""
    names = _staged(metafunc.function)
    replay = metafunc.config.getoption(OPTION)
    try:
        _check_function(metafunc.function, names)
        ask = _ask(metafunc.definition, names)
        cases: list[Case | Unit] = (
            list(ask.units()) if replay is None else [parse_case(f"{ask.scenario.name}/{replay}")]
        )
    except (TypeError, ValueError) as error:
        pytest.fail(f"every_step of {metafunc.definition.nodeid}: {error}", pytrace=False)
    metafunc.parametrize(
        names, [(case,) * len(names) for case in cases], ids=[_identify(case) for case in cases]
    )


def exploring(item: pytest.Function) -> Callable[..., None]:
    """Make the function that replaces a test marked ``every_step``."""
    function = item.obj
    names = _staged(function)

    @functools.wraps(function)
    def explore_test(**arguments: Any) -> None:
        case = arguments[names[0]]
        own = {name: value for name, value in arguments.items() if name not in STAGED}

        async def program(stage: Stage) -> None:
            staged = {name: STAGED[name](stage) for name in names}
            # A test that does not use the stage is cancelled as a whole when asked to leave.
            with nullcontext() if "stage" in names else stage.body:
                await function(**own, **staged)

        ask = _ask(item, names)
        failure = _explore(
            item, attrs.evolve(ask, scenario=attrs.evolve(ask.scenario, program=program)), case
        )
        if failure is not None:
            pytest.fail(failure, pytrace=False)

    # Under a mark for the whole module pytest-trio would insist on an async function.
    explore_test._trio_test_runner_wrapped = True  # type: ignore[attr-defined]
    return explore_test


def checking(item: pytest.Function) -> Callable[..., Any]:
    """Make the function that replaces a test marked ``no_leaks``."""
    function: Callable[..., Any] = item.obj
    mark = item.get_closest_marker("no_leaks")
    options = {} if mark is None else mark.kwargs
    if (hypothesis := getattr(function, "hypothesis", None)) is not None:
        hypothesis.inner_test = _checked(hypothesis.inner_test, options)
        return function
    return _checked(function, options)


def _checked(function: Callable[..., Any], options: Mapping[str, Any]) -> Callable[..., Any]:
    if not inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        def check_test(**arguments: Any) -> None:
            __tracebackhide__ = True
            with no_leaks(**options):
                function(**arguments)

        return check_test

    @functools.wraps(function)
    async def check_async_test(**arguments: Any) -> None:
        __tracebackhide__ = True
        networks = [each for each in arguments.values() if isinstance(each, MemoryNetwork)]
        async with no_leaks(*networks, **options):
            await function(**arguments)

    return check_async_test


@asynccontextmanager
async def exchange_of(
    item: pytest.Item, network: MemoryNetwork
) -> AsyncIterator[SimulatedExchange]:
    """The exchange that a test requests."""
    venue, options = _exchange(item)
    async with open_exchange(
        venue, **{"source": OrderFlow(), "network": network, **options}
    ) as exchange:
        yield exchange


# --- what the marks say


def _ask(item: pytest.Item, names: list[str]) -> Ask:
    """Read the marks of a test.

    Raises:
        TypeError, ValueError: a mark has a wrong argument.
    """
    mark = item.get_closest_marker("every_step")
    assert mark is not None
    bounds = {name: value for name, value in mark.kwargs.items() if name not in _SWEEP_OPTIONS}
    faults = tuple(mark.args) or tuple(
        name for name in STEP_FAULTS if "stage" in names or name not in OF_THE_STAGE
    )
    kinds = tuple(mark.kwargs.get("kinds", ("steps", "operations")))
    for fault in faults:
        check_fault(fault)
    if unknown := set(kinds) - set(KINDS):
        raise ValueError(f"there are no kinds {', '.join(unknown)}; there are {', '.join(KINDS)}")
    venue, options = _exchange(item)
    source = options.pop("source", None)
    if source is not None:
        bounds["source"] = source
    scenario = Scenario(
        name=item.nodeid.partition("[")[0],
        program=_nothing,
        venue=venue,
        exchange_options=options,
        **bounds,
    )
    seeds = mark.kwargs.get("seeds", 0)
    if seeds and "seeds" not in kinds:
        kinds = (*kinds, "seeds")
    return Ask(scenario, faults, kinds, seeds, bounds_tasks="most_tasks" in bounds)


def _exchange(item: pytest.Item) -> tuple[Any, dict[str, Any]]:
    """Venue and options of the mark ``simulated_exchange``."""
    mark = item.get_closest_marker("simulated_exchange")
    if mark is None:
        return "binance_usdm", {}
    venue = mark.args[0] if mark.args else mark.kwargs.get("venue", "binance_usdm")
    return venue, {name: value for name, value in mark.kwargs.items() if name != "venue"}


def _staged(function: Callable[..., object]) -> list[str]:
    """The function's arguments that are made anew for every run."""
    return [name for name in STAGED if name in inspect.signature(function).parameters]


def _check_function(function: Callable[..., object], names: list[str]) -> None:
    if not inspect.iscoroutinefunction(function):
        raise TypeError("the test must be an async function")
    if not names:
        raise TypeError(f"the test must take one of {', '.join(STAGED)}")


async def _nothing(_: Stage) -> None:
    await trio.lowlevel.checkpoint()


def _identify(case: Case | Unit) -> str:
    if isinstance(case, Case):
        return f"{case.schedule}/{case.plan}"
    if case.kind == "steps":
        return case.fault
    part = case.fault or (str(case.first) if case.count else "")
    return f"{case.kind}-{part}" if part else case.kind


# --- the sweep of one test


def _explore(item: pytest.Function, ask: Ask, case: Case | Unit) -> str | None:
    """Run one part of the sweep, and return its first finding as text."""
    runs = 0
    with _in_peace(), _unclosed() as unclosed, collector_off() as collect:
        before = descriptors()
        try:
            for result in _results(ask, case):
                runs += 1
                _give_way(result)
                if findings := [*result.findings, *_left_open(before, unclosed, result)]:
                    return _report(findings, result)
                collect()
        finally:
            item.user_properties.append(("connector_runs", runs))
    return None


def _results(ask: Ask, case: Case | Unit) -> Iterator[Result]:
    """Yield the result without a fault, then those of the requested cases."""
    scenario = ask.scenario
    if not ask.bounds_tasks:
        scenario = attrs.evolve(scenario, most_tasks=sys.maxsize)
    if isinstance(case, Case):
        yield run(scenario, case.schedule, case.plan)
        return
    base = run(scenario)
    yield base
    if not ask.bounds_tasks:
        scenario = attrs.evolve(scenario, most_tasks=2 * base.most_tasks + SPARE_TASKS)
    yield from explore(scenario, case)


def _give_way(result: Result) -> None:
    """Raise an interrupt that came from the keyboard and not from the plan."""
    if result.error is not None and "interrupt" not in result.case.plan.faults:
        for leaf in leaves(result.error):
            if isinstance(leaf, KeyboardInterrupt):
                raise leaf


def _left_open(before: Descriptors, unclosed: list[str], result: Result) -> Iterator[Finding]:
    """Descriptors that a run left open, which the network in memory cannot know."""
    left = [
        f"descriptor {describe(each)}, open after the program has ended"
        for each in new_since(before)
    ]
    for what in (*left, *unclosed):
        yield Finding(
            invariant="I4",
            what=what,
            case=result.case,
            step=result.steps,
            seconds=result.seconds,
        )


def _report(findings: list[Finding], result: Result) -> str:
    """The findings of one run, and the command that reproduces them."""
    case = result.case
    node = shlex.quote(case.scenario)
    again = f"pytest {node} {OPTION} {shlex.quote(f'{case.schedule}/{case.plan}')}"
    parts = [finding.report(again) for finding in findings]
    if result.error is not None:
        parts.append(_shorten(result.error))
    return "\n".join(parts)


def _shorten(error: BaseException) -> str:
    """The error with the traceback from the test's own lines on."""
    said = traceback.TracebackException.from_exception(error)
    said.stack = traceback.StackSummary.from_list(
        [
            frame
            for frame in said.stack
            if _NOT_THE_TESTS.isdisjoint(PurePath(frame.filename).parts[-3:])
        ]
    )
    return "".join(said.format(chain=False)).rstrip()


@contextmanager
def _unclosed() -> Iterator[list[str]]:
    """Resource warnings about objects that only Python's garbage collector closed."""
    seen: list[str] = []
    with warnings.catch_warnings():
        show = warnings.showwarning

        def note(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if issubclass(category, ResourceWarning):
                seen.append(str(message))
            else:
                show(message, category, *where)

        warnings.simplefilter("always", ResourceWarning)
        warnings.showwarning = note  # type: ignore[assignment]
        yield seen


@contextmanager
def _in_peace() -> Iterator[None]:
    """Silence logs and Ctrl-C during thousands of runs that fail on purpose."""
    log = logging.getLogger("connector")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
    except ValueError:
        pytest.skip("every_step takes over signals, and can run in the main thread only")
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(level)
        signal.signal(signal.SIGINT, before)
