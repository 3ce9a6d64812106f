"""``connector run CONFIG`` and ``connector check CONFIG``."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import attrs
import click
import msgspec
import trio

from connector.app.options import duration_options, epilog, json_option, simulation_options
from connector.app.running import logs
from connector.app.running.configuration import Misconfigured, read_configuration
from connector.app.running.online_check import check_symbols
from connector.app.running.program import Options, run_program
from connector.app.running.surroundings import missing_folders
from connector.app.running.symbol_spelling import note_spellings
from connector.app.running.venues import RealWorld
from connector.app.words import counted
from connector.errors import ConnectorError
from connector.transport.error_groups import leaves

CONFIG = click.argument(
    "config", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
)
OK, FAILED, FLAWED = 0, 1, 3
"""Exit statuses: 2 is that of a wrong command line."""


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{path} is not UTF-8: {error}") from error


@click.command(
    short_help="Find every mistake in a configuration.",
    epilog=epilog("check run.toml", "check run.toml --online"),
)
@CONFIG
@click.option(
    "--online", is_flag=True, help="Also ask the exchanges whether they list the symbols."
)
@json_option
def check(*, config: Path, online: bool, as_json: bool) -> None:
    """Find every mistake in CONFIG, with its line: keys, channels, extras, folders.

    The command connects to nothing, unless you add --online. The exit status is 1 if there is a
    mistake.
    """
    text = _text(config)
    try:
        configuration = read_configuration(text)
        mistakes = missing_folders(configuration, text)
    except Misconfigured as error:
        mistakes = [*error.mistakes]
    if mistakes:
        if as_json:
            found = [attrs.asdict(each) for each in mistakes]
            click.echo(msgspec.json.encode({"ok": False, "mistakes": found}))
        else:
            for mistake in mistakes:
                click.echo(f"{config}: {mistake}")
            click.echo(counted(len(mistakes), "mistake"))
        sys.exit(1)
    counts = {
        "adapters": len(configuration.adapters),
        "groups": len(configuration.groups),
        "channels": sum(len(each.channels) for each in configuration.groups.values()),
        "sinks": len(configuration.sinks),
    }
    if configuration.accounts:
        counts["accounts"] = len(configuration.accounts)
    wrong, notes = trio.run(check_symbols, configuration, RealWorld()) if online else ([], [])
    notes += [] if online else note_spellings(configuration)
    notes += [
        f"adapters.{name}: {plan.exchange.notice}"
        for name, plan in configuration.adapters.items()
        if plan.exchange.notice is not None
    ]
    if as_json:
        found_online = {"symbols": wrong} if online else {}
        noted = {"notes": notes} if online or notes else {}
        said_all = {"ok": not wrong, **counts, "mistakes": [], **found_online, **noted}
        click.echo(msgspec.json.encode(said_all))
        sys.exit(1 if wrong else 0)
    for line in (*wrong, *notes):
        click.echo(f"{config}: {line}")
    if wrong:
        sys.exit(1)
    said = ", ".join(counted(count, name.removesuffix("s")) for name, count in counts.items())
    click.echo(f"{config}: fine: {said}")


@click.command(
    short_help="Run a configuration: exchanges into sinks.",
    epilog=epilog("run run.toml", "run run.toml --simulate --break-every 5 --seconds 30"),
)
@CONFIG
@duration_options(default_seconds=None, least_seconds=0.1)
@simulation_options
def run(
    *, config: Path, seconds: float | None, simulate: bool, break_every: float, seed: int
) -> None:
    """Run CONFIG: exchanges into sinks, with metrics, until Ctrl-C or SIGTERM.

    SIGHUP reads CONFIG again and applies what has changed in it. The log goes to standard error.

    The exit status is 1 if it could not start or had to end. It is 3 if it ended when you asked,
    but something was failing, was cut off, or had lost events to a failure.
    """
    try:
        configuration = read_configuration(_text(config))
    except Misconfigured as error:
        for mistake in error.mistakes:
            click.echo(f"{config}: {mistake}", err=True)
        sys.exit(1)
    logs.configure(configuration.log)
    options = Options(
        path=config,
        simulate=simulate,
        seed=seed,
        break_every_seconds=break_every,
        duration_seconds=seconds,
    )
    status = FAILED
    try:
        status = OK if trio.run(run_program, options, configuration).flawless else FLAWED
    except* (ConnectorError, OSError) as group:
        logging.getLogger("connector.run").error("failed: %s", next(leaves(group)))  # noqa: TRY400
    sys.exit(status)
