"""``connector run CONFIG`` and ``connector check CONFIG``."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import attrs
import click
import msgspec
import trio

from connector.app.numbers import FiniteRange
from connector.app.running import logs
from connector.app.running.configuration import Configuration, Misconfigured, read_configuration
from connector.app.running.online_check import check_symbols
from connector.app.running.program import Options, run_program
from connector.app.running.venues import RealWorld
from connector.errors import ConnectorError
from connector.transport.error_groups import leaves

CONFIG = click.argument(
    "config", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
)
OK, FAILED, FLAWED = 0, 1, 3
"""Exit statuses: 2 is that of a wrong command line."""


def _read(path: Path) -> Configuration:
    try:
        return read_configuration(path.read_text("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{path} is not UTF-8: {error}") from error


@click.command()
@CONFIG
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--online", is_flag=True, help="Ask the exchanges whether they list the symbols.")
def check(*, config: Path, as_json: bool, online: bool) -> None:
    """Say what is wrong with CONFIG, all of it, with lines; connects to nothing unless --online.

    The exit status is 1 when something is.
    """
    try:
        configuration = _read(config)
    except Misconfigured as error:
        found = [attrs.asdict(each) for each in error.mistakes]
        if as_json:
            click.echo(msgspec.json.encode({"ok": False, "mistakes": found}))
        else:
            for mistake in error.mistakes:
                click.echo(f"{config}: {mistake}")
            count = len(error.mistakes)
            click.echo(f"{count} mistake{'s' if count > 1 else ''}")
        sys.exit(1)
    counts = {
        "adapters": len(configuration.adapters),
        "groups": len(configuration.groups),
        "channels": sum(len(each.channels) for each in configuration.groups.values()),
        "sinks": len(configuration.sinks),
    }
    wrong, notes = trio.run(check_symbols, configuration, RealWorld()) if online else ([], [])
    if as_json:
        online_said = {"symbols": wrong, "notes": notes} if online else {}
        said_all = {"ok": not wrong, **counts, "mistakes": [], **online_said}
        click.echo(msgspec.json.encode(said_all))
        sys.exit(1 if wrong else 0)
    for line in (*wrong, *notes):
        click.echo(f"{config}: {line}")
    if wrong:
        sys.exit(1)
    said = ", ".join(
        f"{count} {name if count > 1 else name.removesuffix('s')}" for name, count in counts.items()
    )
    click.echo(f"{config}: fine: {said}")


@click.command()
@CONFIG
@click.option("--simulate", is_flag=True, help="Simulate the exchanges: no network is used.")
@click.option(
    "--break-every",
    type=FiniteRange(min=0),
    default=0.0,
    help="With --simulate: seconds between breaks of all connections; 0 for none.",
)
@click.option("--duration", type=FiniteRange(min=0.1), help="Seconds; until Ctrl-C if left.")
def run(*, config: Path, simulate: bool, break_every: float, duration: float | None) -> None:
    """Run what CONFIG says: adapters into sinks, with metrics, until SIGINT or SIGTERM.

    SIGHUP reads CONFIG again and changes what has changed in it, nothing else. The log goes to
    standard error. The exit status is 1 when it could not start or had to end, and 3 when it ended
    as asked, but something was failing, was cut off, or has lost events to a failure.
    """
    if break_every and not simulate:
        raise click.UsageError("--break-every is for simulated exchanges: add --simulate")
    try:
        configuration = _read(config)
    except Misconfigured as error:
        for mistake in error.mistakes:
            click.echo(f"{config}: {mistake}", err=True)
        sys.exit(1)
    logs.configure(configuration.log)
    options = Options(
        path=config,
        simulate=simulate,
        break_every_seconds=break_every,
        duration_seconds=duration,
    )
    status = FAILED
    try:
        status = OK if trio.run(run_program, options, configuration).flawless else FLAWED
    except* (ConnectorError, OSError) as group:
        logging.getLogger("connector.run").error("failed: %s", next(leaves(group)))  # noqa: TRY400
    sys.exit(status)
