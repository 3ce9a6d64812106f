"""The core scenarios on every venue, with a sample of the steps; `--venues all` does every one."""

from __future__ import annotations

import attrs
import pytest

from connector.app.naming import SIMULATED
from connector.testing.explore import sweep
from connector.testing.explore.venue_scenarios import PROGRAMS, VENUE_SCENARIOS, VENUES

SAMPLE = 31
FAULTS = ("cancel", "leave", "reset", "mute")


def test_there_is_every_venue() -> None:
    assert set(VENUES) == set(SIMULATED)
    assert len(VENUE_SCENARIOS) == len(VENUES) * len(PROGRAMS)


@pytest.mark.parametrize("venue", VENUES)
def test_a_sample_of_the_steps_of_a_book(venue: str) -> None:
    scenario = attrs.evolve(VENUE_SCENARIOS[f"{venue}_book"], stride=SAMPLE)

    report = sweep(scenario, kinds=("steps",), faults=FAULTS)

    assert not report.findings, str(report)
    assert report.tally(scenario.name).names == set(FAULTS)
