"""Fault plans are data: they survive JSON, print as what one would write, and refuse nonsense."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.testing import Fault, FaultPlan, When
from connector.testing.faults.faults import HANDSHAKE_KINDS, LIVE_KINDS

moments = st.floats(0, 1e6, allow_nan=False).map(lambda value: round(value, 3))
ranges = st.tuples(st.integers(1, 50), st.none() | st.integers(0, 50)).map(
    lambda pair: {"first": pair[0], "last": None if pair[1] is None else pair[0] + pair[1]}
)
live_whens = st.builds(
    lambda span, moment, route: When(**span, **moment, route=route),
    ranges,
    st.one_of(
        st.just({}),
        st.fixed_dictionaries({"seconds": moments}),
        st.fixed_dictionaries({"age_seconds": moments}),
        st.fixed_dictionaries({"messages": st.integers(0, 1000)}),
    ),
    st.sampled_from([None, "/public", "/market"]),
)
handshake_whens = st.builds(
    lambda span, begins, ends: When(**span, seconds=begins, until_seconds=ends),
    ranges,
    st.none() | moments,
    st.none() | moments,
)
parameters = st.fixed_dictionaries(
    {},
    optional={
        "times": st.integers(1, 9),
        "code": st.sampled_from([1000, 1001, 1011, 4000]),
        "message": st.text(max_size=20),
        "status": st.sampled_from([400, 403, 418, 429, 503]),
        "retry_after": moments,
        "partial_body": st.booleans(),
        "count": st.integers(1, 9),
        "stream": st.sampled_from(["*", "ethusdc@*"]),
    },
)
faults = st.one_of(
    st.builds(
        lambda kind, when, others: Fault(kind, when, **others),
        st.sampled_from(sorted(LIVE_KINDS)),
        live_whens,
        parameters,
    ),
    st.builds(
        lambda kind, when, others: Fault(kind, when, **others),
        st.sampled_from(sorted(HANDSHAKE_KINDS)),
        handshake_whens,
        parameters,
    ),
)
plans = st.lists(faults, max_size=5).map(lambda some: FaultPlan(tuple(some)))


@given(plan=plans)
@settings(max_examples=100, deadline=None)
def test_a_plan_survives_json_and_its_own_printing(plan: FaultPlan) -> None:
    assert FaultPlan.from_json(plan.to_json()) == plan
    assert eval(str(plan), {"FaultPlan": FaultPlan, "Fault": Fault, "When": When}) == plan
    assert hash(FaultPlan.from_json(plan.to_json())) == hash(plan)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Fault("explode"), "no kind of fault"),
        (lambda: When(seconds=1, messages=2), "give one of"),
        (lambda: When(seconds=-1), "negative"),
        (lambda: When(first=0), "numbered from 1"),
        (lambda: When(first=3, last=2), "first to last"),
        (lambda: Fault("refuse", When(route="/public")), "before there is a route"),
        (lambda: Fault("http_status", When(messages=1)), "before there is a route"),
        (lambda: Fault("close", When(until_seconds=3)), "handshake faults"),
    ],
)
def test_nonsense_is_refused_with_a_reason(make: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        make()  # type: ignore[operator]


def test_a_fault_says_what_it_is_in_one_line() -> None:
    assert str(Fault("close", When(messages=5), code=1011)) == (
        "Fault('close', When(messages=5), code=1011)"
    )
    assert str(Fault("reset")) == "Fault('reset')"


def test_unknown_fields_of_json_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown field"):
        FaultPlan.from_json('{"faults":[{"kind":"reset","sometimes":true}]}')
