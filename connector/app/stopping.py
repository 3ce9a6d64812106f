"""End a command that runs until Ctrl-C: cleanly, with its summary."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import trio

T = TypeVar("T")


async def run_until_interrupted(run: Callable[[trio.Event], Awaitable[T]]) -> T:
    """Run something that ends early, with its result, when the event is set: at Ctrl-C.

    A second Ctrl-C ends it at once.
    """
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stop_when_interrupted, stop)
        result = await run(stop)
        nursery.cancel_scope.cancel()
    return result


async def stop_when_interrupted(stop: trio.Event) -> NoReturn:
    """Set `stop` at the first SIGINT or SIGTERM; a second SIGINT interrupts as usual.

    It stays until it is cancelled, so that the number of tasks is the same before and after.
    """
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            stop.set()
            break
    await trio.sleep_forever()
