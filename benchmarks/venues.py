"""CPU per message of trades and book deltas of each venue, beside picows and msgspec.

    python -m benchmarks.venues                    # every venue, a table
    python -m benchmarks.venues kraken --rounds 9

The frames are those of the simulated venue, whose market is the same for all: the server sends them
as fast as they are taken, and each contestant, in a process of its own, measures the CPU time from
its connection to its last event, several times. *picows* decodes each frame, in its callback, into
the fields that our events have (`benchmarks.venue_structs`); `connector` delivers events to a
consumer in a task of its own. Rounds are interleaved; the table shows ratios of medians.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import msgspec
import trio
from trio.testing import MockClock

from benchmarks.server import accept
from benchmarks.venue_structs import decoder
from benchmarks.workloads import frame
from connector import Overflow, open_adapter
from connector.channels import AnyChannel, BookDeltas, Trades
from connector.exchanges import binance, bitget, bybit, deribit, kraken, okx
from connector.link.raw_frames import RawFrame
from connector.testing import MemoryNetwork, OrderFlow, open_exchange

KINDS = ("trades", "deltas")
PASSES = 8
"""Connections of one contestant, which bring the same frames."""
BLOCK_BYTES = 65_536


@attrs.frozen
class Venue:
    """An exchange value, and a symbol there."""

    exchange: Callable[..., Any]
    symbol: str

    def channel(self, kind: str) -> AnyChannel:
        """The channel of a kind of frame."""
        return Trades(self.symbol) if kind == "trades" else BookDeltas(self.symbol)


VENUES = {
    "binance_coinm": Venue(binance.CoinMFutures, "BTCUSD_PERP"),
    "bybit_linear": Venue(bybit.Linear, "BTCUSDT"),
    "okx": Venue(okx.Okx, "BTC-USDT-SWAP"),
    "kraken": Venue(kraken.Spot, "BTC/USD"),
    "kraken_futures": Venue(kraken.Futures, "PF_XBTUSD"),
    "deribit": Venue(deribit.Deribit, "BTC-PERPETUAL"),
    "bitget_futures": Venue(bitget.Futures, "BTCUSDT"),
}


@attrs.define
class Count:
    """One run of one contestant."""

    venue: str
    kind: str
    port: int
    frames: int
    events: int
    _began: float = 0.0
    _passes: list[float] = attrs.Factory(list)

    @classmethod
    def from_arguments(cls) -> Count:
        """What the parent process says."""
        venue, kind, *numbers = sys.argv[1:]
        return cls(venue, kind, *map(int, numbers))

    def begin(self) -> None:
        """The first frame is about to come."""
        self._began = time.process_time()

    def end(self) -> None:
        """The last event has come."""
        self._passes.append(1e6 * (time.process_time() - self._began) / self.frames)

    def report(self) -> None:
        """Print the median of all passes but the first, which warms up."""
        print(json.dumps(statistics.median(self._passes[1:])), flush=True)


async def record(name: str, kind: str, count: int) -> tuple[list[bytes], int]:
    """`count` frames of the simulated venue, and how many events they are."""
    venue, network = VENUES[name], MemoryNetwork()
    source = OrderFlow(symbols=(venue.symbol,), rate_per_second=200)
    frames: list[bytes] = []
    events = 0
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
                    frames.append(each.payload)
                    events += len(found) if isinstance(found, list) else 1
                    if len(frames) == count:
                        break
    return frames, events


def payload_of(exchange: Any, data: bytes) -> bytes:
    """The payload of the stream in a whole frame."""
    said: bytes = exchange.parse(data).payload
    return said


@contextmanager
def server(frames: list[bytes]) -> Iterator[int]:
    """Sends `frames` to whoever connects, in a thread; its port."""
    data = b"".join(frame(each.decode()) for each in frames)
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


def measured(contestant: str, name: str, kind: str, *numbers: int) -> float:
    """CPU µs per frame of one run."""
    finished = subprocess.run(
        [sys.executable, "-m", f"benchmarks.contestants.venue_{contestant}", name, kind,
         *map(str, numbers)],
        capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
    return float(json.loads(finished.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("venues", nargs="*", help=", ".join(VENUES))
    parser.add_argument("--frames", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print("| venue | frames | connector µs | picows µs | ratio |")
    print("| --- | --- | ---: | ---: | ---: |")
    for name in options.venues or list(VENUES):
        for kind in KINDS:
            clock = MockClock(autojump_threshold=0)
            frames, events = trio.run(record, name, kind, options.frames, clock=clock)
            costs: dict[str, list[float]] = {"connector": [], "picows": []}
            with server(frames) as port:
                for _ in range(options.rounds):
                    for contestant, found in costs.items():
                        found.append(measured(contestant, name, kind, port, len(frames), events))
            ours, theirs = map(statistics.median, costs.values())
            row = f"| {name} | {kind} | {ours:.2f} | {theirs:.2f} | {ours / theirs:.2f} |"
            print(row, flush=True)


if __name__ == "__main__":
    main()
