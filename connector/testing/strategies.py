"""Hypothesis strategies for markets, networks and schedulers. Needs `hypothesis`.

Every strategy shrinks to a readable example: fewer faults, earlier ones, the
usual order of tasks.

.. code-block:: python

    @given(schedules(), step_plans(200))
    def test_my_program(schedule, plan):
        result = run(MY_SCENARIO, schedule, plan)
        assert not result.findings, result.findings[0]
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, get_args, get_type_hints

import attrs
from hypothesis import strategies as st

from connector.testing.exchange.trading.delays import Delays
from connector.testing.exchange.trading.readings import Readings
from connector.testing.exchange.trading.refusals import SAYINGS, UNAVAILABLE_503, UNKNOWN_503
from connector.testing.explore.faults import OPERATION_FAULTS, STEP_FAULTS
from connector.testing.explore.plan import OPERATIONS, Plan, Trigger
from connector.testing.explore.schedule import Fifo, Picks, Schedule, Seeded
from connector.testing.faults.faults import (
    HANDSHAKE_KINDS,
    LIVE_KINDS,
    Fault,
    FaultKind,
    FaultPlan,
    When,
)
from connector.testing.faults.trading import EVENT_KINDS, TradingFault, TradingFaultKind

TRADING_KINDS: tuple[TradingFaultKind, ...] = (
    "late_reply", "double_reply", "lose_reply", "lose_request", "late_request", "cut_reply",
    "cut_request", "answer", "double_event", "late_event", "swap_events", "lose_event",
)  # fmt: skip
"""Faults of trading, the mildest first."""

BREAKING: tuple[FaultKind, ...] = (
    "close", "fin", "reset", "half_open", "mute", "close_and_hold", "bad_reserved_bits",
    "bad_mask", "bad_opcode", "bad_length", "bad_utf8",
)  # fmt: skip
"""Live faults after which a connection is of no use, the mildest first."""


def schedules() -> st.SearchStrategy[Schedule]:
    """Orders in which tasks run; shrinks to the order of their spawning.

    Hypothesis by itself runs every example in one and the same order of tasks.
    """
    seeded: st.SearchStrategy[Schedule] = st.builds(Seeded, st.integers(0, 2**32 - 1))
    picked: st.SearchStrategy[Schedule] = st.builds(
        Picks, st.lists(st.integers(0, 3), min_size=1, max_size=60).map(tuple)
    )
    return st.one_of(st.just(Fifo()), picked, seeded, seeded)


def step_faults(names: Iterable[str] | None = None) -> st.SearchStrategy[str]:
    """Names of faults at a step; by default those that do not make a run much longer."""
    fast = [name for name, fault in STEP_FAULTS.items() if not fault.slow]
    return st.sampled_from(list(names) if names is not None else fast)


def step_plans(
    most_steps: int, *, faults: Iterable[str] | None = None, most_faults: int = 3
) -> st.SearchStrategy[Plan]:
    """Plans of `connector.testing.explore` with faults at steps.

    Args:
        most_steps: the last step at which one may strike, about as many as the program has.
        faults: which; by default those that do not make a run much longer.
        most_faults: how many at most.
    """
    pairs = st.dictionaries(st.integers(1, most_steps), step_faults(faults), max_size=most_faults)
    return pairs.map(Plan.at_steps)


def operation_plans(most_operations: int = 30) -> st.SearchStrategy[Plan]:
    """Plans in which the N-th dial, send, receive or close fails, once or from then on."""
    trigger = st.builds(
        Trigger,
        st.integers(1, most_operations),
        st.sampled_from(OPERATION_FAULTS),
        at=st.sampled_from(OPERATIONS),
        lasting=st.booleans(),
    )
    return st.lists(trigger, max_size=2).map(lambda triggers: Plan(tuple(triggers)))


def faults(
    kinds: Sequence[FaultKind] | None = None, *, most_seconds: float = 30.0
) -> st.SearchStrategy[Fault]:
    """Faults of a `FaultPlan`, each with its moment.

    Args:
        kinds: which; by default all.
        most_seconds: no moment is later.
    """
    known = sorted(LIVE_KINDS | HANDSHAKE_KINDS)
    # Made once: to make one takes ten times as long as to draw from it.
    of_kind = {kind: _fault(kind, most_seconds) for kind in (known if kinds is None else kinds)}
    return st.sampled_from(list(of_kind)).flatmap(of_kind.__getitem__)


def fault_plans(
    kinds: Sequence[FaultKind] | None = None,
    *,
    most_seconds: float = 30.0,
    most_faults: int = 4,
) -> st.SearchStrategy[FaultPlan]:
    """Plans for `open_exchange(faults=…)`."""
    drawn = st.lists(faults(kinds, most_seconds=most_seconds), max_size=most_faults)
    return drawn.map(lambda several: FaultPlan(tuple(several)))


def trading_faults(methods: Sequence[str] = ("order.*",)) -> st.SearchStrategy[TradingFault]:
    """Faults for `Trading.inject`: of requests, replies and private events.

    Args:
        methods: the requests that may be struck, as patterns of names on the WebSocket API.
    """
    of_kind = {kind: _trading_fault(kind, methods) for kind in TRADING_KINDS}
    return st.sampled_from(TRADING_KINDS).flatmap(of_kind.__getitem__)


def readings() -> st.SearchStrategy[Readings]:
    """Every combination of what the documentation leaves open; shrinks to the defaults."""
    choices: dict[str, st.SearchStrategy[Any]] = {}
    for field in attrs.fields(Readings):
        values = (False, True) if isinstance(field.default, bool) else _values(field.name)
        others = [value for value in values if value != field.default]
        choices[field.name] = st.sampled_from([field.default, *others])
    return st.builds(Readings, **choices)


def delays(most_seconds: float = 1.0) -> st.SearchStrategy[Delays]:
    """Delays of requests, events and queries up to so long; shrinks to none."""
    tenths = st.integers(0, round(most_seconds * 10)).map(lambda number: number / 10)
    return st.builds(
        Delays, gateway=tenths, engine=tenths, events=tenths, queries=tenths,
        seed=st.integers(0, 2**16),
    )  # fmt: skip


def _values(name: str) -> tuple[Any, ...]:
    return get_args(get_type_hints(Readings)[name])


def _trading_fault(
    kind: TradingFaultKind, methods: Sequence[str]
) -> st.SearchStrategy[TradingFault]:
    common = {"skip": st.integers(0, 3), "times": st.integers(1, 3)}
    seconds = st.integers(1, 50).map(lambda tenths: tenths / 10)
    if kind in EVENT_KINDS:
        event = st.sampled_from(["*", "executionReport", "ORDER_TRADE_UPDATE", "*:TRADE"])
        return st.builds(TradingFault, st.just(kind), event=event, seconds=seconds, **common)
    method = st.sampled_from(list(methods))
    if kind != "answer":
        return st.builds(
            TradingFault, st.just(kind), method, seconds=seconds,
            reply_bytes=st.integers(0, 200) if kind == "cut_reply" else st.just(0), **common,
        )  # fmt: skip
    answers = [
        (UNAVAILABLE_503, 503, None, False),
        *((UNKNOWN_503, 503, None, effect) for effect in (False, True)),
        *(
            (SAYINGS[name][2], SAYINGS[name][0], SAYINGS[name][1], effect)
            for name in ("unexpected_response", "timeout")
            for effect in (False, True)
        ),
    ]
    return st.tuples(method, st.sampled_from(answers), common["skip"], common["times"]).map(
        lambda drawn: TradingFault(
            "answer", drawn[0], text=drawn[1][0], status=drawn[1][1], code=drawn[1][2],
            effect=drawn[1][3], skip=drawn[2], times=drawn[3],
        )
    )  # fmt: skip


def chunks(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """`data`, cut into pieces anywhere; shrinks to one piece."""
    cuts = st.sets(st.integers(1, max(1, len(data) - 1)), max_size=20)
    return cuts.map(lambda places: _cut(data, sorted(places)))


def _cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *(place for place in places if place < len(data)), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(edges)]


def _fault(kind: FaultKind, most_seconds: float) -> st.SearchStrategy[Fault]:
    seconds = st.integers(0, round(most_seconds * 10)).map(lambda tenths: tenths / 10)
    times = st.integers(1, 3)
    if kind in HANDSHAKE_KINDS:
        first = st.integers(1, 5)
        when = st.builds(When, first=first)
        status = st.sampled_from([503, 429, 500, 418]) if kind == "http_status" else st.just(503)
        return st.builds(Fault, st.just(kind), when, times=times, status=status)
    when = st.one_of(
        st.builds(When, messages=st.integers(0, 20)),
        st.builds(When, age_seconds=seconds),
        st.builds(When, seconds=seconds),
    )
    code = st.sampled_from([1000, 1001, 1011])
    return st.builds(Fault, st.just(kind), when, times=times, code=code)


__all__ = [
    "chunks",
    "delays",
    "fault_plans",
    "faults",
    "operation_plans",
    "readings",
    "schedules",
    "step_faults",
    "step_plans",
    "trading_faults",
]
