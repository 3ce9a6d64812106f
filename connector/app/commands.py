"""The command group: what ``connector --help`` lists."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path

import click
import trio
from rich.console import Console

from connector._version import __version__
from connector.app.books.book_command import book
from connector.app.build import describe_build
from connector.app.channels_command import channels_command
from connector.app.demo.dashboard import Dashboard, render_summary
from connector.app.demo.demo import Options, Result, run_demo
from connector.app.demo.leaky_command import show_comparison
from connector.app.demo.market import Market
from connector.app.demo.plain_output import Nowhere, PlainLines
from connector.app.demo.report import summary
from connector.app.demo.snapshot import Screen
from connector.app.demo.svg_picture import Picture
from connector.app.numbers import FiniteRange
from connector.app.recordings.candles_command import candles_command
from connector.app.recordings.export_command import export_command
from connector.app.recordings.import_command import import_command
from connector.app.recordings.plot_command import plot_command
from connector.app.recordings.record_command import record_command
from connector.app.recordings.replay_command import replay_command
from connector.app.recordings.verify_command import verify_command
from connector.app.running.run_command import check, run
from connector.app.soaking.soak_command import soak
from connector.app.trading.stop_command import stop
from connector.errors import ConfigError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="connector", message=describe_build())
def group() -> None:
    """Exchange connections for trio applications that cannot leak."""


group.add_command(book)
group.add_command(candles_command, "candles")
group.add_command(channels_command)
group.add_command(check)
group.add_command(run)
group.add_command(soak)
group.add_command(stop)
group.add_command(export_command)
group.add_command(import_command)
group.add_command(record_command, "record")
group.add_command(plot_command)
group.add_command(replay_command)
group.add_command(verify_command)


@group.command()
@click.option(
    "--duration",
    type=FiniteRange(min=1),
    default=20.0,
    show_default=True,
    help="Seconds that it runs.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Another seed is another market and another order of faults.",
)
@click.option(
    "--capture",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Play this recording (.jsonl.gz) instead of a made-up market.",
)
@click.option("--tls", is_flag=True, help="Speak wss:// under a certificate made for the run.")
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    hidden=True,
    help="Draw it into this SVG file; how the picture in the documentation is made.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("--leaky", is_flag=True, help="Run the bug that this was written against beside it.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="With --leaky: draw both over time into this .svg or .png file.",
)
def demo(
    *,
    duration: float,
    seed: int,
    capture: Path | None,
    tls: bool,
    picture: Path | None,
    as_json: bool,
    leaky: bool,
    plot: Path | None,
) -> None:
    """Watch an adapter survive an exchange that breaks its connections every two seconds.

    No network is needed: the exchange is simulated, on loopback. The exit status is 1 when an
    invariant broke: more than one connection of a link at once, or tasks or sockets that grew,
    or data that did not come back.
    """
    # What the log says is on the screen; unhandled it would go to stderr as well.
    logging.getLogger("connector").addHandler(logging.NullHandler())
    options = Options(duration_seconds=duration, seed=seed, tls=tls, capture=capture)
    if plot is not None and not leaky:
        raise click.UsageError("--plot draws a comparison: add --leaky")
    if leaky and capture is not None:
        raise click.UsageError("--leaky compares in a made-up market: leave out --capture")
    if leaky:
        sys.exit(show_comparison(options, plot=plot, as_json=as_json))
    try:
        market = options.market()
    except (ConfigError, OSError) as error:
        raise click.BadParameter(str(error), param_hint="--capture") from error
    console = Console()
    if as_json:
        result = _run(options, market, Nowhere())
        click.echo(result.report.to_json())
    elif picture is not None:
        board = Picture(options)
        result = _run(options, market, board)
        board.save(picture, result)
    elif console.is_terminal:
        with Dashboard(console, options) as dashboard:
            result = _run(options, market, dashboard)
        console.print(render_summary(result))
    else:
        result = _run(options, market, PlainLines(sys.stdout))
        click.echo("\n" + "\n".join(summary(result.report, result.samples)))
    sys.exit(1 if result.report.violations else 0)


def _run(options: Options, market: Market, screen: Screen) -> Result:
    return trio.run(_until_interrupted, options, market, screen)


async def _until_interrupted(options: Options, market: Market, screen: Screen) -> Result:
    """Run the demo; Ctrl-C ends it early with its summary, a second one at once."""
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_when_interrupted, stop)
        result = await run_demo(options, market, screen, stop)
        nursery.cancel_scope.cancel()
    return result


async def _stop_when_interrupted(stop: trio.Event) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            stop.set()
            return
