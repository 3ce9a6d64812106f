"""One run: a pure function of scenario, schedule and fault plan."""

from __future__ import annotations

import contextlib
import random
import signal
from collections.abc import Iterator
from types import FrameType

import outcome
import trio
from trio.testing import MockClock

from connector.testing.exchange.exchange import open_exchange
from connector.testing.explore import verdict
from connector.testing.explore.faults import ALL_FAULTS, OPERATION_FAULTS, check_fault
from connector.testing.explore.operations import ExploredNetwork
from connector.testing.explore.plan import Case, Plan
from connector.testing.explore.result import Finding, Result
from connector.testing.explore.scenario import Scenario
from connector.testing.explore.schedule import Fifo, Picker, Schedule, taken_over
from connector.testing.explore.stage import Stage
from connector.testing.explore.steps import Killed, Steps
from connector.testing.explore.tls import contexts
from connector.testing.explore.tree import all_tasks, draw
from connector.testing.explore.wall_clock import WallClock
from connector.testing.network.ledger import DialRecord
from connector.testing.network.world_tasks import WORLD

GRACE_SECONDS = 30.0
"""Virtual time that a hanging program gets to end after it is cancelled."""
_MOST = 255
CPU_SECONDS = 20.0
"""CPU time without a checkpoint after which a run is considered an endless loop."""


class Stuck(BaseException):
    """Raised in a program that computes without a checkpoint."""


def run(
    scenario: Scenario,
    schedule: Schedule | None = None,
    plan: Plan | None = None,
    *,
    traced: bool = False,
    counted: bool = False,
) -> Result:
    """Run `scenario` once. Must not be called inside of `trio.run`.

    Args:
        scenario: what to run.
        schedule: the order in which tasks run; by default the order in which they were spawned.
        plan: the faults; by default none.
        traced: whether to record which task makes each step.
        counted: whether to count dials, sends, receives and closes.

    Raises:
        ValueError: the plan contains an unknown fault.
    """
    schedule = schedule or Fifo()
    plan = plan or Plan()
    for trigger in plan.triggers:
        check_fault(trigger.fault, of_operation=trigger.at != "step")
    return _Run(scenario, schedule, plan, traced=traced, counted=counted).execute()


