"""Choose which runnable task runs next, in place of trio's scheduler.

Trio runs its tasks in batches and shuffles each batch, so that programs do not rely on an order.
A schedule is a frozen value that decides the order, so that a run does the same thing every time:

=============  ==========================================================================
`Fifo`         in the order in which the tasks were spawned
`Seeded`       shuffled by a generator of its own
`Picks`        a given list of choices, then in order; used to enumerate all orders
=============  ==========================================================================

Trio has no public way to do this. `taken_over` replaces two private names of its scheduler for
the length of a block; a test checks for every supported version that both exist and behave as
described here.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, MutableSequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias

import attrs
from trio._core import _run as scheduler

Batch: TypeAlias = MutableSequence[Any]
"""Runnable tasks, in the order in which they were spawned; trio runs the last one first."""


class Shuffler(Protocol):
    """A schedule, as applied in one run."""

    def shuffle(self, batch: Batch, /) -> None:
        """Put a batch into the order in which it runs; the first task to run comes last."""


@attrs.frozen
class Fifo:
    """Tasks of a batch run in the order in which they were spawned."""

    def begin(self) -> Shuffler:
        """Make a shuffler for one run."""
        return _InOrder()

    def __str__(self) -> str:
        return "fifo"


@attrs.frozen
class Seeded:
    """Every batch is shuffled, by a generator with this seed."""

    seed: int

    def begin(self) -> Shuffler:
        """Make a shuffler for one run."""
        return random.Random(self.seed)

    def __str__(self) -> str:
        return f"seed-{self.seed}"


@attrs.frozen
class Picks:
    """A sequence of choices: each is the index, from 0, of the next task among those left.

    A single remaining task needs no choice. After the end of the list, the first task runs: so
    ``Picks(())`` equals `Fifo`, and a list with one nonzero entry deviates from it once.
    """

    picks: tuple[int, ...] = ()

    def begin(self) -> Picker:
        """Make a shuffler for one run; `Picker.choices` counts the alternatives of each choice."""
        return Picker(self.picks)

    def __str__(self) -> str:
        return "picks-" + ".".join(map(str, self.picks))


Schedule: TypeAlias = Fifo | Seeded | Picks


def parse_schedule(text: str) -> Schedule:
    """Parse the text form of a schedule.

    Raises:
        ValueError: `text` is not a schedule.
    """
    kind, _, rest = text.partition("-")
    if text == "fifo":
        return Fifo()
    if kind == "seed" and rest.isdecimal():
        return Seeded(int(rest))
    if kind == "picks" and all(each.isdecimal() for each in rest.split(".") if rest):
        return Picks(tuple(int(each) for each in rest.split(".") if rest))
    raise ValueError(f"{text!r} is not a schedule; write fifo, seed-5 or picks-0.2.1")


class _InOrder:
    def shuffle(self, batch: Batch) -> None:
        batch.reverse()


class Picker:
    """Order batches by a list of choices, and record the number of alternatives of each."""

    def __init__(self, picks: tuple[int, ...]) -> None:
        self._picks = picks
        self.choices: list[int] = []
        """For each choice, the number of tasks to choose from."""

    def shuffle(self, batch: Batch) -> None:
        if len(batch) < 2:
            return
        left = list(batch)
        ordered: list[Any] = []
        while len(left) > 1:
            number = len(self.choices)
            self.choices.append(len(left))
            pick = self._picks[number] if number < len(self._picks) else 0
            ordered.append(left.pop(min(pick, len(left) - 1)))
        ordered += left
        batch[:] = ordered[::-1]


@contextmanager
def taken_over(shuffler: Shuffler) -> Iterator[None]:
    """Let `shuffler` order every batch of the `trio.run` inside this block."""
    before = scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    scheduler._r = shuffler  # type: ignore[assignment]
    try:
        yield
    finally:
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r = before  # type: ignore[misc]
