"""``connector plot``: a first look at a recording, as a picture."""

from __future__ import annotations

from pathlib import Path

import click

from connector.app.demo.comparison_plot import canvas_for
from connector.app.naming import find_exchange
from connector.app.options import epilog
from connector.app.recordings.overview_plot import draw, look_at
from connector.recording import files_of, start_of


@click.command(
    "plot",
    short_help="Draw a first look at a recording.",
    epilog=epilog("plot recordings", "plot recordings --symbol BTCUSDC --out btc.png"),
)
@click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    default=Path("recording.svg"),
    show_default=True,
    help='The picture, .svg or .png. For .png you need the extra "plot".',
)
@click.option(
    "--symbol", metavar="SYMBOL", help="Which symbol to draw.  [default: the first recorded]"
)
def plot_command(*, paths: tuple[Path, ...], out: Path, symbol: str | None) -> None:
    """Draw trades, spread, lag and disconnects of the recording in PATH (a file or a folder)."""
    files = files_of(paths)
    canvas = canvas_for(out)
    draw(canvas, look_at(find_exchange(start_of(files[0]).exchange)(), files, symbol))
    canvas.save(out)
    click.echo(f"{out}: {out.stat().st_size:,} bytes")
