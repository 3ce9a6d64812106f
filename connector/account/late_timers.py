"""Judge nothing by a timer that fires late before what has arrived meanwhile was read.

A program that computes for longer than a limit finds two things at once when it runs again: the
limit is over, and the reply is in the socket. trio runs their tasks in any order. Without care, a
place request would count as unanswered although its answer is there.
"""

from __future__ import annotations

import trio

LATE_SECONDS = 0.05
"""A timer that fires this late was delayed by a blocked loop or a stopped process."""
_MOST_READS = 32
"""How often each connection may read before the verdict: a read has up to 64 KiB."""


async def sleep_until_read(due: float) -> None:
    """Sleep until a time (`trio.current_time()`), then read as `read_if_late` does."""
    await trio.sleep_until(due)
    await read_if_late(due)


async def read_if_late(due: float) -> None:
    """If `due` has passed a while ago, let the other tasks read what has arrived.

    A checkpoint is one turn of every task that can run, and in it each connection reads once.
    """
    if trio.current_time() - due < LATE_SECONDS:
        return
    for _ in range(_MOST_READS):
        await trio.lowlevel.checkpoint()
