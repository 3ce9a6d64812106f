"""Let Ctrl-C end the program while it imports.

An import runs callbacks of the interpreter: when a module is loaded, a weak reference to its lock
ends, and `importlib` removes the lock. A `KeyboardInterrupt` that is raised inside such a callback,
or inside a finalizer, cannot leave it. Python writes "Exception ignored in" and goes on, and the
program does not notice Ctrl-C. While a program imports, nothing has to be closed, so it may end at
once.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""The exit status after Ctrl-C, as shells have it: 128 and the number of SIGINT."""


@contextmanager
def leave_on_interrupt() -> Iterator[None]:
    """Exit the process on SIGINT inside the block, with the status `INTERRUPTED`.

    A program that ignores SIGINT, or has a handler of its own, keeps it.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)
