"""Hold a context manager open in its own task until it is closed.

Objects that are opened and closed while a program runs cannot be nested in one function. Each has a
task; its holder decides when it ends, and waits for that.
"""

from __future__ import annotations

import math
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar, cast

import trio

T = TypeVar("T")


class Held(Generic[T]):
    """One context manager, entered by `run` in a task.

    An error with which it ends does not leave the task: it is `error`, for who holds it to see. An
    error of entering it comes out of ``nursery.start``.
    """

    def __init__(self, opened: AbstractAsyncContextManager[T]) -> None:
        self.error: Exception | None = None
        self._opened = opened
        self._leave = trio.Event()
        self._left = trio.Event()
        self._scope = trio.CancelScope()
        self._value: T | None = None

    @property
    def value(self) -> T:
        """The value of the context manager."""
        return cast("T", self._value)

    @property
    def ended(self) -> bool:
        """Whether the context manager has ended."""
        return self._left.is_set()

    async def run(  # noqa: ASYNC114  # started by its holder
        self, task_status: trio.TaskStatus[T] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Enter, tell, wait, leave; for ``nursery.start``, which raises what entering raises."""
        entered = False
        try:
            with self._scope:
                async with self._opened as self._value:
                    entered = True
                    task_status.started(self.value)
                    await self._leave.wait()
        except Exception as error:
            if not entered:
                raise
            self.error = error
        finally:
            self._left.set()

    async def wait(self) -> None:
        """Wait until the context manager has ended."""
        await self._left.wait()

    async def close(self, within: float = math.inf) -> bool:
        """Leave, and wait until everything in it is gone; what takes too long is cut off.

        Returns:
            Whether it went in order.
        """
        self._leave.set()
        with trio.move_on_after(within):
            await self._left.wait()
        if not self.ended:
            self._scope.cancel()
            await self._left.wait()
            return False
        return self.error is None
