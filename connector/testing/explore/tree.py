"""Inspect trio's task tree: list live tasks, and print the tree of a program that hangs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePath

import trio

_OF_TRIO = ("trio", "outcome", "contextlib.py")


def tasks_below(task: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
    """`task` and every task alive below it."""
    yield task
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield from tasks_below(child)


def all_tasks() -> list[trio.lowlevel.Task]:
    """Every live task, trio's own included."""
    root = trio.lowlevel.current_root_task()
    return [] if root is None else list(tasks_below(root))


def draw(shown: Callable[[trio.lowlevel.Task], bool]) -> str:
    """The tree as text: each task that is `shown`, and the line at which it waits."""
    root = trio.lowlevel.current_root_task()
    lines = [] if root is None else list(_draw(root, shown, 0))
    return "\n".join(lines) or "(no task)"


def draw_task(task: trio.lowlevel.Task) -> str:
    """The task's name, and the line at which it waits."""
    return f"{task.name.rpartition('.')[2]}  {_where(task)}"


def _draw(
    task: trio.lowlevel.Task, shown: Callable[[trio.lowlevel.Task], bool], depth: int
) -> Iterator[str]:
    if shown(task):
        yield f"{'  ' * depth}{draw_task(task)}"
        depth += 1
    for nursery in task.child_nurseries:
        for child in sorted(nursery.child_tasks, key=lambda child: (child.name, _where(child))):
            yield from _draw(child, shown, depth)


def _where(task: trio.lowlevel.Task) -> str:
    """The innermost line outside of trio."""
    where = "(running)"
    for frame, line in task.iter_await_frames():
        path = PurePath(frame.f_code.co_filename)
        if not set(_OF_TRIO) & {*path.parts[-3:]}:
            where = f"{path.name}:{line} {frame.f_code.co_name}"
    return where
