"""How cost grows: with subscribers of a stream, streams of a link, links of an adapter.

Replayed in this process (`benchmarks.replay`), the least of many rounds, so that a busy machine
disturbs little. Beside it, what fairness rests on: how long a consumer that never awaits keeps the
loop, and how long a ping waits behind a burst on another connection. Both are CPU time, which is
what they would last on a processor of their own.

Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import trio

from benchmarks.replay import CAPACITY, Replay, cost, frames

MESSAGES = 10_000
CURVES: Mapping[str, tuple[str, Sequence[int]]] = {
    "subscribers of one stream": ("subscribers", (1, 2, 4, 8, 16)),
    "streams of one link, in turn": ("symbols", (1, 10, 100, 1_000)),
    "links of one adapter": ("links", (1, 2, 4, 8, 16)),
}
"""What grows, by the argument of `Replay`."""
WORKLOADS = ("depth5", "trade")


def curves(rounds: int) -> dict[str, dict[str, dict[int, float]]]:
    """CPU µs per message that comes in, by curve, workload and size."""
    return {
        title: {
            workload: {
                size: cost(
                    workload, MESSAGES // (size if what == "links" else 1), rounds, **{what: size}
                )
                for size in sizes
            }
            for workload in WORKLOADS
        }
        for title, (what, sizes) in CURVES.items()
    }  # fmt: skip


class Turns(trio.abc.Instrument):
    """The longest turn of a task, in ms of CPU."""

    def __init__(self) -> None:
        self.longest: dict[str, float] = {}
        self._begin = 0.0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._begin = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        spent = 1e3 * (time.thread_time() - self._begin)
        name = task.name.rpartition(".")[2]
        self.longest[name] = max(self.longest.get(name, 0.0), spent)


def longest_turns(rounds: int) -> dict[str, float]:
    """The longest turn of the reader and of a consumer that never awaits, of the best round."""
    data = frames("depth5", MESSAGES)
    best: dict[str, float] = {}
    for _ in range(rounds):
        turns = Turns()
        trio.run(Replay("depth5").run, data, MESSAGES, instruments=[turns])
        for name in ("consume", "receive_some"):
            best[name] = min(best.get(name, float("inf")), turns.longest[name])
    return best


def wait_behind_burst(rounds: int) -> float:
    """Longest time in ms of CPU between two turns of a task beside a burst of one megabyte."""
    data = frames("depth5", 3_000)

    async def beside() -> float:
        longest, running = 0.0, True

        async def pulse() -> None:
            nonlocal longest
            last = time.thread_time()
            while running:
                await trio.lowlevel.checkpoint()
                now = time.thread_time()
                longest = max(longest, now - last)
                last = now

        async with trio.open_nursery() as nursery:
            nursery.start_soon(pulse)
            await Replay("depth5").run(data, 3_000)
            running = False
        return 1e3 * longest

    return min(trio.run(beside) for _ in range(rounds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    turns = longest_turns(options.rounds)
    figures: dict[str, Any] = {
        "curves": curves(options.rounds),
        "fairness": {
            "buffer": CAPACITY,
            "consumer_ms": turns["consume"],
            "reader_ms": turns["receive_some"],
            "behind_burst_ms": wait_behind_burst(options.rounds),
        },
    }
    json.dump(figures, sys.stdout)


if __name__ == "__main__":
    main()
