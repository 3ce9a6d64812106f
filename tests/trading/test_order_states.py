"""The table of an order's states."""

from __future__ import annotations

from itertools import product

import pytest

from connector.orders import OVER
from connector.trading.order_states import NEWS, STATES, TABLE, follow


@pytest.mark.parametrize(("state", "news"), [*product(STATES, NEWS)])
def test_every_state_has_an_answer_to_all_news(state: str, news: str) -> None:
    effect, after = follow(state, news)  # type: ignore[arg-type]

    if effect in ("stale", "impossible"):
        assert after == state
    if effect == "moves":
        assert state not in OVER
    if effect == "late":
        assert state in ("refused", "absent")
        assert after not in ("refused", "absent")


def test_what_is_over_stays_over_unless_it_was_given_up() -> None:
    for state, news in product(("filled", "cancelled", "expired"), NEWS):
        assert follow(state, news)[1] == state


def test_only_an_unknown_order_becomes_absent() -> None:
    assert [key[0] for key, (_, after) in TABLE.items() if after == "absent" and key[1] == "absent"]
    movers = {
        key[0] for key, (effect, after) in TABLE.items() if effect == "moves" and after == "absent"
    }
    assert movers == {"unknown"}


def test_a_lost_reply_never_ends_an_order() -> None:
    for state in STATES:
        effect, after = follow(state, "lost")
        assert after == state or (effect, state, after) == ("moves", "sent", "unknown")


def test_a_contradiction_is_seen() -> None:
    assert follow("filled", "cancelled")[0] == "impossible"
    assert follow("cancelled", "filled")[0] == "impossible"
    assert follow("open", "refused")[0] == "impossible"
    assert follow("open", "absent")[0] == "impossible"
    assert follow("queued", "open")[0] == "impossible"
