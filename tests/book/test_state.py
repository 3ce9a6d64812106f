"""The table of states: complete, and nothing but a synced book is shown."""

from __future__ import annotations

import pytest

from connector.book import TABLE, Input, State
from connector.book.state import after
from connector.errors import InvariantViolated


def test_every_state_is_there_and_can_be_reached_and_left() -> None:
    assert set(TABLE) == set(State)
    reached = {State.IDLE}
    for _ in State:
        reached |= {after for state in reached for after in TABLE[state].values()}
    assert reached == set(State)
    assert all(set(TABLE[state].values()) - {state} for state in State)


def test_every_state_bears_a_disconnect_and_a_loss() -> None:
    for state in State:
        assert TABLE[state][Input.INTERRUPTED] is State.IDLE
        assert TABLE[state][Input.LOST] in (State.GAP, State.IDLE)


def test_only_three_inputs_make_a_book_live() -> None:
    makes_live = {
        happening
        for state in State
        for happening, then in TABLE[state].items()
        if then is State.LIVE and state is not State.LIVE
    }

    assert makes_live == {Input.FOLLOWS, Input.JOINS, Input.COMPLETE}


def test_a_gap_is_left_only_by_a_snapshot_or_a_disconnect() -> None:
    ways = {happening for happening, then in TABLE[State.GAP].items() if then is not State.GAP}

    assert ways == {Input.ASKED, Input.COMPLETE, Input.INTERRUPTED}


def test_what_cannot_happen_is_a_bug() -> None:
    with pytest.raises(InvariantViolated, match="in the state idle cannot get a snapshot that"):
        after(State.IDLE, Input.JOINS)


def test_the_picture_names_every_state() -> None:
    import connector.book.state as module

    assert module.__doc__ is not None
    picture = module.__doc__.partition("Only `LIVE`")[0]
    assert all(state.name in picture for state in State)
