"""The public strategies: what they draw is valid, varied, and shrinks to what one can read."""

from __future__ import annotations

import hashlib

import attrs
import msgspec
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from connector.testing import Delays, Fault, FaultPlan, Readings, TradingFault
from connector.testing.explore import Fifo, Plan, Schedule, parse_plan, parse_schedule, run
from connector.testing.explore.scenarios import SCENARIOS
from connector.testing.strategies import (
    chunks,
    delays,
    fault_plans,
    operation_plans,
    readings,
    schedules,
    step_plans,
    trading_faults,
)


def test_a_hundred_examples_are_many_schedules() -> None:
    traces = set()

    @settings(max_examples=100, database=None)
    @given(schedules())
    def example(schedule: Schedule) -> None:
        result = run(SCENARIOS["connect"], schedule, traced=True)
        traces.add(hashlib.sha256(repr(result.trace).encode()).hexdigest())

    example()

    assert len(traces) >= 50


@given(schedules(), step_plans(200))
def test_they_read_back(schedule: Schedule, plan: Plan) -> None:
    assert parse_schedule(str(schedule)) == schedule
    assert parse_plan(str(plan)) == plan


@given(operation_plans())
def test_operation_plans_read_back(plan: Plan) -> None:
    assert parse_plan(str(plan)) == plan


@given(fault_plans())
def test_fault_plans_survive_json(plan: FaultPlan) -> None:
    assert FaultPlan.from_json(plan.to_json()) == plan


@given(trading_faults())
def test_trading_faults_survive_json(fault: TradingFault) -> None:
    assert msgspec.json.decode(msgspec.json.encode(fault), type=TradingFault) == fault


def test_readings_and_delays_shrink_to_the_defaults_and_reach_every_value() -> None:
    assert find(readings(), lambda _: True, settings=SEARCH) == Readings()
    assert find(delays(), lambda _: True, settings=SEARCH) == Delays()
    for field in attrs.fields(Readings):
        changed = find(
            readings(), lambda r, f=field: getattr(r, f.name) != f.default, settings=SEARCH
        )
        assert sum(getattr(changed, f.name) != f.default for f in attrs.fields(Readings)) == 1


@given(st.binary(max_size=100).flatmap(lambda data: st.tuples(st.just(data), chunks(data))))
def test_chunks_are_the_data(drawn: tuple[bytes, list[bytes]]) -> None:
    data, pieces = drawn

    assert b"".join(pieces) == data


SEARCH = settings(database=None, max_examples=10_000, phases=(Phase.generate, Phase.shrink))
"""A hundred examples, as usual, hold a certain one of thirty faults not always. What varies
without a difference need not be explained."""


def test_a_failure_shrinks_to_one_fault_in_the_usual_order() -> None:
    schedule, plan = find(
        st.tuples(schedules(), step_plans(100)),
        lambda drawn: "reset" in drawn[1].faults,
        settings=SEARCH,
    )

    assert schedule == Fifo()
    assert str(plan) == "1=reset"


def test_a_fault_plan_shrinks_to_one_fault() -> None:
    plan = find(
        fault_plans(),
        lambda plan: any(fault.kind == "half_open" for fault in plan.faults),
        settings=SEARCH,
    )

    assert [fault.kind for fault in plan.faults] == ["half_open"]
    assert plan.faults[0] == Fault("half_open", plan.faults[0].when, times=1, code=1000)
