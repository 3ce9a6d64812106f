"""``connector verify``: what a recording holds, and whether it is what was written."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import TextIO

import attrs
import click
import msgspec

from connector.app.naming import find_exchange
from connector.app.recordings.decoding import streams_of
from connector.app.recordings.moments import span_between, span_options
from connector.app.recordings.progress import HowFar
from connector.errors import ConfigError, ConnectorError
from connector.recording import Recorded, Span, look_for, span_of
from connector.recording.reader import ALWAYS
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
    if report.recordings > 1:
        told.append(f"{report.recordings} recordings: sessions and ids begin anew with each")
    if report.clock_steps:
        told.append(f"the clock was set {report.clock_steps} times")
    told += [f"cut off: {each}" for each in report.torn]
    told += [f"MISSING: a file before {each}, or its end" for each in report.broken]
    told += [f"skipped: {each}" for each in report.skipped]
    told += [f"DAMAGED: {each}" for each in report.damage]
    return [*told, "sound" if report.sound else "damaged"]


def reports(
    paths: Sequence[Path], span: Span = ALWAYS, out: TextIO | None = None
) -> list[tuple[Recorded, Report]]:
    """Verify every recording at `paths`.

    A file that is left out is told in the first report; if it is one whose beginning is damaged, as
    damage.

    Args:
        paths: files and folders.
        span: what of them.
        out: is told how far it is, if it is a terminal.

    Raises:
        ConfigError: there is no recording.
        OSError: a file cannot be read.
    """
    found = look_for(paths)
    done: list[tuple[Recorded, Report]] = []
    for each in found.recordings:
        exchange = find_exchange(each.exchange)()
        how_far = HowFar(span_of(each.paths), out or StringIO())
        streams = streams_of(exchange, each.paths).values()
        for report in verify_by_block(each.paths, exchange, streams, span):
            how_far.show(report.frames, report.last_ns)
        done.append((each, report))
    _, first = done[0]
    for skipped in found.skipped:
        what = first.damage if skipped.damaged else first.skipped
        what.append(f"{skipped.path.name}: it {skipped.why}")
    return done


@click.command("verify")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@span_options
def verify_command(
    *, paths: tuple[Path, ...], as_json: bool, since_ns: int | None, until_ns: int | None
) -> None:
    """Say what the recordings in PATHS (files or folders) hold; exit with 1 if one is damaged.

    Every block is read and its check sum compared, every frame is decoded, and the exchange's ids
    are followed within each connection. A last block that was cut off is told, and is no damage:
    that is what a recorder leaves that was killed. On a terminal it says how far it is.
    """
    span = span_between(since_ns, until_ns)
    try:
        done = reports(paths, span, sys.stderr)
    except (ConfigError, ConnectorError, OSError) as error:
        raise click.ClickException(str(error)) from error
    sound = all(report.sound for _, report in done)
    if as_json:
        whole = [{**attrs.asdict(report), "sound": report.sound} for _, report in done]
        named = [{"name": name_of(each), **whole[n]} for n, (each, _) in enumerate(done)]
        several = {"recordings": named, "sound": sound}
        click.echo(msgspec.json.encode(whole[0] if len(done) == 1 else several).decode())
    else:
        for each, report in done:
            if len(done) > 1:
                click.echo(f"== {name_of(each)}")
            click.echo("\n".join(lines(report)))
    sys.exit(0 if sound else 1)


def name_of(recorded: Recorded) -> str:
    """What to call one of several recordings."""
    folder = recorded.name or recorded.paths[0].parent.name
    return f"{folder}: {recorded.exchange}"
