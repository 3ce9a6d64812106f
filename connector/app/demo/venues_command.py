"""``connector demo --venues``: every venue on a screen, as lines, or as JSON."""

from __future__ import annotations

import sys

import click
import trio
from rich.console import Console

from connector.app.demo.venues import VenuesOptions, VenuesScreen, run_venues
from connector.app.demo.venues_report import VenuesReport
from connector.app.demo.venues_screen import (
    VenuesDashboard,
    VenuesLines,
    VenuesNowhere,
    summary,
)
from connector.app.stopping import stop_when_interrupted


def show_venues(options: VenuesOptions, *, as_json: bool) -> int:
    """Run it and show it; the exit status, 1 if a promise was broken."""
    console = Console()
    if as_json:
        report = _run(options, VenuesNowhere())
        click.echo(report.to_json())
    elif console.is_terminal:
        with VenuesDashboard(console) as dashboard:
            report = _run(options, dashboard)
        click.echo("\n".join(summary(report)))
    else:
        report = _run(options, VenuesLines(sys.stdout))
        click.echo("\n" + "\n".join(summary(report)))
    return 1 if report.violations else 0


def _run(options: VenuesOptions, screen: VenuesScreen) -> VenuesReport:
    return trio.run(_until_interrupted, options, screen)


async def _until_interrupted(options: VenuesOptions, screen: VenuesScreen) -> VenuesReport:
    """Run it. Ctrl-C ends it early with its summary, a second one at once."""
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stop_when_interrupted, stop)
        report = await run_venues(options, screen, stop)
        nursery.cancel_scope.cancel()
    return report
