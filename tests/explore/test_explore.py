"""The steps of the core scenarios with every fault find nothing; the rest is `nox -s explore`."""

from __future__ import annotations

import gc
import importlib
import itertools
import signal
from collections import Counter
from collections.abc import Iterator, Sequence

import attrs
import pytest
import trio

from connector.book import State
from connector.channels import OrderBook
from connector.exchanges import binance
from connector.link.link import Link
from connector.testing.explore import (
    STEP_FAULTS,
    TRADING_FAULTS,
    Plan,
    Scenario,
    Seeded,
    Stage,
    faults,
    parse_case,
    run,
    sweep,
)
from connector.testing.explore.book_programs import BookReader, read_books
from connector.testing.explore.plan import OPERATIONS
from connector.testing.explore.programs import adapter_on
from connector.testing.explore.scenarios import SCENARIOS
from connector.testing.explore.tree import all_tasks

sweep_module = importlib.import_module("connector.testing.explore.sweep")

CORE_FAULTS = faults.CORE
AROUND = tuple(fault for fault in faults.CORE if fault != "leave")
"""`leave` has a test of its own below."""
REST = tuple(fault for fault in STEP_FAULTS if fault not in AROUND)
SAMPLE = 31
"""Of the core scenario `stream`, these strike at every thirty-first step."""
BUDGET = {
    "connect": tuple(STEP_FAULTS),
    "stream": AROUND,
    "tls": (*AROUND, "tls_break"),
    "backoff": AROUND,
    "reconnect": AROUND,
}
"""Faults at steps; the others are left to the long sweep."""
STRIDE = {"connect": 13, "stream": 7, "tls": 17, "backoff": 17, "reconnect": 17}
"""At every so many-th step: what lies between is left to the long sweep, too."""


@pytest.mark.parametrize("name", BUDGET)
def test_the_steps_with_every_fault(name: str) -> None:
    scenario = attrs.evolve(SCENARIOS[name], stride=STRIDE[name])

    report = sweep(scenario, kinds=("steps",), faults=BUDGET[name])

    assert not report.findings, str(report)
    assert report.tally(name).names == set(BUDGET[name])


def test_a_sample_of_the_steps_with_the_other_faults() -> None:
    scenario = attrs.evolve(SCENARIOS["stream"], stride=SAMPLE)

    report = sweep(scenario, kinds=("steps",), faults=REST)

    assert not report.findings, str(report)
    assert report.tally("stream").names == set(REST)


