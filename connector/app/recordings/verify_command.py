"""``connector verify``: what a recording holds, and whether it is what was written."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import attrs
import click
import msgspec

from connector.app.naming import find_exchange
from connector.app.recordings.decoding import streams_of
from connector.app.recordings.progress import HowFar
from connector.errors import ConfigError, ConnectorError
from connector.recording import files_of, span_of, start_of
from connector.recording.verification import Report, verify_by_block

NS_PER_SECOND = 1_000_000_000


def lines(report: Report) -> list[str]:
    """The report for a person."""
    span = (report.last_ns - report.first_ns) / NS_PER_SECOND
    began = datetime.fromtimestamp(report.first_ns / NS_PER_SECOND, UTC)
    ends = ", ".join(f"{why} {count}" for why, count in report.disconnects.items())
    told = [
        (
            f"{report.exchange}: {report.frames:,} frames in {report.blocks:,} blocks, "
            f"{report.files} files, {report.bytes:,} bytes"
        ),
        f"from {began:%Y-%m-%d %H:%M:%S} UTC, {span:,.1f} s",
        (
            f"{report.connections} connections, ended: {ends or 'none'}; "
            f"{report.answers} REST answers, {report.replies} replies, {report.holes} dropped"
        ),
    ]
    for name, stream in sorted(report.streams.items()):
        checked = (
            f"{stream.checked:,} ids checked, {stream.gaps} gaps, {stream.repeated} repeated"
            if stream.sequence == "checked"
            else "ids not checked"
        )
        undecodable = f", {stream.undecodable} undecodable" if stream.undecodable else ""
        told.append(f"  {name}: {stream.frames:,} frames, {checked}{undecodable}")
    told += [f"cut off: {each}" for each in report.torn]
    told += [f"DAMAGED: {each}" for each in report.damage]
    return [*told, "sound" if report.sound else "damaged"]


@click.command("verify")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def verify_command(*, paths: tuple[Path, ...], as_json: bool) -> None:
    """Say what the recording in PATHS (files or folders) holds; exit with 1 if it is damaged.

    Every block is read and its check sum compared, every frame is decoded, and the exchange's ids
    are followed within each connection. A last block that was cut off is told, and is no damage:
    that is what a recorder leaves that was killed. On a terminal it says how far it is.
    """
    try:
        files = files_of(paths)
        exchange = find_exchange(_name(files))()
        how_far = HowFar(span_of(files), sys.stderr)
        for report in verify_by_block(files, exchange, streams_of(exchange, files).values()):
            how_far.show(report.frames, report.last_ns)
    except (ConfigError, ConnectorError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        whole = {**attrs.asdict(report), "sound": report.sound}
        click.echo(msgspec.json.encode(whole).decode())
    else:
        click.echo("\n".join(lines(report)))
    sys.exit(0 if report.sound else 1)


def _name(files: tuple[Path, ...]) -> str:
    return start_of(files[0]).exchange
