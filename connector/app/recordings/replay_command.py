"""``connector replay``: a recording through an adapter, or as an exchange on loopback."""

from __future__ import annotations

import errno
import logging
import math
import signal
import sys
from collections import Counter
from pathlib import Path

import click
import msgspec
import trio

from connector import open_adapter
from connector.app.naming import EXCHANGES
from connector.app.recordings.decoding import channel_of, streams_of
from connector.app.recordings.playback import Playback
from connector.app.recordings.progress import HowFar
from connector.app.recordings.record_command import SIMULATED
from connector.errors import ConfigError, ConnectorError
from connector.events import Event, Gap, asdict
from connector.recording import files_of, replay, span_of, start_of
from connector.testing import open_exchange


async def print_events(paths: tuple[Path, ...], speed: float, *, as_json: bool) -> dict[str, int]:
    """Print every event of a recording; how many there were by kind.

    How far it is goes to stderr, if that is a terminal.

    Raises:
        ConnectorError: it cannot be played.

    Cancellation: nothing is left.
    """
    exchange = EXCHANGES[start_of(paths[0]).exchange]()
    channels = [channel_of(exchange, name) for name in streams_of(exchange, paths)]
    counts: Counter[str] = Counter()
    how_far = HowFar(span_of(paths), sys.stderr, what="events", clock=trio.current_time)
    async with (
        open_adapter(replay(exchange, paths, speed=speed)) as adapter,
        adapter.subscribe(*channels, gaps=True) as feed,
    ):
        async for event in feed:
            kind = repr(event).partition("(")[0]
            counts[kind] += 1
            click.echo(_line(kind, event) if as_json else repr(event))
            if not isinstance(event, Gap):
                how_far.show(counts.total(), event.received_ns)
    return dict(counts)


def _line(kind: str, event: Event | Gap) -> str:
    values = {name: _plain(value) for name, value in asdict(event).items()}
    return msgspec.json.encode({"event": kind, **values}).decode()


def _plain(value: object) -> object:
    return [repr(each) for each in value] if isinstance(value, tuple) else value


async def serve(paths: tuple[Path, ...], speed: float, port: int) -> None:
    """Be the exchange of a recording, on loopback, until a signal.

    How far it is goes to stderr, if that is a terminal.

    Raises:
        OSError: the port is in use.

    Cancellation: every connection is dropped.
    """
    start = start_of(paths[0])
    exchange = EXCHANGES[start.exchange]()
    async with open_exchange(
        SIMULATED[start.exchange],
        source=Playback(exchange, paths, speed, sys.stderr),
        port=port,
        epoch_ms=start.started_ns // 1_000_000,
    ) as served:
        click.echo(f"streams at {served.url}, REST at {served.rest_url}; it begins with the first")
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                return


@click.command("replay")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=math.inf,
    help="1 is as it was recorded; as fast as it is read by default.",
)
@click.option("--serve", "serves", is_flag=True, help="Be an exchange on loopback, for any client.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of it; 0 chooses one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per event.")
def replay_command(
    *, paths: tuple[Path, ...], speed: float, serves: bool, port: int, as_json: bool
) -> None:
    """Play the recording in PATHS (files or folders), with its disconnects and gaps."""
    if serves and as_json:
        raise click.UsageError("--json prints events, and --serve prints none")
    if port and not serves:
        raise click.UsageError("--port is where to --serve: add that")
    logging.getLogger("connector").addHandler(logging.NullHandler())
    try:
        files = files_of(paths)
        if serves:
            trio.run(serve, files, speed, port)
            return
        counts = trio.run(lambda: print_events(files, speed, as_json=as_json))
    except* BrokenPipeError as gone:
        # Whoever read has read enough: click ends without a word.
        raise BrokenPipeError(errno.EPIPE, "nobody reads any more") from gone
    except* (ConfigError, ConnectorError, OSError) as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise click.ClickException(str(error)) from error
    said = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items()))
    click.echo(said or "nothing", err=True)
