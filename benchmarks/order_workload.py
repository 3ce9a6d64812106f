"""What every contestant does around its orders: arguments, a pace, and the figures.

Orders are placed one by one, or at a rate; after each chunk all are cancelled, which is not
counted. Then the server sends fills of one more order.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NoReturn

SYMBOL, PRICE, QUANTITY, LARGE = "ETHUSDC", "2500", "0.1", "100"
CHUNK = 50


def stay_on_loopback() -> None:
    """Let nothing of this process reach another host, whatever a client does by itself."""
    ask = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **options: Any) -> Any:
        if host not in ("127.0.0.1", b"127.0.0.1"):
            raise OSError(f"{host!r} is not looked up: orders go to the loopback only")
        return ask(host, *rest, **options)

    socket.getaddrinfo = getaddrinfo


class OrderMeasure:
    """One run of one contestant: note what each order took, then `report`."""

    beginnings: ClassVar[tuple[Callable[[], object], ...]] = ()
    """Called before the second chunk, and before the fills (`benchmarks.order_instructions`)."""

    def __init__(self) -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument("port", type=int)
        parser.add_argument("--orders", type=int, default=2_000)
        parser.add_argument("--fills", type=int, default=5_000)
        parser.add_argument("--rate", type=float, default=0.0, help="a second; 0: one by one")
        parser.add_argument("--keep", action="store_true", help="cancel none, to count places")
        options = parser.parse_args()
        self.port: int = options.port
        self.orders: int = options.orders
        self.fills: int = options.fills
        self.rate: float = options.rate
        self.keep: bool = options.keep
        self._seconds: list[float] = []
        self._cpu = self._cpu_of_fills = self._began = self._sent = 0.0
        self._least = float("inf")
        self._placed = 0

    def chunks(self) -> Iterator[range]:
        """How many orders are placed before all are cancelled, until there are no more."""
        for first in range(0, self.orders, CHUNK):
            chunk = range(first, min(first + CHUNK, self.orders))
            self._placed = len(chunk)
            if first == CHUNK:
                self._begin()
            self._began = time.process_time()
            yield chunk

    def chunk_is_placed(self) -> None:
        """What follows is not counted."""
        took = time.process_time() - self._began
        self._cpu += took
        self._least = min(self._least, took / self._placed)

    def wait(self) -> float:
        """How long to wait before the next order, in seconds."""
        return 1 / self.rate if self.rate else 0.0

    def sending(self) -> None:
        """An order is about to be placed."""
        self._sent = time.perf_counter()

    def accepted(self) -> None:
        """It is accepted."""
        self._seconds.append(time.perf_counter() - self._sent)

    def fills_begin(self) -> None:
        """The server is about to send fills."""
        self._begin()
        self._began = time.process_time()

    def fills_are_told(self) -> None:
        """The last one was taken."""
        self._cpu_of_fills = time.process_time() - self._began

    def _begin(self) -> None:
        for beginning in self.beginnings:
            beginning()

    def end(self) -> NoReturn:
        """`report`, and end at once: closing may wait for a server that does not close."""
        self.report()
        os._exit(0)

    def report(self) -> None:
        """Print the figures."""
        ranked = sorted(self._seconds[len(self._seconds) // 20 :])
        figures = {
            "order_us": 1e6 * self._cpu / self.orders,
            "least_us": 1e6 * self._least,
            "p50_us": 1e6 * ranked[len(ranked) // 2],
            "p99_us": 1e6 * ranked[int(0.99 * (len(ranked) - 1))],
        }
        if self._cpu_of_fills:
            figures["event_us"] = 1e6 * self._cpu_of_fills / self.fills
        json.dump(figures, sys.stdout)
        sys.stdout.flush()
