"""``connector demo --maker``: the market maker on a screen, as lines, or as JSON."""

from __future__ import annotations

import sys

import click
import trio
from rich.console import Console

from connector.app.demo.maker import MakerOptions, MakerReport, MakerScreen, run_maker
from connector.app.demo.maker_screen import MakerDashboard, MakerLines, MakerNowhere, summary
from connector.app.stopping import run_until_interrupted


def show_maker(options: MakerOptions, *, as_json: bool) -> int:
    """Run it and show it; the exit status, 1 if a promise was broken."""
    console = Console()
    if as_json:
        report = _run(options, MakerNowhere())
        click.echo(report.to_json())
    elif console.is_terminal:
        with MakerDashboard(console) as dashboard:
            report = _run(options, dashboard)
        click.echo("\n".join(summary(report)))
    else:
        report = _run(options, MakerLines(sys.stdout))
        click.echo("\n" + "\n".join(summary(report)))
    return 1 if report.violations else 0


def _run(options: MakerOptions, screen: MakerScreen) -> MakerReport:
    return trio.run(run_until_interrupted, lambda stop: run_maker(options, screen, stop))
