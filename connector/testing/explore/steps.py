"""Count the steps of the program under test, and run an action at one of them.

A *step* is a place at which the world outside of the program may change: the beginning of every
batch in which a task of the program runs, and the end of every step of such a task. Between two
neighbouring steps nothing of the program happens, so that a fault at every step is a fault at
every moment that trio's scheduling has. Tasks of the world around the program (the simulated
exchange) are not counted; they carry a mark in their context, which their children inherit.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable

import trio

from connector.testing.explore.schedule import Batch, Shuffler
from connector.testing.explore.tree import all_tasks
from connector.testing.network.world_tasks import WORLD

STANDING_BATCHES = 10_000
"""So many batches without time passing are a livelock."""
_CHECK_EVERY = 256


class Killed(BaseException):
    """Raised in trio's scheduler to end a run that nothing else ends."""


class Steps(trio.abc.Instrument):
    """Instrument and shuffler of one run.

    Args:
        shuffler: orders the batches.
        strike: told the number of each step.
        stuck: told of a livelock; called again if it goes on.
        traced: whether to keep, for each step of any task, which task it was.
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
        """Tasks of the program that are alive."""
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
        """The program begins: what is alive now, but for the present task, is the world."""
        main = trio.lowlevel.current_task()
        for task in all_tasks():
            if task is not main and not task.context.get(WORLD):
                task.context.run(WORLD.set, True)
        self._active = True
        self.tasks = self.most_tasks = 1

    def end(self) -> None:
        """The program has ended."""
        self._active = False

    def kill(self) -> None:
        """End the run at the next batch, whatever its tasks want."""
        self._killed = True

    # What trio calls.

    def shuffle(self, batch: Batch) -> None:
        """Order a batch; trio calls this where it would have shuffled."""
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
        """Count the step if it was the program's."""
        if self._traced:
            number = self._numbers.setdefault(task, len(self._numbers))
            self.trace.append((number, task.name))
        if self._active and not task.context.get(WORLD):
            self._step()

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        """Count the task if it is the program's."""
        if self._active and not task.context.get(WORLD):
            self.tasks += 1
            self.most_tasks = max(self.most_tasks, self.tasks)

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        """Count the task no more."""
        if self._active and not task.context.get(WORLD):
            self.tasks -= 1

    def _step(self) -> None:
        self.count += 1
        try:
            self._strike(self.count)
        except Exception as error:  # noqa: BLE001  # raised by whoever runs this, see `shuffle`
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
    """Never let the coroutines of a killed run be collected.

    Python would close them, which is to resume them once more, outside of trio: one that catches
    everything and tries again would then loop for ever where nobody can stop it.
    """
    for coroutine in coroutines:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(coroutine))
