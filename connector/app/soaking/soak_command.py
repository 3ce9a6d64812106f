"""``connector soak``: print a line per sample, and report the values that have grown."""

from __future__ import annotations

import logging
import sys

import click
import trio

from connector.app.demo.report import verdict
from connector.app.numbers import FiniteRange
from connector.app.options import duration_options, epilog, json_option
from connector.app.soaking.soak import Options, SoakReport, run_soak
from connector.app.soaking.soak_output import logging_to
from connector.app.soaking.venues_soak import VenuesSoakOptions
from connector.app.soaking.venues_soak_command import show_venues_soak
from connector.app.stopping import run_until_interrupted


@click.command(
    short_help="Look for growth under random faults, for minutes or days.",
    epilog=epilog(
        "soak --minutes 60",
        "soak --venues --virtual --minutes 60",
        "soak --leaky --minutes 2",
        "soak --seconds 30 --json",
    ),
)
@duration_options(default_seconds=600.0, least_seconds=3.0)
@click.option(
    "--every",
    type=FiniteRange(min=0.5),
    metavar="SECONDS",
    default=30.0,
    show_default=True,
    help="Time between two samples.",
)
@click.option(
    "--seed",
    type=int,
    metavar="NUMBER",
    default=0,
    show_default=True,
    help="Each number is another market, with other faults at other times.",
)
@click.option("--tls", is_flag=True, help="Use wss:// with a certificate made for the run.")
@click.option(
    "--leaky",
    is_flag=True,
    help="Run a connector with the original leak beside the adapter: it must be found.",
)
@click.option(
    "--venues",
    is_flag=True,
    help="Run every exchange at once, an adapter each, and compare each book with the exchange's.",
)
@click.option(
    "--virtual",
    is_flag=True,
    help="With --venues: in virtual time and in memory; an hour takes some minutes.",
)
@json_option
def soak(
    *,
    seconds: float,
    every: float,
    seed: int,
    tls: bool,
    leaky: bool,
    venues: bool,
    virtual: bool,
    as_json: bool,
) -> None:
    """Look for growth under random faults, on real sockets, for as long as you like.

    The exchange is simulated, on loopback. You need no network. Whenever no connection is broken,
    the numbers of tasks, sockets and file descriptors must be what they were at the start. Memory
    and traffic must not rise. The exit status is 1 if anything grew or an invariant broke.
    """
    # Nobody reads a log of hours of faults.
    logging.getLogger("connector").addHandler(logging.NullHandler())
    if venues:
        if tls or leaky:
            raise click.UsageError("--venues cannot be combined with --tls or --leaky")
        every_venue = VenuesSoakOptions(duration_seconds=seconds, every_seconds=every, seed=seed)
        sys.exit(show_venues_soak(every_venue, virtual=virtual, as_json=as_json))
    if virtual:
        raise click.UsageError("--virtual requires --venues")
    options = Options(
        duration_seconds=seconds, every_seconds=every, seed=seed, tls=tls, leaky=leaky
    )
    market = options.market()
    with logging_to(options.duration_seconds, as_json=as_json) as log:
        report = trio.run(run_until_interrupted, lambda stop: run_soak(options, market, log, stop))
    click.echo(report.to_json() if as_json else "\n".join(["", *conclusion(report)]))
    sys.exit(1 if report.violations else 0)


def conclusion(report: SoakReport) -> list[str]:
    """What the run has shown, as lines."""
    said = verdict(report.run)
    counts = [line for line in said if not line.startswith(("BROKEN", "flat"))]
    broken = [f"BROKEN: {violation}" for violation in report.violations]
    return [*counts, *(broken or [f"flat: nothing grew in {report.run.seconds:,.0f} s"])]
