"""The paced server: frames at the moments of a plan, each with its moment of sending inside.

The stamp, CLOCK_MONOTONIC in nanoseconds, stands where Binance has the time of the event, so that
every client decodes it as it always does. Spinning between the moments, on a processor of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import socket
import time
from collections.abc import Iterator

from benchmarks import workloads
from benchmarks.server import accept, reply_to

BURST = 1_131
"""Frames in 100 ms: the busiest moment of a real capture."""
BURST_SECONDS, PAUSE_SECONDS = 0.1, 0.2


def steadily(rate: int, count: int) -> Iterator[int]:
    """`count` moments in nanoseconds, `rate` per second."""
    return (n * 1_000_000_000 // rate for n in range(count))


def in_bursts(count: int) -> Iterator[int]:
    for n in range(count):
        burst, place = divmod(n, BURST)
        seconds = burst * (BURST_SECONDS + PAUSE_SECONDS) + place * BURST_SECONDS / BURST
        yield int(1e9 * seconds)


def send(connection: socket.socket, workload: str, moments: Iterator[int]) -> None:
    numbers = itertools.count(1)
    mark = str(workloads.TIME_MS).encode()
    texts = (workloads.MAKERS[workload]("ETHUSDC", number).encode() for number in numbers)
    # A stamp has as many digits whenever the machine was started.
    frames = (
        workloads.frame(text.replace(mark, b"0" * 19).decode()).replace(b"0" * 19, b"%d")
        for text in texts
    )
    planned = list(zip(moments, frames, strict=False))
    begin = time.monotonic_ns() + 50_000_000
    for moment, frame in planned:
        due = begin + moment
        while time.monotonic_ns() < due:
            pass
        stamp = time.monotonic_ns() + workloads.STAMP_BASE
        connection.sendall(frame % ((stamp,) * 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--rate", type=int, default=0, help="per second; 0 for bursts")
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        count, rate = options.messages, options.rate
        with contextlib.suppress(OSError, IndexError):
            accept(connection)
            connection.sendall(reply_to(connection))
            moments = steadily(rate, count) if rate else in_bursts(count)
            send(connection, options.workload, moments)
            while connection.recv(65_536):
                pass
        connection.close()


if __name__ == "__main__":
    main()