class _Run:
    def __init__(
        self, scenario: Scenario, schedule: Schedule, plan: Plan, *, traced: bool, counted: bool
    ) -> None:
        self.scenario = scenario
        self.case = Case(scenario.name, schedule, plan)
        self.plan = plan
        self.findings: list[Finding] = []
        self.tls = contexts() if scenario.tls else None
        self.network = ExploredNetwork(
            ssl_context=self.tls.client if self.tls else None,
            failing=tuple(trigger for trigger in plan.triggers if trigger.at != "step"),
            failed=self.note_struck,
            counted=counted,
        )
        self.shuffler = schedule.begin()
        self.steps = Steps(
            self.shuffler, strike=self.strike, stuck=self.find_livelock, traced=traced
        )
        self.wall = WallClock()
        self.stage: Stage | None = None
        self.connected = bytearray()
        self.served = bytearray()
        self.orders = bytearray()
        self.noted: list[str] = []
        self.noted_before: list[int] = []
        self.struck: list[tuple[str, float]] = []
        self.ended_at: float | None = None
        self.error: BaseException | None = None
        self.broken: list[DialRecord] = []
        self._due: dict[int, list[str]] = {}
        for trigger in plan.triggers:
            if trigger.at == "step":
                self._due.setdefault(trigger.number, []).append(trigger.fault)
        self._livelocks = 0

    def execute(self) -> Result:
        clock = MockClock(autojump_threshold=0)
        state = random.getstate()
        random.seed(str(self.case.schedule))
        try:
            with taken_over(self.steps), self.wall.installed(), _interruptible(), _bounded_cpu():
                ran = outcome.capture(self.run_main, clock)
        finally:
            random.setstate(state)
        if self.steps.failure is not None:
            raise self.steps.failure
        if isinstance(ran, outcome.Error) and not self._is_expected(ran.error):
            raise ran.error
        return Result(
            case=self.case,
            findings=tuple(self.findings),
            steps=self.steps.count,
            struck=len(self.struck),
            connected=bytes(self.connected),
            served=bytes(self.served),
            orders=bytes(self.orders),
            noted=tuple(self.noted),
            noted_before=tuple(self.noted_before),
            operations=self.network.operations,
            most_tasks=self.steps.most_tasks,
            dials=len(self.network.ledger),
            seconds=self.ended_at or clock.current_time(),
            choices=tuple(self.shuffler.choices) if isinstance(self.shuffler, Picker) else (),
            trace=tuple(self.steps.trace),
            error=self.error,
        )

    def _is_expected(self, error: BaseException) -> bool:
        """Whether this error is allowed: we killed the run, or an interrupt followed its end."""
        if isinstance(error.__cause__, Killed):
            return bool(self.findings)
        interrupted = any(fault == "interrupt" for fault, _ in self.struck)
        return (
            interrupted
            and self.ended_at is not None
            and all(isinstance(each, KeyboardInterrupt) for each in verdict.leaves(error))
        )

    # Inside trio.

    def run_main(self, clock: MockClock) -> None:
        trio.run(self.main, clock=clock, instruments=[self.steps])

    async def main(self) -> None:
        scenario = self.scenario
        WORLD.set(True)
        async with open_exchange(
            scenario.venue,
            network=self.network,
            source=scenario.source,
            ssl_context=self.tls.server if self.tls else None,
            **scenario.exchange_options,
        ) as exchange:
            stage = self.stage = Stage(
                self.network, exchange, self.wall, self.find, self.plan_ahead
            )
            if exchange.accounts:
                exchange.trading.note(self.noted)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.watch, stage)
                nursery.start_soon(stage.end_stalls)
                if any(trigger.lasting for trigger in self.plan.triggers):
                    nursery.start_soon(self.lose_patience, stage)
                WORLD.set(False)
                self.steps.begin()
                ended = await outcome.acapture(self.perform, stage)
                self.steps.end()
                WORLD.set(True)
                self.ended_at = trio.current_time()
                self.error = ended.error if isinstance(ended, outcome.Error) else None
                for invariant, what in verdict.judge(self.evidence(stage)):
                    self.find(invariant, what)
                nursery.cancel_scope.cancel()

    def evidence(self, stage: Stage) -> verdict.Evidence:
        """Collect the evidence for the verdict, a moment after the program's end."""
        return verdict.Evidence(
            scenario=self.scenario,
            stage=stage,
            error=self.error,
            struck=tuple(self.struck),
            broken=tuple(self.broken),
            ended_at=trio.current_time(),
            tasks_left=[task.name for task in all_tasks() if not task.context.get(WORLD)],
            most_tasks=self.steps.most_tasks,
        )

    async def perform(self, stage: Stage) -> None:
        with stage.scope:
            await self.scenario.program(stage)

    async def watch(self, stage: Stage) -> None:
        """Report a program that does not end, and end it."""
        await trio.sleep(self.scenario.limit_seconds)
        struck = [fault for fault, _ in self.struck]
        silent = any(fault in OPERATION_FAULTS or ALL_FAULTS[fault].silent for fault in struck)
        ends = any(fault in ALL_FAULTS and ALL_FAULTS[fault].ends for fault in struck)
        invariant = "I12" if ends else "I7" if silent else "progress"
        words = {
            "I12": "asked to end but does not",
            "I7": "does not notice the silence",
            "progress": "waits for something that will never happen",
        }
        advice = {"I7": "; a channel without a limit of silence needs stale_after in open_adapter"}
        what = f"{words[invariant]}: still running after {trio.current_time():g} s"
        self.find(invariant, what + advice.get(invariant, ""))
        stage.scope.cancel()
        await trio.sleep(GRACE_SECONDS)
        self.find("I12", f"cancelled but still running {GRACE_SECONDS:g} s later")
        self.steps.kill()

    async def lose_patience(self, stage: Stage) -> None:
        """Make the program leave if it cannot succeed."""
        await trio.sleep(self.scenario.lasting_seconds)
        stage.leave()

    # At every step.

    def strike(self, step: int) -> None:
        assert self.stage is not None
        if not self.plan:
            self._note_situation(self.stage)
        self.stage.look()
        if step not in self._due:
            return
        for name in self._due.pop(step):
            fault = ALL_FAULTS[name]
            if fault.loud and not self.struck:
                reached = self.network.connections
                if fault.needs_handshake:
                    reached = self.stage.served()
                self.broken = [each.record for each in reached]
            fault.strike(self.stage)
            self.note_struck(name)

    def _note_situation(self, stage: Stage) -> None:
        """Record what a sweep needs in order to skip faults that cannot matter at this step."""
        self.connected.append(bool(self.network.connections))
        self.served.append(min(len(stage.served()), _MOST))
        accounts = stage.exchange.accounts.values()
        self.orders.append(min(sum(len(each.open_orders) for each in accounts), _MOST))
        self.noted_before.append(len(self.noted))

    def plan_ahead(self, steps: int, fault: str) -> None:
        """Schedule a fault at a later step."""
        check_fault(fault)
        self._due.setdefault(self.steps.count + max(steps, 1), []).append(fault)

    def note_struck(self, fault: str) -> None:
        """Record that a fault of the plan has struck."""
        assert self.stage is not None
        self.struck.append((fault, trio.current_time()))
        self.stage.struck()

    def find_livelock(self) -> None:
        self._livelocks += 1
        if self._livelocks > 1 or self.stage is None:
            self.steps.kill()
            return
        cancelled = self.stage.scope.cancel_called
        self.find("I12" if cancelled else "progress", "runs endlessly while no virtual time passes")
        self.stage.scope.cancel()

    def find(self, invariant: str, what: str) -> None:
        """Record a finding."""
        self.findings.append(
            Finding(
                invariant=invariant,
                what=what,
                case=self.case,
                step=self.steps.count,
                seconds=trio.current_time(),
                tasks=draw(lambda task: not task.context.get(WORLD)),
            )
        )


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGINT interrupt, even in a process that a shell has started in the background."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        yield
        return
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    except ValueError:  # not the main thread: there trio does not interrupt either
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def _bounded_cpu() -> Iterator[None]:
    """Raise `Stuck` in a block that computes for too long; no effect outside the main thread."""

    def stop(_: int, __: FrameType | None) -> None:
        raise Stuck(f"computing for {CPU_SECONDS:g} s without a checkpoint")

    try:
        before = signal.signal(signal.SIGVTALRM, stop)
    except ValueError:
        yield
        return
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
