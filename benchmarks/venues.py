"""What a message of each venue costs, trades and book deltas, beside picows and msgspec.

    python -m benchmarks.venues                    # every venue, CPU time, a table
    python -m benchmarks.venues kraken --rounds 9
    python -m benchmarks.venues --instructions     # the same on an idle and on a busy machine

The frames are those of the simulated venue, whose market is the same for all: the server sends them
as fast as they are taken, and each contestant, in a process of its own, measures the CPU time from
its connection to its last event, in several passes. *picows* decodes each frame, in its callback,
into the fields that our events have (`benchmarks.venue_structs`), and looks at none of them;
`connector` delivers each event to a consumer in a task of its own, or a batch of those that there
are. Rounds are interleaved; the table shows the least of all passes: what other programs of the
machine take is never negative.

With ``--instructions`` valgrind counts what each contestant does from the first frame to the last
event, in a second pass over the same frames. The kernel is not in it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs
import msgspec
import trio
from trio.testing import MockClock

from benchmarks.build import warn_if_not_compiled
from benchmarks.server import accept
from benchmarks.venue_structs import decoder
from benchmarks.venue_task import MARK, Task
from benchmarks.workloads import frame
from connector import Overflow, open_adapter
from connector.channels import AnyChannel, BookDeltas, PartialBook, Trades
from connector.exchanges import (
    binance,
    bitget,
    bybit,
    coinbase,
    deribit,
    hyperliquid,
    kraken,
    okx,
)
from connector.link.raw_frames import RawFrame
from connector.testing import MemoryNetwork, OrderFlow, open_exchange

KINDS = ("trades", "deltas")
CONTESTANTS = ("connector", "batches", "picows")
"""`connector` twice, with `async for`, and with `Feed.batches`."""
PASSES = 8
"""Connections of one contestant, which bring the same frames; the first warms up."""
BLOCK_BYTES = 65_536
_NUMBER = re.compile(rb'(?<="sequence_num":)\d+')
"""Of a message on its connection."""
_TOTALS = re.compile(r"^totals: (\d+)", re.MULTILINE)


@attrs.frozen
class Venue:
    """An exchange value, and a symbol there."""

    exchange: Callable[..., Any]
    symbol: str

    book: Callable[[str], AnyChannel] = BookDeltas
    """The channel of its books."""

    def channel(self, kind: str) -> AnyChannel:
        """The channel of a kind of frame."""
        return Trades(self.symbol) if kind == "trades" else self.book(self.symbol)


def five_levels(symbol: str) -> AnyChannel:
    """Books of a venue that sends them whole."""
    return PartialBook(symbol, levels=5)


VENUES = {
    "binance_coinm": Venue(binance.CoinMFutures, "BTCUSD_PERP"),
    "bybit_linear": Venue(bybit.Linear, "BTCUSDT"),
    "okx": Venue(okx.Okx, "BTC-USDT-SWAP"),
    "coinbase": Venue(coinbase.AdvancedTrade, "BTC-USD"),
    "kraken": Venue(kraken.Spot, "BTC/USD"),
    "kraken_futures": Venue(kraken.Futures, "PF_XBTUSD"),
    "kraken_unified": Venue(kraken.Unified, "PF_XBTUSD"),
    "deribit": Venue(deribit.Deribit, "BTC-PERPETUAL"),
    "hyperliquid": Venue(hyperliquid.Hyperliquid, "BTC", five_levels),
    "bitget_futures": Venue(bitget.Futures, "BTCUSDT"),
}


@attrs.frozen
class Recorded:
    """A frame of a venue."""

    data: bytes
    events: int
    """In it."""


async def record(name: str, kind: str, count: int) -> list[Recorded]:
    """`count` frames of the simulated venue."""
    venue, network = VENUES[name], MemoryNetwork()
    source = OrderFlow(symbols=(venue.symbol,), rate_per_second=200)
    frames: list[Recorded] = []
    async with (
        open_exchange(name, network=network, source=source) as exchange,  # type: ignore[arg-type]
        open_adapter(venue.exchange(endpoints=exchange.endpoints), dialer=network) as adapter,
    ):
        decode, bare = adapter.exchange.stream(venue.channel(kind)).decode, decoder(name, kind)
        with adapter.frames() as raw:
            # Nobody reads the events: the frames are what is wanted.
            async with adapter.subscribe(venue.channel(kind), overflow=Overflow.DROP_OLDEST):
                async for each in raw:
                    if not isinstance(each, RawFrame) or not each.stream:
                        continue
                    try:
                        bare(each.payload)
                    except msgspec.ValidationError:
                        continue  # a snapshot of another form, before all others
                    found = decode(payload_of(adapter.exchange, each.payload))
                    # What was between the frames is left out: no number may be missing.
                    data = _NUMBER.sub(b"%d" % len(frames), each.payload, 1)
                    frames.append(Recorded(data, len(found) if isinstance(found, list) else 1))
                    if len(frames) == count:
                        break
    return frames


def payload_of(exchange: Any, data: bytes) -> bytes:
    """The payload of the stream in a whole frame."""
    said: bytes = exchange.parse(data).payload
    return said


@contextmanager
def server(frames: list[Recorded]) -> Iterator[int]:
    """Sends `frames` to whoever connects, in a thread; its port."""
    data = b"".join(frame(each.data.decode()) for each in frames)
    with socket.create_server(("localhost", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    accept(connection)
                    for begin in range(0, len(data), BLOCK_BYTES):
                        connection.sendall(data[begin : begin + BLOCK_BYTES])
                    connection.recv(1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]


def run(contestant: str, tasks: list[Task], *, under: tuple[str, ...] = ()) -> str:
    """Let a contestant do `tasks`; what it prints."""
    if contestant == "batches":
        contestant, tasks = "connector", [attrs.evolve(each, batches=True) for each in tasks]
    finished = subprocess.run(
        [*under, sys.executable, "-m", f"benchmarks.contestants.venue_{contestant}"],
        input=json.dumps([attrs.asdict(each) for each in tasks]),
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": "0"},
    )  # fmt: skip
    return finished.stdout


def microseconds(tasks: list[Task], rounds: int) -> list[list[float]]:
    """CPU µs per frame of each task, for each contestant."""
    found: dict[str, list[list[float]]] = {each: [] for each in CONTESTANTS}
    for _ in range(rounds):
        for contestant, costs in found.items():
            costs.append(json.loads(run(contestant, tasks)))
    return [list(map(min, zip(*costs, strict=True))) for costs in found.values()]


def instructions(contestant: str, tasks: list[Task]) -> list[float]:
    """Instructions per frame of each task."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        run(
            contestant, tasks,
            under=("valgrind", "--tool=callgrind", f"--dump-before={MARK}",
                   f"--callgrind-out-file={out}"),
        )  # fmt: skip
        # A dump has what was done since the one before; a pass is between two.
        dumps = [Path(f"{out}.{number + 1}") for number in range(2 * sum(t.passes for t in tasks))]
        totals = [_TOTALS.search(each.read_text()) for each in dumps]
    passes = iter([int(each[1]) for each in totals[1::2] if each is not None])
    by_task = [[next(passes) for _ in range(each.passes)] for each in tasks]
    return [each[-1] / task.frames for each, task in zip(by_task, tasks, strict=True)]


