"""``connector export``: a recording as Parquet, for pandas, polars and duckdb."""

from __future__ import annotations

from pathlib import Path

import attrs
import click
import msgspec

from connector.app.naming import find_exchange
from connector.app.recordings.parquet_tables import export
from connector.errors import ConnectorError
from connector.recording import files_of, start_of


@click.command("export")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The folder of the tables; made if it is not there.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def export_command(*, paths: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """Write the recording in PATHS (files or folders) as tables: by channel and day."""

    def show(rows: int) -> None:
        if not as_json:
            click.echo(f"{rows:,} rows", err=True)

    try:
        files = files_of(paths)
        summary = export(find_exchange(start_of(files[0]).exchange)(), files, out, show)
    except (ConnectorError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(msgspec.json.encode(attrs.asdict(summary)).decode())
        return
    for path, rows in sorted(summary.files.items()):
        click.echo(f"{out / path}: {rows:,} rows")
