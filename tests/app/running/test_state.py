"""The state of a run: numbers as they are shown."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.app.running.market_board import Top
from connector.app.running.state import top_line
from connector.events import Number

MOMENT_NS = 1_700_000_000 * 10**9


def top(bid: Number | None, ask: Number | None) -> Top:
    return Top(
        *("futures", "BTCUSDC", "best_quote"),
        bid=None if bid is None else (bid, 1.5),
        ask=None if ask is None else (ask, 1e-07),
        synced=True,
        received_ns=MOMENT_NS,
    )


@pytest.mark.parametrize(
    ("bid", "ask", "spread"),
    [
        (60000.19, 60000.2, "0.01"),
        (2999.95, 3000.01, "0.06"),
        (1e-07, 3e-07, "0.0000002"),
        (Decimal("0.10"), Decimal("0.30"), "0.20"),
        (None, 1.0, ""),
        (1.0, None, ""),
    ],
)
def test_a_spread_is_exact(bid: Number | None, ask: Number | None, spread: str) -> None:
    assert top_line(top(bid, ask), MOMENT_NS).spread == spread


@given(st.integers(1, 10**9), st.integers(0, 10**6), st.integers(0, 8))
def test_bid_and_spread_add_up_to_the_ask(bid: int, ticks: int, places: int) -> None:
    line = top_line(top(bid / 10**places, (bid + ticks) / 10**places), MOMENT_NS)
    assert Decimal(line.bid) + Decimal(line.spread) == Decimal(line.ask)


def test_a_number_has_no_exponent() -> None:
    line = top_line(top(1e-07, 2e-07), MOMENT_NS)
    assert (line.bid, line.ask, line.ask_quantity) == ("0.0000001", "0.0000002", "0.0000001")
