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
from connector.app.stopping import run_until_interrupted


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
    return trio.run(run_until_interrupted, lambda stop: run_venues(options, screen, stop))
