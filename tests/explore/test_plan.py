"""Plans and cases print as one types them, and read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.testing.explore import Case, Plan, Trigger, parse_case, parse_plan, run
from connector.testing.explore.plan import OPERATIONS
from connector.testing.explore.scenarios import SCENARIOS

triggers = st.one_of(
    st.builds(Trigger, st.integers(1, 999), st.sampled_from(["reset", "http_429"])),
    st.builds(
        Trigger,
        st.integers(1, 99),
        st.just("fail"),
        at=st.sampled_from(OPERATIONS),
        lasting=st.booleans(),
    ),
)


@given(st.lists(triggers, max_size=4).map(lambda several: Plan(tuple(several))))
def test_a_plan_reads_back(plan: Plan) -> None:
    assert parse_plan(str(plan)) == plan


def test_a_case_reads_back() -> None:
    case = Case("package.module:SCENARIO", plan=Plan((Trigger(3, "fail", "send", lasting=True),)))

    assert str(case) == "package.module:SCENARIO/fifo/send3+=fail"
    assert parse_case(str(case)) == case


@pytest.mark.parametrize("text", ["17", "reset", "0x=reset", "listen3=fail", "=reset", "17=,"])
def test_what_is_no_plan(text: str) -> None:
    with pytest.raises(ValueError, match="write 17=reset"):
        parse_plan(text)


def test_a_fault_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="unknown fault 'explode'; the faults are cancel"):
        run(SCENARIOS["connect"], plan=Plan.at_steps({1: "explode"}))
