"""A fault at every scheduler step of an adapter's life.

A run is a function of its scenario, the seed of its schedule and the step at which something
strikes: virtual time, a network in memory, and tasks in an order that the seed decides. What is
left afterwards is counted in trio's own task tree and in the ledger of the network, which never
ask the adapter.
"""

from __future__ import annotations

import contextvars
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import attrs
import trio
from trio._core import _ki, _run
from trio.testing import MockClock

from connector.testing import MemoryNetwork, SimulatedExchange, open_exchange
from tests.faults.world import Pulse

_OURS: contextvars.ContextVar[bool] = contextvars.ContextVar("ours", default=False)
"""Set in the task that opens the adapter, and so in every task that comes from it."""


def tasks_of_ours() -> list[trio.lowlevel.Task]:
    """Every task that was born inside `Scenario`, wherever in the tree it lives."""

    def below(task: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
        for nursery in task.child_nurseries:
            for child in nursery.child_tasks:
                yield child
                yield from below(child)

    root = trio.lowlevel.current_root_task()
    assert root is not None
    here = trio.lowlevel.current_task()
    return [each for each in below(root) if each is not here and _is_ours(each)]


@contextmanager
def ours() -> Iterator[None]:
    """Tasks that are born in this block are ours."""
    token = _OURS.set(True)
    try:
        yield
    finally:
        _OURS.reset(token)


def _is_ours(task: trio.lowlevel.Task) -> bool:
    return task.context.get(_OURS, False)


def is_unprotected(task: trio.lowlevel.Task) -> bool:
    """Whether a KeyboardInterrupt that arrives now is raised inside `task`, as trio decides it."""
    for frame, _ in reversed(list(task.iter_await_frames())):
        try:
            return not _ki._CODE_KI_PROTECTION_STATUS_WMAP[frame.f_code]
        except KeyError:
            continue
    return not task._ki_protected


@attrs.define(eq=False)
class Scope:
    """What a strike can reach: handed to a scenario, and to the one who strikes."""

    network: MemoryNetwork
    exchange: SimulatedExchange
    outer: trio.CancelScope
    """Around the adapter."""
    inner: trio.CancelScope
    """For a scenario to put into the adapter's block."""


Strike: TypeAlias = Callable[[Scope, trio.lowlevel.Task], bool]
"""Strike before a step of a task; False to wait for the next step instead."""


def cancel_outside(scope: Scope, task: trio.lowlevel.Task) -> bool:
    scope.outer.cancel()
    return True


def cancel_inside(scope: Scope, task: trio.lowlevel.Task) -> bool:
    scope.inner.cancel()
    return True


def interrupt_main(scope: Scope, task: trio.lowlevel.Task) -> bool:
    """Press Ctrl-C while trio schedules: its main task gets the KeyboardInterrupt."""
    signal.raise_signal(signal.SIGINT)
    return True


def interrupt_task(scope: Scope, task: trio.lowlevel.Task) -> bool:
    """Press Ctrl-C while a task of ours runs code that trio does not protect."""
    if not _is_ours(task) or not is_unprotected(task):
        return False
    task._next_send_fn, task._next_send = task.coro.throw, KeyboardInterrupt()
    return True


@attrs.define(eq=False)
class AtStep(trio.abc.Instrument):
    """Strikes before the task step with a given number."""

    number: int
    strike: Strike
    scope: Scope | None = None
    steps: int = 0
    struck_at: float | None = None

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.scope is None or self.struck_at is not None:
            return
        self.steps += 1
        if self.steps >= self.number and self.strike(self.scope, task):
            self.struck_at = trio.current_time()


@attrs.frozen(kw_only=True)
class Run:
    """What came of one run."""

    steps: int
    """How many there were until the strike, or in all."""
    struck: bool
    seconds: float
    """Virtual time from the strike, or from the beginning, until the adapter was gone."""
    outcome: BaseException | None
    """What came out of the scenario."""


@contextmanager
def schedule(seed: int) -> Iterator[None]:
    """Let `seed` decide the order of tasks in a `trio.run` (private names, pinned by a test)."""
    before = _run._ALLOW_DETERMINISTIC_SCHEDULING
    _run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    _run._r.seed(seed)
    try:
        yield
    finally:
        _run._ALLOW_DETERMINISTIC_SCHEDULING = before  # type: ignore[misc]


Scenario: TypeAlias = Callable[[Scope], Awaitable[None]]


def run_struck(
    scenario: Scenario,
    number: int,
    strike: Strike,
    *,
    seed: int,
    make_network: Callable[[], MemoryNetwork] = MemoryNetwork,
    **exchange_options: Any,
) -> Run:
    """Run `scenario` with a strike at step `number`, and check that nothing is left.

    Raises:
        AssertionError: a task or a socket was left, or two sockets were open at once.
    """
    fault = AtStep(number, strike)
    outcome: BaseException | None = None
    seconds = -1.0

    async def main() -> None:
        nonlocal outcome, seconds
        network = make_network()
        options = {"source": Pulse(), **exchange_options}
        async with open_exchange("usdm", network=network, **options) as exchange:
            scope = Scope(network, exchange, trio.CancelScope(), trio.CancelScope())
            began = trio.current_time()
            with scope.outer:
                fault.scope = scope
                try:
                    with ours():
                        await scenario(scope)
                except BaseException as error:  # noqa: BLE001  # judged by the test
                    outcome = error if not isinstance(error, trio.Cancelled) else None
                fault.scope = None
            seconds = trio.current_time() - (began if fault.struck_at is None else fault.struck_at)
            assert not tasks_of_ours()
            assert network.ledger.open_now() == 0
            assert network.ledger.max_open() <= 1

    try:
        with schedule(seed):
            trio.run(main, clock=MockClock(autojump_threshold=0), instruments=[fault])
    except* KeyboardInterrupt:
        # It was delivered after the scenario had ended, or before it could begin.
        pass
    return Run(
        steps=fault.steps, struck=fault.struck_at is not None, seconds=seconds, outcome=outcome
    )
