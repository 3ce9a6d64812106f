"""Tests of the judge of accounts: each classic mistake with orders is found, and named."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from connector.testing.explore import parse_case, run, sweep
from tests import order_specimens
from tests.order_specimens.parts import OrderSpecimen

NAMES = sorted(
    name for _, name, _ in pkgutil.iter_modules(order_specimens.__path__) if name != "parts"
)


def specimen(name: str) -> OrderSpecimen:
    found: OrderSpecimen = importlib.import_module(f"tests.order_specimens.{name}").SPECIMEN
    return found


def test_there_are_all_of_them() -> None:
    assert len(NAMES) == 9


@pytest.mark.parametrize("name", NAMES)
def test_the_mistake_is_found_and_with_the_precaution_nothing_is(name: str) -> None:
    given = specimen(name)
    scenario = given.scenario(f"tests.order_specimens.{name}")

    report = sweep(
        scenario, kinds=("steps",) if given.faults else (), faults=given.faults, enough=1
    )

    assert given.breaks in report.invariants, str(report)
    found = next(each for each in report.findings if each.invariant == given.breaks)
    assert given.says in found.what
    assert f"--replay tests.order_specimens.{name}:SCENARIO/" in str(found)
    # The same again, from what the finding prints.
    case = parse_case(str(found.case))
    assert found in run(scenario, case.schedule, case.plan).findings

    careful = given.scenario(f"tests.order_specimens.{name}", mistaken=False)
    result = run(careful, found.case.schedule, found.case.plan)

    assert not result.findings, str(result.findings[0])
