"""Count the steps of the program under test, and run an action at one of them.

A *step* is a point at which the environment of the program may change: the start of every batch in
which a task of the program runs, and the end of every step of such a task. The program does nothing
between two neighbouring steps, so a fault at every step covers every moment of trio's scheduling.
Tasks of the environment (the simulated exchange) are not counted; they carry a mark in their
context, which their children inherit.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable

import trio

from connector.testing.explore.schedule import Batch, Shuffler
from connector.testing.explore.tree import all_tasks
from connector.testing.network.world_tasks import WORLD

STANDING_BATCHES = 10_000
"""Number of batches without any passing of time that counts as a livelock."""
_CHECK_EVERY = 256


class Killed(BaseException):
    """Raised in trio's scheduler to end a run that cannot be ended otherwise."""


class Steps(trio.abc.Instrument):
    """Instrument and shuffler of one run.

    Args:
        shuffler: orders the batches.
        strike: called with the number of each step.
        stuck: called for a livelock; called again if it continues.
        traced: whether to record the task of each step.
    """

    def __init__(
        self,
        shuffler: Shuffler,
        *,
        strike: Callable[[int], None],
        stuck: Callable[[], None],
        traced: bool = False,
    ) -> None:
        self.count = 0
        self.tasks = 0
        """Number of live tasks of the program."""
        self.most_tasks = 0
        self.trace: list[tuple[int, str]] = []
        self.failure: BaseException | None = None
        self._order = shuffler.shuffle
        self._strike = strike
        self._stuck = stuck
        self._active = False
        self._killed = False
        self._batches = 0
        self._standing = 0
        self._last_time = -1.0
        self._traced = traced
        self._numbers: dict[trio.lowlevel.Task, int] = {}

    def begin(self) -> None:
        """Start the program: all live tasks but the current one belong to the environment."""
        main = trio.lowlevel.current_task()
        for task in all_tasks():
            if task is not main and not task.context.get(WORLD):
                task.context.run(WORLD.set, True)
        self._active = True
        self.tasks = self.most_tasks = 1

    def end(self) -> None:
        """Note that the program has ended."""
        self._active = False

    def kill(self) -> None:
        """End the run at the next batch, even if its tasks do not cooperate."""
        self._killed = True

    # Called by trio.

    def shuffle(self, batch: Batch) -> None:
        """Order a batch; trio calls this instead of its own shuffle."""
        if self._killed or self.failure is not None:
            _keep_for_ever(task.coro for task in all_tasks())
            raise Killed
        self._batches += 1
        if not self._batches % _CHECK_EVERY:
            self._check_progress()
        if self._active:
            for task in batch:
                if not task.context.get(WORLD):
                    self._step()
                    break
        self._order(batch)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count the step if it belongs to the program."""
        if self._traced:
            number = self._numbers.setdefault(task, len(self._numbers))
            self.trace.append((number, task.name))
        if self._active and not task.context.get(WORLD):
            self._step()

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        """Count the task if it belongs to the program."""
        if self._active and not task.context.get(WORLD):
            self.tasks += 1
            self.most_tasks = max(self.most_tasks, self.tasks)

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        """Stop counting the task."""
        if self._active and not task.context.get(WORLD):
            self.tasks -= 1

    def _step(self) -> None:
        self.count += 1
        try:
            self._strike(self.count)
        except Exception as error:  # noqa: BLE001  # raised by the run, see `shuffle`
            self.failure = error

    def _check_progress(self) -> None:
        now = trio.current_time()
        if now != self._last_time:
            self._last_time = now
            self._standing = 0
            return
        self._standing += _CHECK_EVERY
        if self._standing >= STANDING_BATCHES:
            self._standing = 0
            self._stuck()


def _keep_for_ever(coroutines: Iterable[object]) -> None:
    """Keep the coroutines of a killed run from being garbage collected.

    Python would close them, which resumes them once more outside of trio. A coroutine that catches
    everything and tries again would then loop forever, and nothing could stop it.
    """
    for coroutine in coroutines:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(coroutine))
