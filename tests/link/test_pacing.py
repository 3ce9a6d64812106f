"""Attempts stay within every bound, whoever makes them and whenever, in virtual time."""

from __future__ import annotations

import email.utils
import math
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import trio
from hypothesis import assume, example, given
from hypothesis import strategies as st
from trio.testing import MockClock, assert_checkpoints

from connector.errors import ConfigError
from connector.link.pacing import HostGate, Pace, Reconnect, retry_after_seconds

A_BIT = 1e-6
"""Seconds: the clock is a float."""


def in_virtual_time(play: Callable[[], Awaitable[None]]) -> None:
    trio.run(play, clock=MockClock(autojump_threshold=0))


# --- Reconnect


reconnects = st.builds(
    Reconnect,
    initial=st.floats(0.001, 100),
    factor=st.one_of(st.floats(1, 10), st.floats(1, 1e308), st.integers(1, 10)),
    cap=st.floats(0.001, 1000),
    jitter=st.sampled_from(["full", "none"]),
)
failures = st.one_of(st.integers(0, 100), st.integers(0, 10**9))


def bound(reconnect: Reconnect, failures: int) -> float:
    """The longest time to wait, computed step by step."""
    result = reconnect.initial
    for _ in range(min(failures, 10_000) - 1):
        if result >= reconnect.cap or reconnect.factor == 1:
            break
        result *= reconnect.factor
    return min(result, reconnect.cap)


@given(reconnects, failures)
@example(Reconnect(factor=1e300, cap=1e300), 3)
@example(Reconnect(factor=10), 10**9)
def test_the_delay_is_random_below_a_bound_that_grows_to_the_cap(
    reconnect: Reconnect, failures: int
) -> None:
    longest = bound(reconnect, failures)

    delay = reconnect.delay(failures)

    assert 0 <= delay <= longest * (1 + A_BIT)
    if reconnect.jitter == "none":
        assert delay == pytest.approx(longest)
    elif failures > 1:
        assert delay >= min(reconnect.initial, longest / 2) * (1 - A_BIT)


@given(reconnects, st.integers(0, 100))
def test_without_jitter_the_delay_never_shrinks(reconnect: Reconnect, failures: int) -> None:
    assume(reconnect.jitter == "none")

    assert reconnect.delay(failures) <= reconnect.delay(failures + 1) <= reconnect.cap


def test_the_jitter_is_full() -> None:
    reconnect = Reconnect(initial=1, factor=2, cap=8)

    delays = [reconnect.delay(9) for _ in range(1000)]

    assert min(delays) < 2
    assert max(delays) > 7
    assert len(set(delays)) > 900


@pytest.mark.parametrize(
    "wrong",
    [
        {"initial": 0},
        {"initial": -1},
        {"initial": math.nan},
        {"cap": math.inf},
        {"cap": "10"},
        {"stable_after": 0},
        {"factor": 0.5},
        {"factor": math.nan},
        {"factor": math.inf},
        {"factor": "2"},
        {"factor": None},
        {"factor": True},
        {"jitter": "some"},
        {"jitter": None},
        {"max_attempts": 0},
        {"max_attempts": 1.5},
    ],
    ids=repr,
)
def test_an_invalid_parameter_is_refused_by_name(wrong: dict[str, Any]) -> None:
    (name,) = wrong

    with pytest.raises(ConfigError, match=name):
        Reconnect(**wrong)


# --- Pace


arrivals = st.lists(st.floats(0, 30), max_size=20)


@given(st.floats(0.1, 50), arrivals)
def test_two_turns_are_never_closer_than_the_pace(per_second: float, arrivals: list[float]) -> None:
    turns: list[float] = []

    async def play() -> None:
        pace = Pace(per_second)

        async def act(after: float) -> None:
            await trio.sleep(after)
            with assert_checkpoints():
                await pace.turn()
            turns.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            for each in arrivals:
                nursery.start_soon(act, each)

    in_virtual_time(play)

    assert len(turns) == len(arrivals)
    for one, other in pairwise(turns):
        assert other - one >= 1 / per_second - A_BIT


async def test_the_first_turn_comes_at_once_and_a_cancelled_one_is_not_taken(
    autojump_clock: MockClock,
) -> None:
    pace = Pace(0.1)
    start = trio.current_time()

    await pace.turn()
    assert trio.current_time() == start
    with trio.move_on_after(5):
        await pace.turn()
    await pace.turn()

    assert trio.current_time() == pytest.approx(start + 10)


# --- HostGate


visits = st.lists(st.tuples(st.floats(0, 100), st.integers(0, 1)), max_size=30)
budgets = st.tuples(st.integers(1, 4), st.floats(0.5, 60))


