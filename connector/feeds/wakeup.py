"""One task that waits for one thing, or for several at once: the first that happens wakes it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

import trio
from trio.lowlevel import current_task, enable_ki_protection, wait_task_rescheduled

from connector.feeds.handover import Holder

Abort: TypeAlias = Callable[[Any], trio.lowlevel.Abort]

BUSY = (
    "another task is already waiting on this feed, and a feed has one consumer; subscribe once "
    "for each task"
)


class Waking(Holder):
    """What one task at a time waits for."""

    __slots__ = ("_beside", "_waiter")

    def __init__(self) -> None:
        self._waiter: trio.lowlevel.Task | None = None
        self._beside: tuple[Waking, ...] = ()
        """What else the waiter waits for."""

    def has_waiter(self) -> bool:
        """Whether a task is waiting."""
        return self._waiter is not None

    def wake(self) -> None:
        """Let the waiting task run; nothing if none waits."""
        task = self._waiter
        if task is not None:
            self._let_go()
            trio.lowlevel.reschedule(task)

    @enable_ki_protection  # an interrupt after `begin_waiting` would leave the waiter behind
    async def wait(self) -> None:
        """Wait until it wakes this task; why, the task must look for itself.

        Raises:
            trio.BusyResourceError: another task is waiting already.

        Cancellation: it is not waited for any more.
        """
        await wait_task_rescheduled(self.begin_waiting())

    def begin_waiting(self) -> Abort:
        """Note that this task waits, which must then do so at once, as `wait` does; for whom a
        coroutine less between the wake-up and the consumer counts.

        Raises:
            trio.BusyResourceError: another task is waiting already.
        """
        if self._waiter is not None:
            raise trio.BusyResourceError(BUSY)
        self._waiter = current_task()
        return self._stop_waiting

    def _stop_waiting(self, _: object) -> trio.lowlevel.Abort:
        self._let_go()
        return trio.lowlevel.Abort.SUCCEEDED

    def _let_go(self) -> None:
        self._waiter = None
        if self._beside:
            for each in self._beside:
                each._waiter, each._beside = None, ()


class Signal(Waking):
    """Says to one task that there is something to do, until the task has seen it.

    As a `trio.Event` that can be used again, and a third of its size.
    """

    __slots__ = ("is_set",)

    def __init__(self) -> None:
        super().__init__()
        self.is_set = False

    def set(self) -> None:
        """There is something to do."""
        self.is_set = True
        self.wake()

    def clear(self) -> None:
        """It has been seen."""
        self.is_set = False

    def wait(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
    ) -> Coroutine[Any, Any, None]:
        """What to await until it is set; a checkpoint, too.

        Raises:
            trio.BusyResourceError: another task is waiting already.
        """
        # Not `async`: every connection at rest waits here.
        if self.is_set:
            return trio.lowlevel.checkpoint()  # noqa: ASYNC105 - for the caller to await
        return wait_task_rescheduled(self.begin_waiting())  # noqa: ASYNC105


@enable_ki_protection
async def wait_for_any(awaited: tuple[Waking, ...]) -> None:
    """Wait until one of `awaited`, at least one, wakes this task; which, it must look for itself.

    Raises:
        trio.BusyResourceError: another task is waiting for one of them already.

    Cancellation: none of them is waited for any more.
    """
    if any(map(Waking.has_waiter, awaited)):
        raise trio.BusyResourceError(BUSY)
    task = trio.lowlevel.current_task()
    for each in awaited:
        each._waiter, each._beside = task, awaited
    await wait_task_rescheduled(awaited[0]._stop_waiting)
