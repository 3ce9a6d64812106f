"""``connector candles SYMBOL``: the candles of a span, into a file."""

from __future__ import annotations

import logging
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import attrs
import click
import msgspec
import trio

from connector import open_adapter
from connector.app.options import epilog, exchange_option, json_option, simulation_options
from connector.app.place import Place, open_place
from connector.app.recordings.candle_files import open_file
from connector.app.recordings.moments import span_between, span_options
from connector.app.recordings.progress import HowFar
from connector.app.words import counted

NS_PER_SECOND = 1_000_000_000
DEFAULT_SECONDS = 24 * 3600
_MOST_HOLES = 20
"""That are named one by one."""


@attrs.frozen(kw_only=True)
class Options:
    """The candles to fetch, and the file for them."""

    symbol: str
    place: Place
    interval: str
    out: Path
    since_ns: int
    until_ns: int


@attrs.frozen(kw_only=True)
class Result:
    """The result of a fetch."""

    path: str
    candles: int
    requests: int
    missing: tuple[tuple[int, int], ...]
    """Spans without candles: begin and end, nanoseconds since the epoch."""


async def run_candles(options: Options, progress: HowFar) -> Result:
    """Fetch candles into a file.

    Raises:
        ConfigError: an option cannot work.
        ConnectorError: the exchange refuses.
        OSError: the file cannot be written.

    Cancellation: no file is left.
    """
    count = 0
    with open_file(options.out) as file:
        async with (
            open_place(options.place, (options.symbol,)) as (exchange, dialer),
            open_adapter(exchange, dialer=dialer) as adapter,
        ):
            candles = adapter.candles(
                options.symbol, options.interval, start=options.since_ns, end=options.until_ns
            )
            async for candle in candles:
                file.add(candle)
                count += 1
                progress.show(count, candle.open_time_ns)
    return Result(
        path=str(options.out),
        candles=count,
        requests=candles.requests,
        missing=tuple((gap.begin_ns or 0, gap.end_ns or 0) for gap in candles.missing),
    )


def sentences(result: Result) -> list[str]:
    """The result as lines: the file, and the missing candles."""
    requests = counted(result.requests, "request")
    lines = [f"{result.path}: {counted(result.candles, 'candle')} in {requests}"]
    lines += [
        f"the exchange has none from {_moment(begin)} to {_moment(end)}"
        for begin, end in result.missing[:_MOST_HOLES]
    ]
    more = len(result.missing) - _MOST_HOLES
    return [*lines, f"and {more} holes more"] if more > 0 else lines


def _moment(ns: int) -> str:
    return datetime.fromtimestamp(ns / NS_PER_SECOND, UTC).isoformat(timespec="seconds")


@click.command(
    "candles",
    short_help="Fetch the candles of a span into a file.",
    epilog=epilog(
        "candles ETHUSDC --interval 5m --out candles.parquet",
        "candles BTC-USDT --exchange okx --from 2026-11-01 --out 11.csv",
        "candles ETHUSDC --simulate --out candles.csv",
    ),
)
@click.argument("symbol")
@exchange_option("binance_usdm")
@click.option(
    "--interval",
    metavar="INTERVAL",
    default="1m",
    show_default=True,
    help="How long a candle is, as the exchange writes it.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    required=True,
    help="A new file: .parquet, .csv or .jsonl.",
)
@span_options
@simulation_options
@json_option
def candles_command(
    *,
    symbol: str,
    exchange: str,
    interval: str,
    out: Path,
    since_ns: int | None,
    until_ns: int | None,
    simulate: bool,
    break_every: float,
    seed: int,
    as_json: bool,
) -> None:
    """Fetch the candles of SYMBOL from --from to before --to, by default of the last 24 hours.

    A long span takes many requests, below the limits of the exchange. On a terminal the command
    shows its progress. It names the spans for which the exchange has no candles. The last candle
    may not be closed yet. The command does not replace a file, and removes one that is incomplete.
    A simulated exchange has two days of history.
    """
    logging.getLogger("connector").addHandler(logging.NullHandler())
    until = time.time_ns() if until_ns is None else until_ns
    since = until - DEFAULT_SECONDS * NS_PER_SECOND if since_ns is None else since_ns
    span_between(since, until)
    options = Options(
        symbol=symbol,
        place=Place(
            exchange=exchange, simulate=simulate, seed=seed, break_every_seconds=break_every
        ),
        interval=interval,
        out=out,
        since_ns=since,
        until_ns=until,
    )
    progress = HowFar((since, until), sys.stderr, what="candles")
    try:
        result = trio.run(run_candles, options, progress)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(msgspec.json.encode(attrs.asdict(result)).decode())
    else:
        click.echo("\n".join(sentences(result)))
