"""``connector soak --venues``: print a row per sample, and a summary of each venue."""

from __future__ import annotations

import click
import trio
from trio.testing import MockClock

from connector.app.soaking.soak_output import logging_to
from connector.app.soaking.venues_soak import (
    VenuesSoakOptions,
    VenuesSoakReport,
    run_venues_soak,
)
from connector.app.stopping import run_until_interrupted
from connector.testing import MemoryNetwork


def show_venues_soak(options: VenuesSoakOptions, *, virtual: bool, as_json: bool) -> int:
    """Run it and show it; the exit status, 1 if anything grew or was wrong."""
    clock = MockClock(autojump_threshold=0) if virtual else None
    network = MemoryNetwork() if virtual else None
    with logging_to(options.duration_seconds, as_json=as_json) as log:
        report = trio.run(
            run_until_interrupted,
            lambda stop: run_venues_soak(options, log, stop, network=network),
            clock=clock,
        )
    click.echo(report.to_json() if as_json else "\n".join(["", *conclusion(report)]))
    return 1 if report.violations else 0


def conclusion(report: VenuesSoakReport) -> list[str]:
    """What the run has shown, as lines."""
    head = f"{'exchange':<15}{'breaks':>7}{'sessions':>9}{'gaps':>6}{'events':>10}{'books':>10}"
    lines = [
        head,
        *(
            f"{each.name:<15}{each.breaks:>7}{each.sessions:>9}{each.gaps:>6}"
            f"{each.events:>10,}{each.books:>10,}"
            for each in report.venues
        ),
    ]
    broken = [f"BROKEN: {violation}" for violation in report.violations]
    verdict = f"flat: nothing grew in {report.seconds:,.0f} s, and no book was wrong"
    return [*lines, "", *(broken or [verdict])]
