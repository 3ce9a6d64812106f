"""``connector demo``: an adapter beside an exchange that breaks its connections."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click
import trio
from rich.console import Console

from connector.app.demo.dashboard import Dashboard, render_summary
from connector.app.demo.demo import Options, Result, run_demo
from connector.app.demo.leaky_command import show_comparison
from connector.app.demo.maker import MakerOptions
from connector.app.demo.maker_command import show_maker
from connector.app.demo.market import Market
from connector.app.demo.plain_output import Nowhere, PlainLines
from connector.app.demo.report import summary
from connector.app.demo.snapshot import Screen
from connector.app.demo.svg_picture import Picture
from connector.app.demo.venues import VenuesOptions
from connector.app.demo.venues_command import show_venues
from connector.app.options import duration_options, epilog, json_option
from connector.app.stopping import run_until_interrupted
from connector.errors import ConfigError


@click.command(
    short_help="Watch an adapter survive a hostile exchange.",
    epilog=epilog(
        "demo",
        "demo --minutes 1 --seed 7 --tls",
        "demo --leaky --seconds 60 --out leak.svg",
        "demo --maker --seconds 60",
        "demo --venues",
    ),
)
@duration_options(default_seconds=20.0, least_seconds=1.0)
@click.option(
    "--seed",
    type=int,
    metavar="NUMBER",
    default=0,
    show_default=True,
    help="Each number is another market and another order of faults.",
)
@click.option(
    "--capture",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Play this capture (.jsonl.gz) instead of a generated market.",
)
@click.option("--tls", is_flag=True, help="Use wss:// with a certificate made for the run.")
@click.option(
    "--leaky",
    is_flag=True,
    help="Run a connector with the original leak beside the adapter, and compare them.",
)
@click.option(
    "--maker",
    is_flag=True,
    help="Run a market maker, and see that its orders never outlive it.",
)
@click.option(
    "--venues",
    is_flag=True,
    help="Show one coin's price on every exchange; each breaks in its own way.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Draw the run into this .svg file; with --leaky the comparison, as .svg or .png.",
)
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), hidden=True)
@json_option
def demo(
    *,
    seconds: float,
    seed: int,
    capture: Path | None,
    tls: bool,
    leaky: bool,
    maker: bool,
    venues: bool,
    out: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Watch an adapter survive an exchange that breaks its connections.

    The exchange is simulated, on loopback, and breaks all connections every two seconds. You need
    no network. The exit status is 1 if a link had two connections at once, if tasks or sockets
    grew, or if data did not come back.
    """
    # The screen shows what the log says. Without a handler it would go to stderr as well.
    logging.getLogger("connector").addHandler(logging.NullHandler())
    out = out or plot
    if maker or venues:
        name = "--maker" if maker else "--venues"
        if capture is not None or tls or leaky or out is not None or (maker and venues):
            raise click.UsageError(f"{name} takes --seconds, --minutes, --seed and --json only")
    if maker:
        sys.exit(show_maker(MakerOptions(duration_seconds=seconds, seed=seed), as_json=as_json))
    if venues:
        sys.exit(show_venues(VenuesOptions(duration_seconds=seconds, seed=seed), as_json=as_json))
    options = Options(duration_seconds=seconds, seed=seed, tls=tls, capture=capture)
    if leaky and capture is not None:
        raise click.UsageError("--leaky uses a generated market: leave out --capture")
    if leaky:
        sys.exit(show_comparison(options, plot=out, as_json=as_json))
    if out is not None and out.suffix != ".svg":
        raise click.BadParameter(
            "the picture is an SVG file: use a name that ends with .svg", param_hint="--out"
        )
    try:
        market = options.market()
    except (ConfigError, OSError) as error:
        raise click.BadParameter(str(error), param_hint="--capture") from error
    console = Console()
    if as_json:
        result = _run(options, market, Nowhere())
        click.echo(result.report.to_json())
    elif out is not None:
        board = Picture(options)
        result = _run(options, market, board)
        board.save(out, result)
        click.echo(f"drawn: {out}", err=True)
    elif console.is_terminal:
        with Dashboard(console, options) as dashboard:
            result = _run(options, market, dashboard)
        console.print(render_summary(result))
    else:
        result = _run(options, market, PlainLines(sys.stdout))
        click.echo("\n" + "\n".join(summary(result.report, result.samples)))
    sys.exit(1 if result.report.violations else 0)


def _run(options: Options, market: Market, screen: Screen) -> Result:
    return trio.run(run_until_interrupted, lambda stop: run_demo(options, market, screen, stop))
