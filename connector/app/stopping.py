"""Ending a command that runs until Ctrl-C: in order, with its summary."""

from __future__ import annotations

import signal
from typing import NoReturn

import trio


async def stop_when_interrupted(stop: trio.Event) -> NoReturn:
    """Set `stop` at the first SIGINT or SIGTERM; a second SIGINT interrupts as usual.

    It stays until it is cancelled, so that the number of tasks is the same before and after.
    """
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            stop.set()
            break
    await trio.sleep_forever()
