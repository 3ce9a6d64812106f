"""A leak check for any trio code: tasks, descriptors and connections that a block leaves behind.

    async with no_leaks():
        await my_program()

Python hides leaks: the garbage collector closes unreferenced objects at some later time. The check
therefore turns it off inside the block, and finds objects that only the collector would close.
"""

from __future__ import annotations

import gc
import math
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from connector.testing.explore.tree import all_tasks, draw_task
from connector.testing.network.ledger import DialRecord
from connector.testing.network.network import MemoryNetwork
from connector.testing.network.world_tasks import WORLD

__all__ = ["LeakCheck", "Leaked", "describe", "descriptors", "new_since", "no_leaks"]

GRACE_SECONDS = 1.0
_LOOKS = 20
_CUSHION_SECONDS = 0.005
_DESCRIPTORS = Path("/dev/fd")

Descriptors = dict[int, tuple[int, int]]
"""Number of a descriptor: device and inode, so that a number that is used again is seen."""


class Leaked(AssertionError):
    """The block has left something behind. The message lists it, one item per line."""


def no_leaks(*networks: MemoryNetwork, grace_seconds: float = GRACE_SECONDS) -> LeakCheck:
    """Check that a block leaves no task, descriptor or connection behind.

    Tasks: anywhere in trio's task tree, in whichever nursery, system tasks too; those of a
    simulated exchange do not count. Descriptors: sockets, files, pipes of this process,
    where the system lists them (``/dev/fd``: Linux, macOS). Connections: client ends of `networks`.

    ``async with`` waits until nothing is left, for at most `grace_seconds`: peers in the same
    process need a moment to notice that they were left. ``with``, also outside of trio, does not.

    Args:
        networks: networks in memory on which no connection may stay open.
        grace_seconds: by trio's clock; a clock that stands still is not waited for.

    Raises:
        Leaked: something is left. When the block raises, that exception gets a note instead.

    Cancellation: passes through; a block that was cancelled is looked at without waiting.
    """
    return LeakCheck(networks, grace_seconds)


class LeakCheck:
    """What `no_leaks` returns: a context manager, to be entered once."""

    def __init__(self, networks: tuple[MemoryNetwork, ...], grace_seconds: float) -> None:
        self._networks = networks
        self._grace_seconds = grace_seconds
        self._was_enabled = False
        self._tasks: frozenset[trio.lowlevel.Task] = frozenset()
        self._descriptors: Descriptors = {}
        self._connections: frozenset[DialRecord] = frozenset()

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        try:
            self._judge(error)
        finally:
            self._end()

    async def __aenter__(self) -> Self:
        await trio.lowlevel.checkpoint()
        self._begin()
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        try:
            if error is None:
                await self._wait()  # noqa: ASYNC102  # only after a block that did not raise
            self._judge(error)
        finally:
            self._end()

    def leaks(self) -> list[str]:
        """Descriptions of everything that is new since the block began."""
        return [
            *self._leaked_tasks(),
            *(f"descriptor {describe(each)}" for each in new_since(self._descriptors)),
            *(
                f"connection {record.number} to {record.host}:{record.port}, dialled at "
                f"{record.began:.3f} s, is {record.state}"
                for record in sorted(self._open() - self._connections, key=lambda each: each.number)
            ),
        ]

    def _begin(self) -> None:
        # Existing garbage does not count for the block.
        gc.collect()
        self._was_enabled = gc.isenabled()
        gc.disable()
        self._tasks = frozenset(_tasks())
        self._descriptors = descriptors()
        self._connections = self._open()

    def _end(self) -> None:
        if self._was_enabled:
            gc.enable()

    def _judge(self, error: BaseException | None) -> None:
        __tracebackhide__ = True
        leaks = self.leaks()
        if not leaks:
            return
        said = f"{len(leaks)} left behind:\n" + "\n".join(f"  {leak}" for leak in leaks)
        if error is None:
            raise Leaked(said)
        error.add_note(said)

    async def _wait(self) -> None:
        """Give other tasks time to notice."""
        clock = trio.lowlevel.current_clock()
        stands = (
            isinstance(clock, MockClock) and not clock.rate and clock.autojump_threshold == math.inf
        )
        pause = self._grace_seconds / _LOOKS
        for _ in range(_LOOKS):
            if not self.leaks():
                break
            with trio.move_on_after(pause):
                await wait_all_tasks_blocked(_CUSHION_SECONDS)
            if not stands:
                await trio.sleep(pause)
        await trio.lowlevel.checkpoint()

    def _leaked_tasks(self) -> Iterator[str]:
        for task in _tasks():
            if task not in self._tasks and not task.context.get(WORLD):
                yield f"task {draw_task(task)}"

    def _open(self) -> frozenset[DialRecord]:
        return frozenset(
            record
            for network in self._networks
            for record in network.ledger
            if record.ended is None
        )


def descriptors() -> Descriptors:
    """The descriptors of this process that are open; none where the system does not list them."""
    found: Descriptors = {}
    if not _DESCRIPTORS.is_dir():
        return found
    for name in os.listdir(_DESCRIPTORS):  # noqa: PTH208  # one that is listed at once
        try:
            status = os.fstat(int(name))
        except OSError:  # the one that listed them
            continue
        found[int(name)] = status.st_dev, status.st_ino
    return found


def new_since(before: Descriptors) -> list[int]:
    """Numbers of descriptors that were not open, or were something else, `before`."""
    now = descriptors()
    return sorted(number for number, what in now.items() if before.get(number) != what)


def _tasks() -> list[trio.lowlevel.Task]:
    try:
        return all_tasks()
    except RuntimeError:  # outside of trio there are none
        return []


def describe(descriptor: int) -> str:
    """Describe a descriptor: its number and its target."""
    try:
        if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            with socket.socket(fileno=os.dup(descriptor)) as copy:
                return f"{descriptor}: socket {_said(copy.getsockname())}{_peer(copy)}"
        return f"{descriptor}: {(_DESCRIPTORS / str(descriptor)).readlink()}"
    except OSError as error:
        return f"{descriptor}: {error.strerror}"


def _peer(given: socket.socket) -> str:
    try:
        return f" → {_said(given.getpeername())}"
    except OSError:
        return ""


def _said(address: object) -> str:
    if isinstance(address, tuple):
        return f"{address[0]}:{address[1]}"
    return str(address or "(no name)")
