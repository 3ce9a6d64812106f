"""The paced server: frames at the moments of a plan, each with its moment of sending inside.

The stamp, CLOCK_MONOTONIC in nanoseconds, stands where Binance has the time of the event, so that
every client decodes it as it always does. Spinning between the moments, on a processor of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import time
from collections.abc import Iterator

from benchmarks import workloads
from benchmarks.server import accept, reply, requests

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


def prepared(workload: str, count: int) -> list[bytes]:
    """`count` frames with ``%d`` where the moment belongs, which has as many digits as a time."""
    mark = str(workloads.TIME_MS).encode()
    texts = (workloads.MAKERS[workload]("ETHUSDC", 1 + n) for n in range(count))
    return [workloads.frame(text).replace(mark, b"%d") for text in texts]


def send(connection: socket.socket, frames: list[bytes], moments: Iterator[int]) -> None:
    planned = list(zip(moments, frames, strict=False))
    begin = time.monotonic_ns() + 50_000_000
    first, count = 0, len(planned)
    while first < count:
        now = time.monotonic_ns()
        last = first
        while last < count and begin + planned[last][0] <= now:
            last += 1
        if last > first:
            # Whoever was late sends what is due together, and so keeps the rate.
            stamp = workloads.stamp()
            connection.sendall(b"".join(each % ((stamp,) * 2) for _, each in planned[first:last]))
            first = last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--rate", type=int, default=0, help="per second; 0 for bursts")
    options = parser.parse_args()
    frames = prepared(options.workload, options.messages)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        count, rate = options.messages, options.rate
        with contextlib.suppress(OSError, IndexError, StopIteration):
            accept(connection)
            connection.sendall(reply(next(requests(connection))))
            moments = steadily(rate, count) if rate else in_bursts(count)
            send(connection, frames, moments)
            while connection.recv(65_536):
                pass
        connection.close()


if __name__ == "__main__":
    main()
