"""Count the tasks of a nursery in trio's own task tree, which is always right."""

from __future__ import annotations

import trio


def count_tasks(nursery: trio.Nursery) -> int:
    """Tasks alive in `nursery` and everywhere below it."""
    return sum(1 + sum(map(count_tasks, task.child_nurseries)) for task in nursery.child_tasks)


def count_family(task: trio.lowlevel.Task) -> int:
    """`task` and the tasks alive in the nurseries below it; 0 when it has ended."""
    nursery = task.parent_nursery
    if nursery is None or task not in nursery.child_tasks:
        return 0
    return 1 + sum(map(count_tasks, task.child_nurseries))