@given(budgets, budgets, visits)
@example((2, 60.0), (1, 1.0), [(0.0, 0), (0.0, 0), (10.0, 1), (10.0, 0)])
def test_no_window_holds_more_attempts_than_the_host_allows(
    one: tuple[int, float], other: tuple[int, float], visits: list[tuple[float, int]]
) -> None:
    """Two exchanges may stand behind one host, each with a budget of its own."""
    entered: list[tuple[float, int]] = []

    async def play() -> None:
        async def visit(after: float, whose: int) -> None:
            await trio.sleep(after)
            with assert_checkpoints():
                await HostGate.of("host").enter(*(one, other)[whose])
            entered.append((trio.current_time(), whose))

        async with trio.open_nursery() as nursery:
            for after, whose in visits:
                nursery.start_soon(visit, after, whose)

    in_virtual_time(play)

    assert len(entered) == len(visits)
    for number, (now, whose) in enumerate(entered):
        limit, window_seconds = (one, other)[whose]
        before = [then for then, _ in entered[:number] if then > now - window_seconds + A_BIT]
        assert len(before) < limit


@given(budgets, st.lists(st.floats(0, 100), min_size=1, max_size=30))
def test_the_budget_is_used(budget: tuple[int, float], arrivals: list[float]) -> None:
    limit, window_seconds = budget
    end = 0.0

    async def play() -> None:
        nonlocal end
        start = trio.current_time()

        async def visit(after: float) -> None:
            await trio.sleep(after)
            await HostGate.of("host").enter(limit, window_seconds)

        async with trio.open_nursery() as nursery:
            for each in arrivals:
                nursery.start_soon(visit, each)
        end = trio.current_time() - start

    in_virtual_time(play)

    # A window may be a second longer than the exchange's, and who waited is spread over another.
    windows = math.ceil(len(arrivals) / limit) - 1
    assert end <= max(arrivals) + windows * (window_seconds + 1 + 1) + A_BIT


async def test_a_free_gate_lets_through_at_once(autojump_clock: MockClock) -> None:
    start = trio.current_time()

    for _ in range(300):
        await HostGate.of("host").enter(300, 300)

    assert trio.current_time() == start


async def test_no_attempt_passes_before_the_time_that_the_host_named(
    autojump_clock: MockClock,
) -> None:
    gate = HostGate.of("host")
    start = trio.current_time()
    entered: list[float] = []

    async def visit() -> None:
        await gate.enter(300, 300)
        entered.append(trio.current_time() - start)

    gate.close_for(60)
    gate.close_for(5)
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(visit)

    assert len(entered) == 20
    assert min(entered) >= 60
    assert max(entered) <= 61
    assert len(set(entered)) > 10


async def test_a_cancelled_attempt_is_not_counted(autojump_clock: MockClock) -> None:
    gate = HostGate.of("host")
    await gate.enter(1, 10)

    with trio.move_on_after(5):
        await gate.enter(1, 10)

    assert gate.wait_seconds(1, 10) <= 6


async def test_each_host_has_a_gate_of_its_own() -> None:
    assert HostGate.of("one") is HostGate.of("one")
    assert HostGate.of("one") is not HostGate.of("other")


def test_each_run_of_trio_has_gates_of_its_own() -> None:
    async def gate() -> HostGate:
        return HostGate.of("host")

    assert trio.run(gate) is not trio.run(gate)


# --- Retry-After


LONGEST_BAN = 4 * 24 * 3600
"""Seconds: a day more than any exchange's."""


@given(st.integers(0, LONGEST_BAN))
def test_retry_after_may_be_seconds(seconds: int) -> None:
    assert retry_after_seconds({"retry-after": f" {seconds} "}) == seconds


@pytest.fixture(params=["UTC", "America/New_York"])
def time_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("time_zone")
@pytest.mark.parametrize(
    "form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"]
)
def test_retry_after_may_be_a_date_in_each_form_of_http(form: str) -> None:
    """Source: RFC 9110 §5.6.7."""
    later = datetime.now(UTC) + timedelta(hours=2)

    seconds = retry_after_seconds({"retry-after": later.strftime(form)})

    assert seconds is not None
    assert 7190 < seconds <= 7200


def test_a_date_that_has_passed_asks_for_no_wait() -> None:
    passed = email.utils.format_datetime(datetime.now(UTC) - timedelta(hours=2), usegmt=True)

    assert retry_after_seconds({"retry-after": passed}) == 0


@pytest.mark.parametrize("headers", [{}, {"retry-after": ""}, {"retry-after": "soon"}])
def test_without_a_retry_after_that_makes_sense_there_is_none(headers: dict[str, str]) -> None:
    assert retry_after_seconds(headers) is None


dates = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Mon", "Xyz"]),
    st.integers(-1, 99),
    st.sampled_from(["Jan", "Feb", "Foo"]),
    st.one_of(st.integers(-1, 10**5), st.integers(-(10**20), 10**20)),
    *[st.integers(-1, 99)] * 3,
    st.sampled_from(["GMT", "-0000", "+9999", "+99999999999999999999", "", "EST"]),
)


@given(st.one_of(st.text(), st.text("0123456789٣.-+e "), dates))
@example("9" * 400)
@example("9" * 9)
@example("Fri, 01 Jan 2999 00:00:00 GMT")
@example("Mon, 01 Jan 0001 00:00:00 +2359")
@example("Mon, 01 Jan 10000000000000000000000 00:00:00 GMT")
def test_any_retry_after_is_read_as_seconds_or_ignored(value: str) -> None:
    seconds = retry_after_seconds({"retry-after": value})

    assert seconds is None or 0 <= seconds <= LONGEST_BAN
