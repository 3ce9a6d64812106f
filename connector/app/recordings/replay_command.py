"""``connector replay``: play a recording as events, or as an exchange on loopback."""

from __future__ import annotations

import heapq
import logging
import math
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import attrs
import click
import trio

from connector import Feed, open_adapter
from connector.app.event_json import describe, line
from connector.app.naming import find_exchange, simulator_of
from connector.app.options import epilog
from connector.app.recordings.decoding import channel_of, streams_of
from connector.app.recordings.moments import span_between, span_options
from connector.app.recordings.playback import Playback
from connector.app.recordings.progress import HowFar
from connector.app.recordings.verify_command import name_of
from connector.app.words import counted
from connector.events import Event, Gap, kind_of
from connector.recording import Recorded, Span, look_for, replay, span_of
from connector.recording.folder import one_of
from connector.recording.reader import ALWAYS
from connector.testing import open_exchange


@attrs.define
class _Printer:
    """Prints events, and counts them by kind."""

    as_json: bool
    how_far: HowFar
    counts: Counter[str] = attrs.field(factory=Counter)

    def show(self, event: Event | Gap, of: str) -> None:
        """Print `event`, with the name of its recording if there are several."""
        self.counts[kind_of(event).__name__] += 1
        if self.as_json:
            about = {"recording": of} if of else {}
            click.echo(line(about | describe(event)), nl=False)
        else:
            click.echo(f"{of}: {event!r}" if of else repr(event))
        if not isinstance(event, Gap):
            self.how_far.show(self.counts.total(), event.received_ns)


async def print_events(
    recordings: Sequence[Recorded], speed: float, span: Span = ALWAYS, *, as_json: bool
) -> dict[str, int]:
    """Print every event of some recordings; return their number by kind.

    Each goes through an adapter of its own. As fast as they are read, they are printed in the order
    of their times; at any other speed as they come, by one clock. How far it is goes to stderr, if
    that is a terminal.

    Raises:
        ConnectorError: one cannot be played.

    Cancellation: nothing is left.
    """
    first_ns, last_ns = zip(*(span_of(each.paths) for each in recordings), strict=True)
    zero_ns = max(min(first_ns), span.since_ns or 0) if len(recordings) > 1 else None
    whole = min(first_ns), max(last_ns)
    how_far = HowFar(whole, sys.stderr, what="events", clock=trio.current_time)
    printer = _Printer(as_json, how_far)
    names = [name_of(each) if len(recordings) > 1 else "" for each in recordings]
    if math.isinf(speed):
        async with AsyncExitStack() as stack:
            feeds = [
                (name, await stack.enter_async_context(_played(each, speed, span, zero_ns)))
                for name, each in zip(names, recordings, strict=True)
            ]
            await _print_by_time(feeds, printer)
        return dict(printer.counts)

    async def print_one(name: str, recorded: Recorded) -> None:
        async with _played(recorded, speed, span, zero_ns) as feed:
            async for event in feed:
                printer.show(event, name)

    async with trio.open_nursery() as nursery:
        for name, each in zip(names, recordings, strict=True):
            nursery.start_soon(print_one, name, each)
    return dict(printer.counts)


@asynccontextmanager
async def _played(
    recorded: Recorded, speed: float, span: Span, zero_ns: int | None
) -> AsyncIterator[Feed[Event | Gap]]:
    """A feed of all that was recorded."""
    exchange = find_exchange(recorded.exchange)()
    channels = [channel_of(exchange, name) for name in streams_of(exchange, recorded.paths)]
    played = replay(
        exchange,
        recorded.paths,
        speed=speed,
        since_ns=span.since_ns,
        until_ns=span.until_ns,
    )
    source = attrs.evolve(played.source, zero_ns=zero_ns)
    async with (
        open_adapter(played, source=source) as adapter,
        adapter.subscribe(*channels, gaps=True) as feed,
    ):
        yield feed


async def _print_by_time(feeds: Sequence[tuple[str, Feed[Event | Gap]]], printer: _Printer) -> None:
    """Print the events of all feeds in the order of their times."""
    waiting: list[tuple[int, int, Event | Gap]] = []

    async def take(index: int) -> None:
        async for event in feeds[index][1]:
            heapq.heappush(waiting, (event.received_ns, index, event))
            return

    for index in range(len(feeds)):
        await take(index)
    while waiting:
        _, index, event = heapq.heappop(waiting)
        printer.show(event, feeds[index][0])
        await take(index)


async def serve(recorded: Recorded, speed: float, port: int, span: Span = ALWAYS) -> None:
    """Be the exchange of a recording, on loopback, until a signal.

    How far it is goes to stderr, if that is a terminal.

    Raises:
        OSError: the port is in use.

    Cancellation: every connection is dropped.
    """
    exchange = find_exchange(recorded.exchange)()
    began_ns = span.since_ns or recorded.starts[0].started_ns
    async with open_exchange(
        simulator_of(recorded.exchange),
        source=Playback(exchange, recorded.paths, speed, sys.stderr, span),
        port=port,
        epoch_ms=began_ns // 1_000_000,
    ) as served:
        click.echo(f"streams at {served.url}, REST at {served.rest_url}; it begins with the first")
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                return


@click.command(
    "replay",
    short_help="Play recordings, as events or as an exchange.",
    epilog=epilog(
        "replay recordings",
        "replay recordings --json --from 2026-11-25T17:00",
        "replay recordings --serve --port 8080 --speed 1",
    ),
)
@click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    metavar="FACTOR",
    default=math.inf,
    help="1 is the recorded speed, 2 is twice as fast.  [default: as fast as possible]",
)
@click.option("--serve", "serves", is_flag=True, help="Be an exchange on loopback, for any client.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    default=0,
    help="With --serve: the port.  [default: a free one]",
)
@span_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per event.")
def replay_command(
    *,
    paths: tuple[Path, ...],
    speed: float,
    serves: bool,
    port: int,
    since_ns: int | None,
    until_ns: int | None,
    as_json: bool,
) -> None:
    """Play the recordings in PATH (a file or a folder), with their disconnects and gaps.

    The JSON of an event is what the sink "jsonl" of 'connector run' writes.
    """
    if serves and as_json:
        raise click.UsageError("use --json or --serve, not both: --serve prints no events")
    if port and not serves:
        raise click.UsageError("--port is for --serve: add --serve")
    span = span_between(since_ns, until_ns)
    logging.getLogger("connector").addHandler(logging.NullHandler())
    found = look_for(paths)
    for skipped in found.skipped:
        click.echo(f"skipped: {skipped.path}: it {skipped.why}", err=True)
    if serves:
        trio.run(serve, one_of(found), speed, port, span)
        return
    recordings = found.recordings
    counts = trio.run(lambda: print_events(recordings, speed, span, as_json=as_json))
    said = ", ".join(counted(count, kind) for kind, count in sorted(counts.items()))
    click.echo(said or "no events", err=True)
