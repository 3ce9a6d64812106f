"""Reading trades with ``backfill`` at some steps; and what is found in one that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from connector.adapter.backfill import Backfill
from connector.exchanges.missing import Filled
from connector.testing.explore import faults, run, sweep
from connector.testing.explore.scenarios import SCENARIOS

NAMES = [name for name in SCENARIOS if name.startswith("backfill")]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_missing_nor_left_at_some_steps(name: str) -> None:
    """A sample, lean enough for every run of the tests; `docs/design.md` has the whole."""
    scenario = attrs.evolve(SCENARIOS[name], stride=131)

    report = sweep(scenario, kinds=("steps",), faults=faults.CORE)

    assert not report.findings, str(report)


def leave_unmarked(backfill: Backfill, trade: Any) -> Any:
    return trade


def find_nothing(filled: Filled) -> Iterator[Any]:
    return iter(())


def never_end(backfill: Backfill, pen: Any) -> None:
    """Go on filling although nothing is missing."""


def deliver_twice() -> Callable[..., Any]:
    deliver = Backfill._deliver

    async def twice(backfill: Backfill, items: Any) -> None:
        trades = list(items)
        await deliver(backfill, trades)
        await deliver(backfill, trades)

    return twice


@pytest.mark.parametrize(
    ("broken", "mistake", "found"),
    [
        ((Backfill, "_stamped"), leave_unmarked, ("I8", "was fetched but is not marked")),
        ((Filled, "items"), find_nothing, ("I8", "without a Gap between")),
        ((Backfill, "_deliver"), deliver_twice(), ("I11", "came after")),
        ((Backfill, "_finish"), never_end, ("progress", "runs endlessly")),
    ],
)
def test_a_backfill_that_is_wrong_is_found(
    monkeypatch: pytest.MonkeyPatch,
    broken: tuple[Any, str],
    mistake: Any,
    found: tuple[str, str],
) -> None:
    monkeypatch.setattr(*broken, mistake)

    result = run(SCENARIOS["backfill"])

    invariant, says = found
    assert any(each.invariant == invariant and says in each.what for each in result.findings)
