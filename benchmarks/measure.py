"""What every contestant does around its loop: arguments, typed decoding, the figures."""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import msgspec

from benchmarks import workloads

STREAMS = {"depth5": "depth5@100ms", "trade": "trade", "bookTicker": "bookTicker",
           "depth": "depth@100ms", "aggTrade": "aggTrade"}  # fmt: skip


class Level(msgspec.Struct, array_like=True, gc=False):
    price: float
    quantity: float


class Book(msgspec.Struct, gc=False, tag_field="e", tag="depthUpdate"):
    s: str
    E: int
    T: int
    U: int
    u: int
    pu: int
    b: list[Level]
    a: list[Level]


class Trade(msgspec.Struct, gc=False, tag_field="e", tag="trade"):
    s: str
    E: int
    T: int
    t: int
    p: float
    q: float
    m: bool


class AggregateTrade(msgspec.Struct, gc=False, tag_field="e", tag="aggTrade"):
    s: str
    E: int
    T: int
    a: int
    p: float
    q: float
    m: bool


class Quote(msgspec.Struct, gc=False, tag_field="e", tag="bookTicker"):
    s: str
    u: int
    b: float
    B: float
    a: float
    A: float
    T: int
    E: int


class SpotBook(msgspec.Struct, gc=False):
    s: str
    E: int
    U: int
    u: int
    b: list[Level]
    a: list[Level]


class SpotQuote(msgspec.Struct, gc=False):
    s: str
    u: int
    b: float
    B: float
    a: float
    A: float


class SpotTrade(msgspec.Struct, gc=False):
    s: str
    E: int
    T: int
    t: int
    p: float
    q: float
    m: bool


KINDS = {
    "depth5": Book,
    "depth": Book,
    "trade": Trade,
    "aggTrade": AggregateTrade,
    "bookTicker": Quote,
}
MIX = {"btcusdt@depth@100ms": SpotBook, "btcusdt@bookTicker": SpotQuote, "btcusdt@trade": SpotTrade}


Decode: TypeAlias = Callable[[Any], Any]
"""Decodes a frame: bytes or, unless they are of the mix, a view of them."""


class Measure:
    """One run of one contestant: count every message, then `report`."""

    beginnings: ClassVar[tuple[Callable[[], object], ...]] = ()
    """What to call when the first message is about to come (`benchmarks.counting`)."""

    def __init__(self) -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument("workload")
        parser.add_argument("port", type=int)
        parser.add_argument("--messages", type=int, required=True)
        parser.add_argument("--symbols", type=int, default=1)
        parser.add_argument("--tls", action="store_true")
        parser.add_argument("--deflate", action="store_true")
        parser.add_argument("--way", default="each", choices=["each", "batches", "decimal"])
        options = parser.parse_args()
        self.workload: str = options.workload
        self.port: int = options.port
        self.messages: int = options.messages
        self.symbols = workloads.symbols(options.symbols)
        self.secure: bool = options.tls
        self.deflate: bool = options.deflate
        self.way: str = options.way
        """What connector is measured with: events one by one, in batches, or with Decimal."""
        self.url = f"{'wss' if options.tls else 'ws'}://localhost:{options.port}"
        self._count = 0
        self._cpu = self._wall = 0.0

    def decoder(self) -> Decode:
        """Decodes a frame, envelope and all, to typed objects: the best we know for anybody.

        One decoder for frames of one kind; for the mix, one for each stream, found by slicing the
        stream's name out of the envelope.
        """
        if self.workload != "mix":
            kind = KINDS[self.workload]
            envelope = msgspec.defstruct("Envelope", [("stream", str), ("data", kind)], gc=False)
            return msgspec.json.Decoder(envelope, strict=False).decode
        decoders = {
            name.encode(): msgspec.json.Decoder(kind, strict=False).decode
            for name, kind in MIX.items()
        }

        def decode(frame: bytes) -> object:
            end = frame.index(b'"', 11)
            return decoders[frame[11:end]](frame[end + 9 : -1])

        return decode

    def names(self) -> list[str]:
        """The streams of this workload."""
        if self.workload == "mix":
            return list(MIX)
        return [f"{each.lower()}@{STREAMS[self.workload]}" for each in self.symbols]

    def request(self) -> str:
        """The SUBSCRIBE for this workload."""
        return json.dumps({"method": "SUBSCRIBE", "params": self.names(), "id": 1})

    def begin(self) -> None:
        """The first message is about to come."""
        for beginning in self.beginnings:
            beginning()
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def take(self, count: int = 1) -> bool:
        """Count messages, of which the first begins the measurement; whether it was the last."""
        if not self._wall:
            self.begin()
        self._count += count
        return self._count >= self.messages

    def report(self) -> None:
        """The last message has come: print the figures."""
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        figures = {"cpu_us": 1e6 * cpu / self.messages, "per_second": self.messages / wall,
                   "rss_mib": peak_kib() / 1024}  # fmt: skip
        json.dump(figures, sys.stdout)
        sys.stdout.flush()


def peak_kib() -> int:
    """The most memory that this process has had, in KiB.

    Linux counts what the parent had before `exec` in ``ru_maxrss``, so the peak is read where it is
    the program's own.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(status.split("VmHWM:")[1].split()[0])


class Latency(Measure):
    """One paced run: note the stamp of every message, then `report`."""

    def __init__(self) -> None:
        super().__init__()
        self._microseconds: list[float] = []

    def note(self, stamp: int) -> bool:
        """Take the stamp of a message that has reached the user; whether it was the last."""
        self._microseconds.append(workloads.microseconds_since(stamp))
        return len(self._microseconds) == self.messages

    def report(self) -> None:
        cpu = 1e6 * (time.process_time() - self._cpu) / self.messages
        # The first ones warm up.
        ranked = sorted(self._microseconds[len(self._microseconds) // 20 :])
        figures = {
            name: ranked[int(share * (len(ranked) - 1))]
            for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999))
        }
        json.dump({"cpu_us": cpu, **figures}, sys.stdout)
        sys.stdout.flush()
