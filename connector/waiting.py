"""One task that waits for one thing, or for several at once: the first that happens wakes it."""

from __future__ import annotations

import trio

_BUSY = "a feed has one consumer, and it is waiting already"


class Waking:
    """What one task at a time waits for."""

    def __init__(self) -> None:
        self._waiter: trio.lowlevel.Task | None = None
        self._beside: tuple[Waking, ...] = (self,)
        """What the waiter waits for, this among it."""

    def has_waiter(self) -> bool:
        """Whether a task is waiting."""
        return self._waiter is not None

    def wake(self) -> None:
        """Let the waiting task run; nothing if none waits."""
        if self._waiter is not None:
            task = self._waiter
            for each in self._beside:
                each._waiter = None
            trio.lowlevel.reschedule(task)

    async def wait(self) -> None:
        """Wait until it wakes this task; why, the task must look for itself.

        Raises:
            trio.BusyResourceError: another task is waiting already.

        Cancellation: it is not waited for any more.
        """
        if self._waiter is not None:
            raise trio.BusyResourceError(_BUSY)
        self._waiter, self._beside = trio.lowlevel.current_task(), (self,)
        # What `wait_for_any` does, with one coroutine less between the wake-up and the consumer.
        await trio.lowlevel.wait_task_rescheduled(self._stop_waiting)

    def _stop_waiting(self, _: object) -> trio.lowlevel.Abort:
        for each in self._beside:
            each._waiter = None
        return trio.lowlevel.Abort.SUCCEEDED


async def wait_for_any(awaited: tuple[Waking, ...]) -> None:
    """Wait until one of `awaited`, at least one, wakes this task; which, it must look for itself.

    Raises:
        trio.BusyResourceError: another task is waiting for one of them already.

    Cancellation: none of them is waited for any more.
    """
    if any(map(Waking.has_waiter, awaited)):
        raise trio.BusyResourceError(_BUSY)
    task = trio.lowlevel.current_task()
    for each in awaited:
        each._waiter, each._beside = task, awaited
    await trio.lowlevel.wait_task_rescheduled(awaited[0]._stop_waiting)
