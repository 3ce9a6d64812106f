"""``connector demo --leaky``: run the comparison, print the two tables, draw the picture."""

from __future__ import annotations

import json
from pathlib import Path

import click
import trio

from connector.app.demo.comparison_plot import Canvas, canvas_for, draw
from connector.app.demo.demo import Options
from connector.app.demo.leaky import run_comparison
from connector.app.stopping import run_until_interrupted
from connector.errors import ConfigError


def show_comparison(options: Options, *, plot: Path | None, as_json: bool) -> int:
    """Run both connectors and show their results; return the exit status.

    Raises:
        click.BadParameter: the picture cannot be drawn.
    """
    canvas = None if plot is None else _canvas(plot)
    if not as_json:
        click.echo(
            f"one exchange, one stream, two connectors, {options.duration_seconds:g} seconds: "
            "this adapter, and the loop, flag and callback that leaked"
        )
    comparison = trio.run(run_until_interrupted, lambda stop: run_comparison(options, stop))
    if as_json:
        click.echo(json.dumps(json.loads(comparison.to_json())))
    else:
        click.echo("\n" + "\n".join(comparison.lines()))
    if canvas is not None and plot is not None:
        draw(canvas, comparison)
        canvas.save(plot)
        click.echo(f"drawn: {plot}", err=True)
    return 0 if comparison.is_flat else 1


def _canvas(plot: Path) -> Canvas:
    try:
        return canvas_for(plot)
    except ConfigError as error:
        raise click.BadParameter(str(error), param_hint="--out") from error
