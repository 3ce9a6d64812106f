"""``connector verify``: describe the content of a recording, and check that it is undamaged."""

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
from connector.app.options import epilog, json_option
from connector.app.recordings.decoding import streams_of
from connector.app.recordings.moments import span_between, span_options
from connector.app.recordings.progress import HowFar
from connector.app.words import counted
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
            f"{report.exchange}: {counted(report.frames, 'frame')} in "
            f"{counted(report.blocks, 'block')}, {counted(report.files, 'file')}, "
            f"{counted(report.bytes, 'byte')}"
        ),
        f"from {began:%Y-%m-%d %H:%M:%S} UTC, {span:,.1f} s",
        (
            f"{counted(report.connections, 'connection')}, ended: {ends or 'none'}; "
            f"{counted(report.answers, 'REST answer')}, "
            f"{counted(report.replies, 'reply', 'replies')}, {report.holes:,} dropped"
        ),
    ]
    for name, stream in sorted(report.streams.items()):
        checked = (
            f"{counted(stream.checked, 'id')} checked, {counted(stream.gaps, 'gap')}, "
            f"{stream.repeated:,} repeated"
            if stream.sequence == "checked"
            else "ids not checked"
        )
        undecodable = f", {stream.undecodable} undecodable" if stream.undecodable else ""
        told.append(f"  {name}: {counted(stream.frames, 'frame')}, {checked}{undecodable}")
    if report.recordings > 1:
        told.append(f"{report.recordings} recordings: sessions and ids begin anew with each")
    if report.clock_steps:
        told.append(f"the clock was set {counted(report.clock_steps, 'time')}")
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
        out: shows the progress, if it is a terminal.

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


@click.command(
    "verify",
    short_help="Check that recordings are whole.",
    epilog=epilog("verify recordings", "verify recordings --from 2026-11-25T17:00 --json"),
)
@click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@span_options
@json_option
def verify_command(
    *, paths: tuple[Path, ...], since_ns: int | None, until_ns: int | None, as_json: bool
) -> None:
    """Say what the recordings in PATH (a file or a folder) hold, and whether they are whole.

    The command compares the checksum of every block, decodes every frame, and follows the
    exchange's ids within each connection. The exit status is 1 if a recording is damaged. A last
    block that is cut off is reported, but is no damage: a killed recorder leaves one. On a terminal
    the command shows its progress.
    """
    span = span_between(since_ns, until_ns)
    done = reports(paths, span, sys.stderr)
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
    """The name of one of several recordings."""
    folder = recorded.name or recorded.paths[0].parent.name
    return f"{folder}: {recorded.exchange}"
