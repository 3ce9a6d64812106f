"""``connector record``: what an exchange sends, into files."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import click
import msgspec
import trio

from connector import open_adapter
from connector.app.naming import EXCHANGES, find_exchange, parse_channels, simulator_of
from connector.app.numbers import FiniteRange
from connector.app.recordings.recorder import MIB, Files, Progress, Screen, record, subject_of
from connector.app.recordings.retention import retention_of
from connector.channels import AnyChannel
from connector.errors import ConfigError, ConnectorError
from connector.exchanges.protocol import Exchange
from connector.recording import RecordingFailed
from connector.testing import MemoryNetwork, OrderFlow, open_exchange
from connector.transport import Dialer, TcpDialer

NS_PER_MS = 1_000_000


@attrs.frozen(kw_only=True)
class Options:
    """What to record, and where to."""

    exchange: str
    channels: tuple[AnyChannel, ...]
    out: Path
    rotate_minutes: float = 60.0
    rotate_mib: float = 256.0
    keep_days: float | None = None
    max_total_gib: float | None = None
    sync: bool = False
    simulate: bool = False
    seed: int = 0
    duration_seconds: float | None = None


class Quiet:
    """Shows nothing."""

    def show(self, progress: Progress) -> None:
        """Nothing."""


class Lines:
    """A line every ten seconds, and one at the beginning."""

    def __init__(self) -> None:
        self._next = 0.0

    def show(self, progress: Progress) -> None:
        """Write it to stderr, if it is time."""
        if progress.seconds >= self._next:
            self._next = progress.seconds + 10.0
            click.echo(sentence(progress), err=True)


def sentence(progress: Progress) -> str:
    """Progress in words."""
    ratio = progress.raw_bytes / progress.bytes if progress.bytes else 0.0
    return (
        f"{progress.seconds:7.1f} s  {progress.frames:,} frames, {progress.bytes / MIB:.2f} MiB "
        f"(1:{ratio:.1f}) in {progress.files} files, {progress.reconnects} reconnects, "
        f"{progress.gaps} gaps, {progress.dropped} dropped"
        + (f", {progress.removed} files removed by somebody" if progress.removed else "")
    )


async def run_record(options: Options, screen: Screen) -> Progress:
    """Record until a signal, or until the time is over.

    Raises:
        RecordingFailed: a file cannot be written.
        ConnectorError: the exchange refuses, or cannot be reached for good.

    Cancellation: the files are ended in order.
    """
    stop = trio.Event()
    async with _exchange(options) as (exchange, dialer), trio.open_nursery() as nursery:
        files = Files(
            options.out,
            subject_of(exchange, options.channels),
            options.rotate_minutes * 60,
            round(options.rotate_mib * MIB),
            options.sync,
            retention=retention_of(options.keep_days, options.max_total_gib),
        )
        nursery.start_soon(_stop_when_interrupted, stop)
        if options.duration_seconds is not None:
            nursery.start_soon(_stop_after, options.duration_seconds, stop)
        async with open_adapter(exchange, dialer=dialer) as adapter:
            result = await record(adapter, options.channels, files, screen, stop)
        nursery.cancel_scope.cancel()
    return result


@asynccontextmanager
async def _exchange(options: Options) -> AsyncIterator[tuple[Exchange, Dialer]]:
    """The exchange, real or simulated."""
    kind = find_exchange(options.exchange)
    if not options.simulate:
        yield kind(), TcpDialer()
        return
    network = MemoryNetwork()
    symbols = {getattr(each, "symbol", None) for each in options.channels}
    source = OrderFlow(
        symbols=tuple(sorted(each.upper() for each in symbols if each)) or ("ETHUSDC",),
        seed=options.seed,
    )
    async with open_exchange(
        simulator_of(options.exchange),
        source=source,
        network=network,
        epoch_ms=time.time_ns() // NS_PER_MS,
    ) as simulated:
        yield EXCHANGES[options.exchange](endpoints=simulated.endpoints), network


async def _stop_when_interrupted(stop: trio.Event) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            stop.set()
            return


async def _stop_after(seconds: float, stop: trio.Event) -> None:
    await trio.sleep(seconds)
    stop.set()


@click.command()
@click.argument("exchange", type=click.Choice(list(EXCHANGES)))
@click.argument("channels", nargs=-1, required=True)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The folder of the files; made if it is not there.",
)
@click.option(
    "--rotate-minutes",
    type=FiniteRange(min=0.01),
    default=60.0,
    show_default=True,
    help="Age at which a file is ended and the next begun.",
)
@click.option(
    "--rotate-mib",
    type=FiniteRange(min=0.01),
    default=256.0,
    show_default=True,
    help="Size at which it is.",
)
@click.option(
    "--keep-days",
    type=FiniteRange(min=0, min_open=True),
    help="Delete files of this exchange in the folder that are older; none if left out.",
)
@click.option(
    "--max-total-gib",
    type=FiniteRange(min=0, min_open=True),
    help="Delete the oldest of them when all take more; none if left out.",
)
@click.option("--fsync", is_flag=True, help="Let every block survive a power cut, not only a kill.")
@click.option("--duration", type=FiniteRange(min=0.1), help="Seconds; until Ctrl-C if left.")
@click.option("--simulate", is_flag=True, help="Record a simulated exchange, without a network.")
@click.option("--seed", type=int, default=0, help="Another seed is another simulated market.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def record_command(
    *,
    exchange: str,
    channels: tuple[str, ...],
    out: Path,
    rotate_minutes: float,
    rotate_mib: float,
    keep_days: float | None,
    max_total_gib: float | None,
    fsync: bool,
    duration: float | None,
    simulate: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Record CHANNELS of EXCHANGE: every frame as it came, with the life of the connections.

    A channel is written as trades:ETHUSDC, partial_book:ETHUSDC,levels=5 or order_book:ETHUSDC. The
    last includes the snapshots that a local book is kept from. SIGINT and SIGTERM end the recording
    in order; what was recorded up to a second before a kill can be read, too.
    """
    if seed and not simulate:
        raise click.UsageError("--seed is for the simulated exchange: add --simulate")
    logging.getLogger("connector").addHandler(logging.NullHandler())
    try:
        options = Options(
            exchange=exchange,
            channels=tuple(each for text in channels for each in parse_channels(text, ())),
            out=out,
            rotate_minutes=rotate_minutes,
            rotate_mib=rotate_mib,
            keep_days=keep_days,
            max_total_gib=max_total_gib,
            sync=fsync,
            simulate=simulate,
            seed=seed,
            duration_seconds=duration,
        )
        result = trio.run(run_record, options, Quiet() if as_json else Lines())
    except* (ConfigError, ConnectorError, RecordingFailed) as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(msgspec.json.encode(attrs.asdict(result)).decode())
    else:
        click.echo(f"{sentence(result)}: {result.path}")
