"""What a contestant of `benchmarks.venues` has to do, and how it says when it does it."""

from __future__ import annotations

import json
import os
import sys
import time

import attrs

MARK = "getpgrp"
"""A function of the C library that nobody else calls: valgrind is told to look out for it."""


@attrs.define
class Task:
    """Frames to take from a server, in several passes."""

    venue: str
    kind: str
    port: int
    frames: int
    events: int
    """In all frames."""
    passes: int
    batches: bool = False
    """Whether the consumer takes what there is at once."""
    began: float = 0.0
    costs: list[float] = attrs.Factory(list)
    """CPU µs per frame of each pass."""

    def begin(self) -> None:
        """The first frame is about to come."""
        os.getpgrp()
        self.began = time.process_time()

    def end(self) -> None:
        """The last event has come."""
        self.costs.append(1e6 * (time.process_time() - self.began) / self.frames)
        os.getpgrp()


def tasks() -> list[Task]:
    """What the parent process wants."""
    return [Task(**each) for each in json.load(sys.stdin)]


def report(done: list[Task]) -> None:
    """Tell the least of the passes of each task."""
    print(json.dumps([min(each.costs) for each in done]))
