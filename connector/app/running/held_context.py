"""Holding a context manager open in a task of its own, until it is told to leave it.

What comes and goes while a program runs cannot be nested in one function. Each such thing has a
task; who holds it decides when it ends, and waits for that. Its error ends the nursery, as any.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar, cast

import trio

T = TypeVar("T")


class Held(Generic[T]):
    """One context manager, entered by `run` in a task."""

    def __init__(self, opened: AbstractAsyncContextManager[T]) -> None:
        self._opened = opened
        self._leave = trio.Event()
        self._left = trio.Event()
        self._value: T | None = None

    @property
    def value(self) -> T:
        """What the context manager gave."""
        return cast("T", self._value)

    async def run(  # noqa: ASYNC114  # started by whoever holds it
        self, task_status: trio.TaskStatus[T] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Enter, tell, wait, leave; for ``nursery.start``, which raises what entering raises."""
        try:
            async with self._opened as self._value:
                task_status.started(self.value)
                await self._leave.wait()
        finally:
            self._left.set()

    async def close(self) -> None:
        """Leave, and wait until everything in it is gone."""
        self._leave.set()
        await self._left.wait()
