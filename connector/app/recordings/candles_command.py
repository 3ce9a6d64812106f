"""``connector candles SYMBOL``: the candles of a span, into a file.

By default the exchange is simulated, in memory: its market has two days of past.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import click
import msgspec
import trio

from connector import open_adapter
from connector.app.naming import EXCHANGES, find_exchange, simulator_of
from connector.app.recordings.candle_files import open_file
from connector.app.recordings.moments import span_between, span_options
from connector.app.recordings.progress import HowFar
from connector.errors import ConfigError, ConnectorError
from connector.exchanges.protocol import Exchange
from connector.testing import MemoryNetwork, OrderFlow, open_exchange
from connector.transport import Dialer, TcpDialer

NS_PER_MS, NS_PER_SECOND = 1_000_000, 1_000_000_000
DEFAULT_SECONDS = 24 * 3600
_MOST_HOLES = 20
"""That are named one by one."""


@attrs.frozen(kw_only=True)
class Options:
    """What to fetch, and where to."""

    symbol: str
    exchange: str
    interval: str
    out: Path
    since_ns: int
    until_ns: int
    live: bool = False
    seed: int = 0


@attrs.frozen(kw_only=True)
class Result:
    """What was fetched."""

    path: str
    candles: int
    requests: int
    missing: tuple[tuple[int, int], ...]
    """Where the exchange has no candles: from, until, nanoseconds since the epoch."""


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
            _exchange(options) as (exchange, dialer),
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


@asynccontextmanager
async def _exchange(options: Options) -> AsyncIterator[tuple[Exchange, Dialer]]:
    """The exchange, simulated or real."""
    if options.live:
        yield find_exchange(options.exchange)(), TcpDialer()
        return
    network = MemoryNetwork()
    async with open_exchange(
        simulator_of(options.exchange),
        source=OrderFlow(symbols=(options.symbol.upper(),), seed=options.seed),
        network=network,
        epoch_ms=time.time_ns() // NS_PER_MS,
    ) as simulated:
        made: Any = EXCHANGES[options.exchange]
        yield made(endpoints=simulated.endpoints), network


def sentences(result: Result) -> list[str]:
    """What was fetched, and what was not."""
    requests = f"{result.requests} request{'s' * (result.requests != 1)}"
    lines = [f"{result.path}: {result.candles:,} candles in {requests}"]
    lines += [
        f"the exchange has none from {_moment(begin)} to {_moment(end)}"
        for begin, end in result.missing[:_MOST_HOLES]
    ]
    more = len(result.missing) - _MOST_HOLES
    return [*lines, f"and {more} holes more"] if more > 0 else lines


def _moment(ns: int) -> str:
    return datetime.fromtimestamp(ns / NS_PER_SECOND, UTC).isoformat(timespec="seconds")


@click.command()
@click.argument("symbol")
@click.option(
    "--exchange",
    type=click.Choice(list(EXCHANGES)),
    default="binance_usdm",
    show_default=True,
    help="Whose.",
)
@click.option("--interval", default="1m", show_default=True, help="As the exchange writes it.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="A new file: .parquet, .csv or .jsonl.",
)
@span_options
@click.option("--live", is_flag=True, help="Ask the real exchange instead of a simulated one.")
@click.option("--seed", type=int, default=0, help="Another seed is another simulated market.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def candles_command(
    *,
    symbol: str,
    exchange: str,
    interval: str,
    out: Path,
    since_ns: int | None,
    until_ns: int | None,
    live: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Fetch the candles of SYMBOL from --from to before --to, by default of the last 24 hours.

    A long span takes many requests, below the limits of the exchange; on a terminal the command
    says how far it is. Where the exchange has no candles, it says so. The last candle may still
    run: it is not closed. A file that exists is left alone, and one that was not completed is
    removed.
    """
    if seed and live:
        raise click.UsageError("--seed is for the simulated exchange: leave out --live")
    logging.getLogger("connector").addHandler(logging.NullHandler())
    until = time.time_ns() if until_ns is None else until_ns
    since = until - DEFAULT_SECONDS * NS_PER_SECOND if since_ns is None else since_ns
    span_between(since, until)
    options = Options(
        symbol=symbol,
        exchange=exchange,
        interval=interval,
        out=out,
        since_ns=since,
        until_ns=until,
        live=live,
        seed=seed,
    )
    try:
        progress = HowFar((since, until), sys.stderr, what="candles")
        result = trio.run(run_candles, options, progress)
    except (ConfigError, ConnectorError, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(msgspec.json.encode(attrs.asdict(result)).decode())
    else:
        click.echo("\n".join(sentences(result)))
