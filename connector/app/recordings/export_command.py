"""``connector export``: a recording as Parquet, for pandas, polars and duckdb."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import click
import msgspec

from connector.app.naming import find_exchange
from connector.app.recordings.moments import span_between, span_options
from connector.app.recordings.parquet_tables import Summary, export
from connector.errors import ConnectorError
from connector.recording import Recorded, look_for


@click.command("export")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The folder of the tables; made if it is not there.",
)
@click.option(
    "--append", is_flag=True, help="Write another file for a day that is there, instead of failing."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@span_options
def export_command(
    *,
    paths: tuple[Path, ...],
    out: Path,
    append: bool,
    as_json: bool,
    since_ns: int | None,
    until_ns: int | None,
) -> None:
    """Write the recordings in PATHS (files or folders) as tables: by channel and day.

    Of several, each gets a folder of its own, called like that of the recording.
    """
    span = span_between(since_ns, until_ns)

    def show(rows: int) -> None:
        if not as_json:
            click.echo(f"{rows:,} rows", err=True)

    whole = Summary()
    try:
        found = look_for(paths)
        for skipped in found.skipped:
            click.echo(f"skipped: {skipped.path}: it {skipped.why}", err=True)
        for recorded, folder in _folders(found.recordings).items():
            exchange = find_exchange(recorded.exchange)()
            part = export(exchange, recorded.paths, out / folder, show, span=span, append=append)
            whole.rows += part.rows
            whole.files.update(_below(folder, part.files))
            whole.unfit.update(_below(folder, part.unfit))
    except (ConnectorError, OSError) as error:
        raise click.ClickException(str(error)) from error
    for where, count in whole.unfit.items():
        click.echo(f"{where}: {count:,} values do not fit and are missing", err=True)
    if as_json:
        told = attrs.asdict(whole)
        if not whole.unfit:
            del told["unfit"]
        click.echo(msgspec.json.encode(told).decode())
        return
    for path, rows in sorted(whole.files.items()):
        click.echo(f"{out / path}: {rows:,} rows")


def _folders(recordings: Sequence[Recorded]) -> dict[Recorded, str]:
    """Where the tables of each recording go, below the folder of all."""
    if len(recordings) == 1:
        return {recordings[0]: ""}
    names = [each.name or each.paths[0].parent.name for each in recordings]
    return {
        each: name if names.count(name) == 1 else f"{name}-{each.exchange}"
        for each, name in zip(recordings, names, strict=True)
    }


def _below(folder: str, counts: dict[str, int]) -> dict[str, int]:
    return {f"{folder}/{name}" if folder else name: count for name, count in counts.items()}
