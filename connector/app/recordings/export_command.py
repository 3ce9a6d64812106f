"""``connector export``: a recording as Parquet, for pandas, polars and duckdb."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import click
import msgspec

from connector.app.naming import find_exchange
from connector.app.options import epilog, json_option, out_folder
from connector.app.recordings.moments import span_between, span_options
from connector.app.recordings.parquet_tables import Summary, export
from connector.app.words import counted
from connector.recording import Recorded, look_for


@click.command(
    "export",
    short_help="Write recordings as Parquet tables.",
    epilog=epilog(
        "export recordings --out tables",
        "export recordings --out tables --from 2026-11-25 --to 2026-11-26",
    ),
)
@click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@out_folder("tables")
@click.option(
    "--append", is_flag=True, help="Add a file to a day that exists already, instead of failing."
)
@span_options
@json_option
def export_command(
    *,
    paths: tuple[Path, ...],
    out: Path,
    append: bool,
    since_ns: int | None,
    until_ns: int | None,
    as_json: bool,
) -> None:
    """Write the recordings in each PATH (a file or a folder) as tables, by channel and day.

    pandas, polars and duckdb read them. With several recordings, each gets a folder of its own,
    which has the name of the recording's folder. It needs the extra "parquet".
    """
    span = span_between(since_ns, until_ns)

    def show(rows: int) -> None:
        if not as_json:
            click.echo(counted(rows, "row"), err=True)

    whole = Summary()
    found = look_for(paths)
    for skipped in found.skipped:
        click.echo(f"skipped: {skipped.path}: it {skipped.why}", err=True)
    for recorded, folder in _folders(found.recordings).items():
        exchange = find_exchange(recorded.exchange)()
        part = export(exchange, recorded.paths, out / folder, show, span=span, append=append)
        whole.rows += part.rows
        whole.files.update(_below(folder, part.files))
        whole.unfit.update(_below(folder, part.unfit))
    for where, count in whole.unfit.items():
        click.echo(
            f"{where}: {counted(count, 'value')} left out: too large for the column", err=True
        )
    if as_json:
        told = attrs.asdict(whole)
        if not whole.unfit:
            del told["unfit"]
        click.echo(msgspec.json.encode(told).decode())
        return
    for path, rows in sorted(whole.files.items()):
        click.echo(f"{out / path}: {counted(rows, 'row')}")


def _folders(recordings: Sequence[Recorded]) -> dict[Recorded, str]:
    """The folder of the tables of each recording."""
    if len(recordings) == 1:
        return {recordings[0]: ""}
    names = [each.name or each.paths[0].parent.name for each in recordings]
    return {
        each: name if names.count(name) == 1 else f"{name}-{each.exchange}"
        for each, name in zip(recordings, names, strict=True)
    }


def _below(folder: str, counts: dict[str, int]) -> dict[str, int]:
    return {f"{folder}/{name}" if folder else name: count for name, count in counts.items()}
