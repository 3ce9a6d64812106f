"""The table of a link's states: what it allows is what the adapter does, all of it."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest
import trio
from trio.testing import MockClock

from connector import open_adapter
from connector.channels import BestQuote
from connector.errors import InvariantViolated
from connector.exchanges import binance
from connector.lifecycle import Stale
from connector.link import link, states
from connector.link.states import TRANSITIONS, State, enter
from connector.testing import Fault, MemoryNetwork, OrderFlow, open_exchange
from connector.testing.explore import Plan, run
from connector.testing.explore.scenarios import SCENARIOS
from tests.link.test_source import at, everything, script
from tests.toy import Ticks, Toy, frame

STATES: tuple[State, ...] = get_args(State)
ALLOWED = {(before, after) for before, row in TRANSITIONS.items() for after in row}
Taken = set[tuple[State, State]]


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Taken:
    """The transitions that links make, as they make them."""
    seen: Taken = set()

    def note(before: State, after: State) -> State:
        seen.add((before, after))
        return enter(before, after)

    monkeypatch.setattr(link, "enter", note)
    return seen


def test_the_table_is_about_every_state() -> None:
    assert set(TRANSITIONS) == set(STATES)
    assert {after for _, after in ALLOWED} == set(STATES)


@pytest.mark.parametrize(("before", "after"), [*itertools.product(STATES, STATES)])
def test_only_what_is_in_the_table_is_allowed(before: State, after: State) -> None:
    if (before, after) in ALLOWED:
        assert enter(before, after) == after
    else:
        with pytest.raises(InvariantViolated, match=f"{before} cannot become {after}"):
            enter(before, after)


def test_a_link_is_held_to_the_table() -> None:
    assert link.enter is states.enter


CASES = (("stream", "leave"), ("stream", "reset"), ("backoff", "leave"))
"""Scenario, and what strikes at every second step of it."""


def test_the_explorers_scenarios_take_every_transition(taken: Taken) -> None:
    for name, fault in CASES:
        scenario = SCENARIOS[name]
        for step in range(1, run(scenario).steps + 1, 2):
            result = run(scenario, plan=Plan.at_steps({step: fault}))
            assert not result.findings, str(result.findings[0])

    assert taken <= ALLOWED
    # What is in no scenario has a test of its own below.
    assert ALLOWED - taken == {("streaming", "streaming"), ("waiting", "ended")}


async def test_a_link_over_a_source_ends_with_it(taken: Taken) -> None:
    async with open_adapter(Toy(), source=script([at(1, frame("A", 1))])) as adapter:
        await everything(adapter, Ticks("A"))

    assert ("waiting", "ended") in taken
    assert taken <= ALLOWED


async def test_a_silent_stream_that_is_asked_for_again_is_a_transition(
    taken: Taken, autojump_clock: MockClock
) -> None:
    network = MemoryNetwork()
    async with (
        open_exchange(
            "usdm", source=OrderFlow(symbols=("BTCUSDC", "ETHUSDC")), network=network
        ) as exchange,
        open_adapter(
            binance.UsdMFutures(endpoints=exchange.endpoints), dialer=network, stale_after=2.0
        ) as adapter,
        adapter.lifecycle() as events,
        adapter.subscribe(BestQuote("ETHUSDC"), BestQuote("BTCUSDC")) as quotes,
        trio.open_nursery() as nursery,
    ):

        async def consume() -> None:
            async for _ in quotes:
                pass

        nursery.start_soon(consume)
        exchange.inject(Fault("mute_stream", stream="ethusdc@*", times=1))
        async for event in events:
            if isinstance(event, Stale):
                break
        await trio.sleep(1.0)
        nursery.cancel_scope.cancel()

    assert ("streaming", "streaming") in taken
    assert taken <= ALLOWED