def test_a_stride_takes_a_sample_of_the_steps() -> None:
    scenario = SCENARIOS["connect"]
    every, tenth = (
        sweep(each, kinds=("steps",), faults=("cancel",)).runs - 1
        for each in (scenario, attrs.evolve(scenario, stride=10))
    )

    assert tenth == -(-every // 10) > 1


def test_a_stride_takes_a_sample_of_the_operations_and_the_first_of_each() -> None:
    scenario = attrs.evolve(SCENARIOS["connect"], stride=1000)

    results = sweep_module.operations(scenario, sweep_module.Unit("connect", "operations"))
    tried = {(each.at, each.number) for result in results for each in result.case.plan.triggers}

    assert tried == {(operation, 1) for operation in OPERATIONS}


@pytest.mark.parametrize("name", ["connect", "stream", "tls"])
def test_every_operation_fails_once_and_for_ever(name: str) -> None:
    report = sweep(SCENARIOS[name], kinds=("operations",))

    assert not report.findings, str(report)
    assert report.runs > 25


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_ends_well_in_any_order(name: str) -> None:
    for seed in range(2):
        result = run(SCENARIOS[name], Seeded(seed))

        assert not result.findings, "\n".join(map(str, result.findings))


@pytest.mark.parametrize(
    ("name", "faults"), [("trade", TRADING_FAULTS), ("quote_spot", CORE_FAULTS)]
)
def test_accounts_keep_their_promises_at_some_steps(name: str, faults: Sequence[str]) -> None:
    """A sample, lean enough for every run of the tests; `docs/design.md` has the whole."""
    scenario = attrs.evolve(SCENARIOS[name], stride=2999)

    report = sweep(scenario, kinds=("steps",), faults=tuple(faults))

    assert not report.findings, str(report)


@pytest.mark.parametrize("fault", ["lose_reply", "late_event", "slow_engine", "expire_key"])
def test_a_fault_that_lies_in_wait_is_the_same_until_what_it_waits_for(fault: str) -> None:
    scenario = SCENARIOS["amend"]
    tried = list(sweep_module._steps_of(run(scenario), fault))
    first, last = max(itertools.pairwise(tried), key=lambda pair: pair[1] - pair[0])

    def signature(step: int) -> tuple[object, ...]:
        result = run(scenario, plan=Plan.at_steps({step: fault}))
        return result.steps, result.seconds, result.dials, result.struck

    assert 3 < len(tried) < 60
    assert signature(first) == signature(last - 1)
    assert any(signature(step) != signature(tried[0]) for step in tried[1:])


@pytest.mark.parametrize(
    ("name", "connections"),
    [("routes", {"/public": 1, "/market": 1, "": 1}), ("shards", {"/public": 2, "/market": 1})],
)
def test_which_connections_those_with_three_links_have(
    name: str, connections: dict[str, int]
) -> None:
    seen: list[dict[str, int]] = []
    scenario = SCENARIOS[name]

    async def program(stage: Stage) -> None:
        await scenario.program(stage)
        seen.append(stage.exchange.max_concurrent_by_route)

    result = run(attrs.evolve(scenario, program=program))

    assert not result.findings
    assert seen == [connections]


def test_the_collector_is_off_during_a_sweep_and_on_again_after_it() -> None:
    states = []

    async def program(stage: Stage) -> None:
        states.append(gc.isenabled())
        await trio.lowlevel.checkpoint()

    sweep(Scenario(name="nothing", program=program), kinds=())

    assert states == [True]  # only the run that looks whether all is well without a fault
    assert gc.isenabled()


def test_a_disconnect_strikes_every_state_of_a_books_join() -> None:
    seen: Counter[str] = Counter()
    channel = OrderBook("ETHUSDC")

    async def program(stage: Stage) -> None:
        async with (
            adapter_on(stage, lambda endpoints: binance.Spot(endpoints=endpoints)) as adapter,
            adapter.subscribe(channel, gaps=True) as feed,
        ):
            note, reader = stage.struck, BookReader(stage)

            def struck() -> None:
                seen.update(book.state for book in adapter.statistics().books.values())
                note()

            stage.struck = struck  # type: ignore[method-assign]
            await read_books(stage, feed, reader)

    scenario = attrs.evolve(SCENARIOS["book_spot"], program=program, stride=7)

    report = sweep(scenario, kinds=("steps",), faults=["close", "reset"])

    assert not report.findings, str(report)
    assert set(seen) == {state.value for state in State}


# --- what the explorer has found, and is no longer there


@pytest.mark.parametrize(
    "case",
    [
        # A frame that broke off was a DecodeError, and no Gap: the loss was invisible.
        "stream/fifo/58=bad_json",
        # A reply that never came was waited for behind events that nobody read, for ever.
        "unread/fifo/50=stall",
        "unread/fifo/50=no_ack",
        # What cannot strike during the handshake was expected to be noticed.
        "planned_end/fifo/17=close",
        # So was a close frame that never arrived.
        "connect/fifo/31=close,33=half_open",
    ],
)
def test_what_was_found_once(case: str) -> None:
    given = parse_case(case)

    result = run(SCENARIOS[given.scenario], given.schedule, given.plan)

    assert result.struck == len(given.plan.triggers)
    assert not result.findings, "\n".join(map(str, result.findings))


# --- the explorer itself


def test_a_program_that_waits_for_ever() -> None:
    async def program(stage: Stage) -> None:
        await trio.sleep_forever()

    result = run(Scenario(name="asleep", program=program))

    (finding,) = result.findings
    assert finding.invariant == "progress"
    assert "still running after 120 s" in finding.what
    assert "main  test_explore.py" in finding.tasks


def test_a_program_that_runs_for_ever() -> None:
    async def program(stage: Stage) -> None:
        while True:
            await trio.lowlevel.checkpoint()

    result = run(Scenario(name="awake", program=program))

    assert {"progress"} == {finding.invariant for finding in result.findings}
    assert "no virtual time passes" in result.findings[0].what


def test_a_program_that_cannot_be_cancelled() -> None:
    async def program(stage: Stage) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep_forever()

    result = run(Scenario(name="deaf", program=program), plan=Plan.at_steps({1: "cancel"}))

    assert [finding.invariant for finding in result.findings] == ["I12", "I12"]
    assert "cancelled but still running" in result.findings[1].what


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN])
def _sigint(request: pytest.FixtureRequest) -> Iterator[None]:
    """SIGINT as in the foreground, and as in a job that a script runs in the background."""
    before = signal.signal(signal.SIGINT, request.param)
    yield
    assert signal.signal(signal.SIGINT, before) is request.param


