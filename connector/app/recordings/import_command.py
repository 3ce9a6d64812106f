"""``connector import``: captures of other programs (``.jsonl.gz``) as recordings."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec

from connector.app.naming import EXCHANGES, write_channel
from connector.app.options import ExchangeName, epilog, json_option, out_folder
from connector.app.recordings.decoding import channel_of
from connector.app.recordings.progress import HowFar
from connector.app.words import counted
from connector.channels import RawStream
from connector.errors import ConfigError, ConnectorError
from connector.exchanges.protocol import Exchange
from connector.link.raw_frames import RawFrame
from connector.recording import SUFFIX, Answer, Mark, Subject, Writer
from connector.recording.writer import Presence
from connector.testing import Frame, read_capture
from connector.testing.market.capture_files import NO_CAPTURE

_BATCH = 4096


def import_capture(capture: Path, exchange: Exchange, out: Path) -> tuple[Path, int]:
    """Write `capture` as a recording into the folder `out`; its file, and how many frames.

    A capture does not tell connections apart: each route of the exchange becomes one, which lasts
    from the first frame to the last.

    Raises:
        OSError: it cannot be read.
        ConfigError: it is no capture, or holds nothing of that exchange, or the file is there
            already.
        RecordingFailed: the recording cannot be written; nothing is left of it.
    """
    try:
        names, span = _look_through(capture)
    except NO_CAPTURE as error:
        raise ConfigError(f"not a capture with one JSON object per line: {error}") from error
    if not names:
        raise ConfigError(f"it contains no data of {exchange.name}")
    channels = [write_channel(channel_of(exchange, name)) for name in names]
    routes = {name: exchange.stream(RawStream(name)).route for name in names}
    links = {name: f"{exchange.name}/{route}" for name, route in routes.items()}
    path = out / (capture.name.removesuffix(".gz").removesuffix(".jsonl") + SUFFIX)
    out.mkdir(parents=True, exist_ok=True)
    if path.exists():
        raise ConfigError(f"{path} already exists; choose another --out")
    first_ns, _ = span
    subject = Subject(exchange.name, tuple(channels), names, routes)
    file = path.open("xb", buffering=0)
    try:
        writer = Writer(file, subject, Presence(), started_ns=first_ns)
        _write(capture, writer, links, span)
    except BaseException:
        # A file with a part of it would be in the way of the next attempt.
        file.close()
        path.unlink()
        raise
    return path, writer.frames


def _write(capture: Path, writer: Writer, links: dict[str, str], span: tuple[int, int]) -> None:
    """Write all of `capture`, of which `links` are the links by stream and `span` the times."""
    first_ns, _ = span
    for link in dict.fromkeys(links.values()):
        writer.add(Mark(kind, link, 1, first_ns) for kind in ("Connecting", "Connected"))
        writer.add([Mark("Subscribed", link, 1, first_ns, {"streams": len(links)})])
    last_ns = first_ns
    batch: list[RawFrame | Answer] = []
    how_far = HowFar(span, sys.stderr)
    for number, frame in enumerate(read_capture(capture), 1):
        last_ns = frame.ns or last_ns
        how_far.show(number, last_ns)
        batch += _items(frame, links, last_ns)
        if len(batch) >= _BATCH:
            writer.add(batch)
            batch = []
    writer.add(batch)
    writer.end("stopped", last_ns)


def _exchange_of(capture: Path, name: str | None) -> Exchange:
    folder = capture.resolve().parent.name
    if name is None and folder not in EXCHANGES:
        raise ConfigError(
            f"its folder {folder!r} is not the name of an exchange; "
            "name the exchange with --exchange"
        )
    exchange: Exchange = EXCHANGES[name or folder]()
    return exchange


def _look_through(capture: Path) -> tuple[tuple[str, ...], tuple[int, int]]:
    """The streams of `capture`, and the receive times of its first frame and of its last."""
    names: dict[str, None] = {}
    first_ns = last_ns = 0
    how_far = HowFar(None, sys.stderr)
    for number, frame in enumerate(read_capture(capture), 1):
        if frame.stream is not None:
            names[frame.stream] = None
        last_ns = frame.ns or last_ns
        first_ns = first_ns or last_ns
        how_far.show(number, last_ns)
    return tuple(names), (first_ns, last_ns)


def _items(frame: Frame, links: dict[str, str], now_ns: int) -> Iterator[RawFrame | Answer]:
    if frame.text is None:
        return
    if frame.kind == "http":
        url = urlsplit(frame.url or "")
        target = f"{url.path}?{url.query}" if url.query else url.path
        yield Answer(target, now_ns, frame.text.encode())
    elif frame.kind == "recv":
        stream = frame.stream
        link = links[stream] if stream is not None else next(iter(links.values()))
        yield RawFrame(link, 1, now_ns, stream, frame.text.encode())


@click.command(
    "import",
    short_help="Turn captures of other programs into recordings.",
    epilog=epilog(
        "import binance_usdm/2026-11-25.jsonl.gz --out recordings",
        "import day.jsonl.gz --exchange binance_spot",
    ),
)
@click.argument(
    "captures",
    metavar="CAPTURE...",
    nargs=-1,
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
)
@out_folder("recordings", default=Path())
@click.option(
    "--exchange",
    type=ExchangeName(),
    metavar="NAME",
    help="Where they were captured.  [default: the name of the capture's folder]",
)
@json_option
def import_command(
    *, captures: tuple[Path, ...], out: Path, exchange: str | None, as_json: bool
) -> None:
    """Turn each CAPTURE (gzip with one JSON object per line) into a recording.

    'connector.testing.read_capture' describes the lines. On a terminal the command shows its
    progress.
    """
    imported: list[dict[str, str | int]] = []
    for capture in captures:
        try:
            path, frames = import_capture(capture, _exchange_of(capture, exchange), out)
        except (ConfigError, ConnectorError, OSError) as error:
            raise click.ClickException(f"{capture}: {error}") from error
        size = path.stat().st_size
        imported.append({"path": str(path), "frames": frames, "bytes": size})
        if not as_json:
            click.echo(f"{path}: {counted(frames, 'frame')}, {size:,} bytes")
    if as_json:
        click.echo(msgspec.json.encode({"files": imported}).decode())
