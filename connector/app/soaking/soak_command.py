"""``connector soak``: run it, print a line per sample, and say what has grown."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import click
import trio
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from connector.app.demo.market import Market
from connector.app.demo.report import verdict
from connector.app.numbers import FiniteRange
from connector.app.options import duration_options, epilog, json_option
from connector.app.soaking.growth import Rest
from connector.app.soaking.soak import Log, Options, SoakReport, run_soak
from connector.app.stopping import stop_when_interrupted

HEADINGS = ("time", "tasks", "sockets", "fds", "memory", "traffic")


class Rows:
    """A row per sample, and nothing in between."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._say(HEADINGS)

    def sampled(self, sample: Rest) -> None:
        """Write the row."""
        self._say(row(sample))

    def passed(self, seconds: float, breaks: int) -> None:
        """Nothing."""

    def _say(self, cells: tuple[str, ...]) -> None:
        print("".join(f"{cell:>11}" for cell in cells), file=self._out, flush=True)


class Bar(Rows):
    """Rows, and below them how far it is."""

    def __init__(self, progress: Progress, duration_seconds: float) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=duration_seconds, breaks=0)
        super().__init__(sys.stdout)

    def passed(self, seconds: float, breaks: int) -> None:
        """Move on."""
        self._progress.update(self._task, completed=max(seconds, 0.0), breaks=breaks)

    def _say(self, cells: tuple[str, ...]) -> None:
        self._progress.console.print("".join(f"{cell:>11}" for cell in cells), highlight=False)


class Silent:
    """Says nothing: for ``--json``."""

    def sampled(self, sample: Rest) -> None:
        """Nothing."""

    def passed(self, seconds: float, breaks: int) -> None:
        """Nothing."""


def row(sample: Rest) -> tuple[str, ...]:
    """A sample as the cells of a line."""
    return (
        f"{sample.seconds:,.0f} s",
        str(sample.tasks),
        str(sample.sockets),
        "–" if sample.descriptors is None else str(sample.descriptors),
        "–" if sample.rss_bytes is None else f"{sample.rss_bytes / 1e6:,.1f} MB",
        f"{sample.bytes_per_second / 1e3:,.1f} KB/s" if sample.seconds > 1 else "–",
    )


@click.command(
    short_help="Look for growth under random faults, for minutes or days.",
    epilog=epilog("soak --minutes 60", "soak --leaky --minutes 2", "soak --seconds 30 --json"),
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
@json_option
def soak(*, seconds: float, every: float, seed: int, tls: bool, leaky: bool, as_json: bool) -> None:
    """Look for growth under random faults, on real sockets, for as long as you like.

    The exchange is simulated, on loopback. You need no network. Whenever no connection is broken,
    the numbers of tasks, sockets and file descriptors must be what they were at the start. Memory
    and traffic must not rise. The exit status is 1 if anything grew or an invariant broke.
    """
    # Nobody reads a log of hours of faults.
    logging.getLogger("connector").addHandler(logging.NullHandler())
    options = Options(
        duration_seconds=seconds, every_seconds=every, seed=seed, tls=tls, leaky=leaky
    )
    market = options.market()
    with logging_to(options, as_json=as_json) as log:
        report = trio.run(_until_interrupted, options, market, log)
    click.echo(report.to_json() if as_json else "\n".join(["", *conclusion(report)]))
    sys.exit(1 if report.violations else 0)


@contextmanager
def logging_to(options: Options, *, as_json: bool) -> Iterator[Log]:
    """Where the progress is shown: nowhere, on a terminal with a bar, or in a file."""
    console = Console()
    if as_json:
        yield Silent()
    elif console.is_terminal:
        with Progress(
            BarColumn(),
            TextColumn("{task.fields[breaks]} breaks"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        ) as progress:
            yield Bar(progress, options.duration_seconds)
    else:
        yield Rows(sys.stdout)


def conclusion(report: SoakReport) -> list[str]:
    """What the run has shown, as lines."""
    said = verdict(report.run)
    counts = [line for line in said if not line.startswith(("BROKEN", "flat"))]
    broken = [f"BROKEN: {violation}" for violation in report.violations]
    return [*counts, *(broken or [f"flat: nothing grew in {report.run.seconds:,.0f} s"])]


async def _until_interrupted(options: Options, market: Market, log: Log) -> SoakReport:
    """Run it; Ctrl-C ends it early with what it has seen, a second one at once."""
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stop_when_interrupted, stop)
        report = await run_soak(options, market, log, stop)
        nursery.cancel_scope.cancel()
    return report
