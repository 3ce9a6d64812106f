"""Tests of the tester: every classic mistake is found, and the report says what is broken."""

from __future__ import annotations

import importlib
import pkgutil

import attrs
import pytest

from connector.testing.explore import parse_case, run, steps, sweep
from tests import specimens
from tests.specimens import seed_bug, structured
from tests.specimens.parts import Specimen

NAMES = sorted(
    name
    for _, name, _ in pkgutil.iter_modules(specimens.__path__)
    if name not in ("parts", "structured")
)


def specimen(name: str) -> Specimen:
    return importlib.import_module(f"tests.specimens.{name}").SPECIMEN


@pytest.fixture(autouse=True)
def _a_livelock_is_soon_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """No program here takes that many steps at one moment, but one that goes on for ever."""
    monkeypatch.setattr(steps, "STANDING_BATCHES", 1_500)


def test_there_are_enough_of_them() -> None:
    assert len(NAMES) >= 12


@pytest.mark.parametrize("name", NAMES)
def test_the_mistake_is_found(name: str) -> None:
    given = specimen(name)
    scenario = given.scenario(f"tests.specimens.{name}")

    report = sweep(
        scenario, kinds=given.kinds if given.faults else (), faults=given.faults, enough=1
    )

    assert given.breaks in report.invariants, str(report)
    found = next(each for each in report.findings if each.invariant == given.breaks)
    assert f"{given.breaks}: " in str(found)
    assert f"--replay tests.specimens.{name}:SCENARIO/" in str(found)
    # The same again, from what the finding prints.
    case = parse_case(str(found.case))
    assert found in run(scenario, case.schedule, case.plan).findings


def test_two_connections_on_one_route_are_found_where_two_routes_may_have_one_each() -> None:
    scenario = attrs.evolve(seed_bug.SCENARIO, links=2, links_per_route=1)

    report = sweep(scenario, kinds=("steps",), faults=("reset",), enough=1)

    assert "2 connections at once on /public" in str(report)


def test_without_a_mistake_nothing_is_found() -> None:
    faults = {fault for name in NAMES for fault in specimen(name).faults}

    scenario = attrs.evolve(structured.SCENARIO, stride=7)

    report = sweep(scenario, kinds=("steps",), faults=sorted(faults))

    assert not report.findings, str(report)
    assert report.tally(scenario.name).names == faults
    assert report.runs > 60
