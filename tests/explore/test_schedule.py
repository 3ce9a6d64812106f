"""The canary: trio's private names are there, and a schedule decides alone what runs next."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio._core import _run as scheduler

from connector.testing import Silent
from connector.testing.explore import (
    Fifo,
    Picks,
    Plan,
    Scenario,
    Schedule,
    Seeded,
    Stage,
    parse_schedule,
    run,
)
from connector.testing.explore.scenarios import SCENARIOS
from connector.testing.explore.schedule import taken_over

STREAM = SCENARIOS["stream"]
PLAN = Plan.at_steps({60: "reset", 150: "half_open"})

TRACE = """
import hashlib, sys
from connector.testing.explore import parse_plan, parse_schedule, run
from connector.testing.explore.scenarios import SCENARIOS
result = run(SCENARIOS["stream"], parse_schedule(sys.argv[1]), parse_plan(sys.argv[2]), traced=True)
print(hashlib.sha256(repr(result.trace).encode()).hexdigest())
"""


def fingerprint(schedule: Schedule, plan: Plan = PLAN) -> str:
    result = run(STREAM, schedule, plan, traced=True)
    return hashlib.sha256(repr(result.trace).encode()).hexdigest()


def test_the_private_names_exist() -> None:
    assert isinstance(scheduler._ALLOW_DETERMINISTIC_SCHEDULING, bool)
    assert callable(scheduler._r.shuffle)


def test_they_are_restored() -> None:
    before = scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r

    with pytest.raises(ZeroDivisionError), taken_over(Fifo().begin()):
        assert scheduler._ALLOW_DETERMINISTIC_SCHEDULING is True
        raise ZeroDivisionError

    assert (scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r) == before


@pytest.mark.parametrize("schedule", [Fifo(), Seeded(7), Picks((0, 1, 2))], ids=str)
def test_one_seed_and_plan_is_one_trace(schedule: Schedule) -> None:
    assert len({fingerprint(schedule) for _ in range(5)}) == 1


def test_one_trace_across_hash_seeds() -> None:
    traces = set()
    for hash_seed in ("1", "2"):
        completed = subprocess.run(
            [sys.executable, "-c", TRACE, "seed-7", str(PLAN)],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        traces.add(completed.stdout.strip())

    assert traces == {fingerprint(Seeded(7))}


def test_many_seeds_are_many_traces() -> None:
    assert len({fingerprint(Seeded(seed), Plan()) for seed in range(40)}) >= 35


def test_no_picks_is_fifo() -> None:
    assert fingerprint(Picks()) == fingerprint(Fifo())


def test_one_pick_deviates_once() -> None:
    choices = run(STREAM, Picks()).choices

    assert len(choices) > 5
    traces = {fingerprint(Picks((*(0,) * at, 1)), Plan()) for at in range(len(choices))}
    assert len(traces) == len(choices)


@given(
    st.one_of(
        st.just(Fifo()),
        st.builds(Seeded, st.integers(0)),
        st.builds(Picks, st.lists(st.integers(0, 9)).map(tuple)),
    )
)
def test_a_schedule_reads_back(schedule: Schedule) -> None:
    assert parse_schedule(str(schedule)) == schedule


@pytest.mark.parametrize("text", ["", "seed", "seed-x", "lifo", "picks-a"])
def test_what_is_no_schedule(text: str) -> None:
    with pytest.raises(ValueError, match="write fifo"):
        parse_schedule(text)


# --- one trace for one seed, whatever the version of trio and of Python


async def _meet(stage: Stage) -> None:
    """Tasks that wait for one another in all of trio's ways; nothing of ours."""
    send, receive = trio.open_memory_channel[int](2)
    done = trio.Event()

    async def produce(number: int) -> None:
        for each in range(3):
            await send.send(10 * number + each)
            await trio.sleep(0.5 * number)

    async def drain() -> None:
        for _ in range(9):
            await receive.receive()
        done.set()

    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(produce, number)
        nursery.start_soon(drain)
        with trio.move_on_after(0.25):
            await done.wait()
        await done.wait()


PINNED = {
    "fifo": "121f001d7e533a76",
    "seed-1": "551de58215fd1cc4",
    "seed-2": "77e900f2fffec792",
    "picks-1.0.2": "8f4099a338c17b27",
}


@pytest.mark.parametrize("schedule", PINNED)
def test_the_trace_of_a_seed_is_the_same_in_every_version(schedule: str) -> None:
    result = run(
        Scenario(name="meet", program=_meet, source=Silent()),
        parse_schedule(schedule),
        traced=True,
    )

    names = " ".join(f"{number}:{name.rpartition('.')[2]}" for number, name in result.trace)
    assert hashlib.sha256(names.encode()).hexdigest()[:16] == PINNED[schedule]
