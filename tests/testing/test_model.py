"""The model: what is built holds in every interleaving, and what is broken fails with a trace."""

from __future__ import annotations

import pytest

from connector.link import link, states
from connector.link.states import TRANSITIONS
from connector.testing import model
from connector.testing.model import (
    GIVE_UP_CLOSING,
    MOVES,
    SILENCE,
    STRUCTURED,
    TOO_LATE,
    Counterexample,
    check,
    with_callback,
)

TABLE = {(before, after) for before, row in TRANSITIONS.items() for after in row}


def test_the_model_and_the_link_have_one_table() -> None:
    assert model.TRANSITIONS is states.TRANSITIONS
    assert link.enter.__globals__["TRANSITIONS"] is states.TRANSITIONS


def test_every_transition_of_the_table_is_a_rule_and_the_other_way_round() -> None:
    assert {rule.moves for rule in MOVES} == TABLE
    assert all(rule.moves is None for rule in model.OTHERS)


def test_what_is_built_holds_in_every_interleaving() -> None:
    walk = check()

    assert walk.broken is None, str(walk.broken)
    assert walk.taken == TABLE
    assert walk.states > 500
    assert walk.steps > 2_000


def test_the_original_bug_fails_with_the_way_there() -> None:
    broken = check(with_callback()).broken

    assert broken is not None
    assert broken.invariant == "I1"
    said = str(broken)
    assert said.startswith("I1: 2 transports are open or being opened, after 14 steps\n  0. at")
    assert "on_disconnect() starts a loop" in said
    assert "loop 2, link: backoff and connection budget are over [waiting → connecting]" in said
    assert said.endswith("connecting(dialling) + connecting(dialling), wanted")
    assert_is_a_run(broken)


def assert_is_a_run(broken: Counterexample) -> None:
    """Each step of a trace is one that its rule can make."""
    before = broken.trace[0].world
    for step in broken.trace[1:]:
        assert step.rule is not None
        assert step.rule.guard(before, before.loops[step.loop])
        assert step.rule.effect(before, step.loop) == step.world
        before = step.world


@pytest.mark.parametrize("rule", [SILENCE, TOO_LATE, GIVE_UP_CLOSING], ids=lambda rule: rule.what)
def test_without_a_bound_a_run_can_hang(rule: model.Rule) -> None:
    broken = check([each for each in STRUCTURED if each is not rule]).broken

    assert broken is not None
    assert (broken.invariant, broken.what) == ("progress", "nothing happens any more")
    assert_is_a_run(broken)


def leaves_its_socket(rule: model.Rule) -> model.Rule:
    """A closing that forgets the socket."""
    if rule.moves != ("closing", "idle"):
        return rule
    return model._move("closing", "idle", effect=model._back_to_idle)


def test_a_socket_that_is_left_open_is_found() -> None:
    broken = check([leaves_its_socket(rule) for rule in STRUCTURED]).broken

    assert broken is not None
    assert broken.invariant in ("I2", "I4")


def test_a_task_that_outlives_its_session_is_found() -> None:
    lasting = model._move("streaming", "closing", lambda _, loop: loop.ended)
    rules = [lasting if rule.moves == ("streaming", "closing") else rule for rule in STRUCTURED]

    broken = check(rules).broken

    assert broken is not None
    assert broken.invariant == "I4"


def test_to_go_round_and_round_is_no_progress() -> None:
    restless = model.Rule(
        "clock", "gives up too soon",
        lambda _, loop: loop.state == "connecting" and not loop.ended,
        model._change(ended=True),
    )  # fmt: skip

    broken = check([*STRUCTURED, restless]).broken

    assert broken is not None
    assert (broken.invariant, broken.what) == ("progress", "this can go on forever")