def main() -> None:
    warn_if_not_compiled()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("venues", nargs="*", help=", ".join(VENUES))
    parser.add_argument("--frames", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--instructions", action="store_true", help="count, do not measure")
    options = parser.parse_args()
    if options.instructions and shutil.which("valgrind") is None:
        parser.exit(1, "valgrind is not installed\n")
    unit = "instructions" if options.instructions else "µs"
    tasks = []
    with ExitStack() as servers:
        for name in options.venues or list(VENUES):
            for kind in KINDS:
                clock = MockClock(autojump_threshold=0)
                frames = trio.run(record, name, kind, options.frames, clock=clock)
                port = servers.enter_context(server(frames))
                events = sum(each.events for each in frames)
                passes = 2 if options.instructions else PASSES
                tasks.append(Task(name, kind, port, len(frames), events, passes))
        if options.instructions:
            columns = [instructions(each, tasks) for each in CONTESTANTS]
        else:
            columns = microseconds(tasks, options.rounds)
    print(
        f"| venue | frames | events in each | connector, {unit} | batches, {unit} | picows, {unit} "
        "| ratio | batches |"
    )
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    digits = 0 if options.instructions else 2
    for task, each, batch, bare in zip(tasks, *columns, strict=True):
        share = f"{task.events / task.frames:.1f}"
        figures = " | ".join(f"{cost:,.{digits}f}" for cost in (each, batch, bare))
        ratios = f"{each / bare:.2f} | {batch / bare:.2f}"
        print(f"| {task.venue} | {task.kind} | {share} | {figures} | {ratios} |")


if __name__ == "__main__":
    main()