@pytest.mark.usefixtures("_sigint")
def test_an_interrupt_arrives_in_the_main_task() -> None:
    seen = []

    async def program(stage: Stage) -> None:
        try:
            await trio.sleep(1)
        except KeyboardInterrupt:
            seen.append(trio.lowlevel.current_task().name)
            raise

    result = run(Scenario(name="asleep", program=program), plan=Plan.at_steps({1: "interrupt"}))

    assert len(seen) == 1
    assert isinstance(result.error, KeyboardInterrupt)
    assert not result.findings


def test_the_wall_clock_is_virtual_and_jumps() -> None:
    import time

    seen: list[float] = []

    async def program(stage: Stage) -> None:
        for _ in range(3):
            seen.append(time.time())
            await trio.sleep(10)

    before = time.time
    run(Scenario(name="clock", program=program), plan=Plan.at_steps({4: "clock_back"}))

    assert time.time is before
    assert seen[1] - seen[0] == 10
    assert seen[2] - seen[1] == 10 - 7200


def test_a_broken_fault_is_not_mistaken_for_a_good_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def program(stage: Stage) -> None:
        monkeypatch.setattr(stage, "struck", lambda: 1 / 0)
        await trio.sleep(1)

    with pytest.raises(ZeroDivisionError):
        run(Scenario(name="broken", program=program), plan=Plan.at_steps({2: "reset"}))


# --- that every state is reached


def test_it_is_left_in_every_state_of_a_link() -> None:
    """Dialling, TLS, handshake, subscribing, streaming, closing, in backoff."""
    seen: set[str] = set()

    def watched(scenario: Scenario) -> Scenario:
        async def program(stage: Stage) -> None:
            leave = stage.leave

            def leave_and_look() -> None:
                seen.update(states(stage))
                leave()

            stage.leave = leave_and_look  # type: ignore[method-assign]
            await scenario.program(stage)

        return attrs.evolve(scenario, program=program)

    for name in ("tls", "backoff", "reconnect"):
        scenario = attrs.evolve(watched(SCENARIOS[name]), stride=5)
        report = sweep(scenario, kinds=("steps",), faults=("leave",))
        assert not report.findings, str(report)

    assert seen >= {
        "dialling", "TLS or handshake", "waiting", "subscribing", "streaming", "closing",
    }  # fmt: skip


def states(stage: Stage) -> set[str]:
    """What the link and the network are in the middle of."""
    found = set()
    for task in all_tasks():
        for frame, _ in task.iter_await_frames():
            link = frame.f_locals.get("self")
            if isinstance(link, Link):
                found.add(link.state)
    if any(record.state == "dialing" for record in stage.network.ledger):
        found.add("dialling")
    if stage.network.connections and not stage.served():
        found.add("TLS or handshake")
    return found
