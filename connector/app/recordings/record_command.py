"""``connector record``: write the frames of an exchange into files."""

from __future__ import annotations

import logging
from pathlib import Path

import attrs
import click
import msgspec
import trio

from connector import open_adapter
from connector.app.naming import parse_channels
from connector.app.numbers import FiniteRange
from connector.app.options import (
    ChannelText,
    ExchangeName,
    duration_options,
    epilog,
    json_option,
    out_folder,
    simulation_options,
)
from connector.app.place import Place, open_place
from connector.app.recordings.recorder import MIB, Files, Progress, Screen, record, subject_of
from connector.app.recordings.retention import retention_of
from connector.app.stopping import stop_when_interrupted
from connector.app.words import counted
from connector.channels import AnyChannel


@attrs.frozen(kw_only=True)
class Options:
    """The channels to record, and the folder for them."""

    place: Place
    channels: tuple[AnyChannel, ...]
    out: Path
    rotate_minutes: float = 60.0
    rotate_mib: float = 256.0
    keep_days: float | None = None
    max_total_gib: float | None = None
    sync: bool = False
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
        f"{progress.seconds:7.1f} s  {counted(progress.frames, 'frame')}, "
        f"{progress.bytes / MIB:.2f} MiB (1:{ratio:.1f}) in {counted(progress.files, 'file')}, "
        f"{counted(progress.reconnects, 'reconnect')}, {counted(progress.gaps, 'gap')}, "
        f"{progress.dropped:,} dropped"
        + (f", {counted(progress.removed, 'file')} removed by others" if progress.removed else "")
    )


async def run_record(options: Options, screen: Screen) -> Progress:
    """Record until a signal, or until the time is over.

    Raises:
        RecordingFailed: a file cannot be written.
        ConnectorError: the exchange refuses, or cannot be reached for good.

    Cancellation: the files are ended in order.
    """
    stop = trio.Event()
    symbols = (getattr(each, "symbol", None) for each in options.channels)
    place = open_place(options.place, filter(None, symbols))
    async with place as (exchange, dialer), trio.open_nursery() as nursery:
        files = Files(
            options.out,
            subject_of(exchange, options.channels),
            options.rotate_minutes * 60,
            round(options.rotate_mib * MIB),
            options.sync,
            retention=retention_of(options.keep_days, options.max_total_gib),
        )
        nursery.start_soon(stop_when_interrupted, stop)
        if options.duration_seconds is not None:
            nursery.start_soon(_stop_after, options.duration_seconds, stop)
        async with open_adapter(exchange, dialer=dialer) as adapter:
            result = await record(adapter, options.channels, files, screen, stop)
        nursery.cancel_scope.cancel()
    return result


async def _stop_after(seconds: float, stop: trio.Event) -> None:
    await trio.sleep(seconds)
    stop.set()


@click.command(
    "record",
    short_help="Record what an exchange sends into files.",
    epilog=epilog(
        "record binance_usdm trades:ETHUSDC order_book:ETHUSDC --out data",
        "record okx trades:BTC-USDT,ETH-USDT --out data --minutes 5",
        "record binance_usdm trades:ETHUSDC --out data --simulate",
        names=True,
    ),
)
@click.argument("exchange", metavar="EXCHANGE", type=ExchangeName())
@click.argument("channels", metavar="CHANNEL...", nargs=-1, required=True, type=ChannelText())
@out_folder("recordings")
@click.option(
    "--rotate-minutes",
    type=FiniteRange(min=0.01),
    metavar="MINUTES",
    default=60.0,
    show_default=True,
    help="Begin a new file after this time.",
)
@click.option(
    "--rotate-mib",
    type=FiniteRange(min=0.01),
    metavar="MIB",
    default=256.0,
    show_default=True,
    help="Begin a new file at this size.",
)
@click.option(
    "--keep-days",
    type=FiniteRange(min=0, min_open=True),
    metavar="DAYS",
    help="Delete files of this exchange in the folder that are older.  [default: keep all]",
)
@click.option(
    "--max-total-gib",
    type=FiniteRange(min=0, min_open=True),
    metavar="GIB",
    help="Delete the oldest of them when all take more than this.  [default: no limit]",
)
@click.option("--fsync", is_flag=True, help="Make each block survive a power cut, not only a kill.")
@duration_options(default_seconds=None, least_seconds=0.1)
@simulation_options
@json_option
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
    seconds: float | None,
    simulate: bool,
    break_every: float,
    seed: int,
    as_json: bool,
) -> None:
    """Record each CHANNEL of EXCHANGE: every frame as it arrives, and every disconnect.

    Write a channel as trades:ETHUSDC, partial_book:ETHUSDC,levels=5 or order_book:ETHUSDC. The last
    also records the snapshots that a local book needs. 'connector channels EXCHANGE' lists the
    channels with their arguments.

    Ctrl-C or SIGTERM ends the recording in order. After a kill you can still read everything but
    the last second.
    """
    logging.getLogger("connector").addHandler(logging.NullHandler())
    options = Options(
        place=Place(
            exchange=exchange, simulate=simulate, seed=seed, break_every_seconds=break_every
        ),
        channels=tuple(each for text in channels for each in parse_channels(text, ())),
        out=out,
        rotate_minutes=rotate_minutes,
        rotate_mib=rotate_mib,
        keep_days=keep_days,
        max_total_gib=max_total_gib,
        sync=fsync,
        duration_seconds=seconds,
    )
    result = trio.run(run_record, options, Quiet() if as_json else Lines())
    if as_json:
        click.echo(msgspec.json.encode(attrs.asdict(result)).decode())
    else:
        click.echo(f"{sentence(result)}: {result.path}")
