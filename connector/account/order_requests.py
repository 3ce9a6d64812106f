"""The queue of order entry requests: cancels first, and each place request sent at most once.

.. code-block:: text

    queued ── handed to the transport ──▶ sent ── reply ──▶ answered
       │                                    └── the session ended, or no reply ──▶ lost
       └── waited too long, or taken back ──▶ unsent

A *queued* request has certainly not been sent. A request that was handed over may have been sent.
"""

from __future__ import annotations

import heapq
import itertools
from typing import Any, Literal, TypeAlias

import attrs
import trio

from connector.trading.order_record import OrderRecord
from connector.trading.venue import Answer, Request

JobState: TypeAlias = Literal["queued", "sent", "answered", "lost", "unsent"]

CANCEL, PLACE, QUOTE = 0, 1, 2
"""Who goes first."""


@attrs.define(eq=False)
class Job:
    """One request."""

    request: Request[Any]
    priority: int
    record: OrderRecord | None = None
    """The order that it places or amends; None for a cancel."""
    deadline: float = float("inf")
    """Until when it must have been sent."""
    state: JobState = "queued"
    answer: Answer | None = None
    signed_ns: int | None = None
    sent_at: float = 0.0
    _over: trio.Event | None = None
    """There is one only while somebody waits."""

    def end(self, state: JobState, answer: Answer | None = None) -> None:
        """It is over."""
        self.state = state
        self.answer = answer
        if self._over is not None:
            self._over.set()

    async def wait(self) -> None:
        """Wait until it is over. Executes a checkpoint."""
        if self.state not in ("queued", "sent"):
            await trio.lowlevel.checkpoint()
            return
        if self._over is None:
            self._over = trio.Event()
        await self._over.wait()


class Line:
    """Jobs that wait to be sent."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Job]] = []
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return sum(job.state == "queued" for _, _, job in self._heap)

    def places(self) -> int:
        """How many of them place an order."""
        if not self._heap:
            return 0
        return sum(
            job.state == "queued" and job.request.what == "place" for _, _, job in self._heap
        )

    def put(self, job: Job) -> None:
        """Stand in line, behind those of the same priority."""
        heapq.heappush(self._heap, (job.priority, next(self._numbers), job))

    def first(self) -> Job | None:
        """The next request to send; None if the queue is empty."""
        while self._heap and self._heap[0][2].state != "queued":
            heapq.heappop(self._heap)
        return self._heap[0][2] if self._heap else None

    def take(self, job: Job) -> None:
        """Take a job out of the line if it is the first; one that never stood in it may go, too."""
        if self._heap and self.first() is job:
            heapq.heappop(self._heap)

    def overdue(self, now: float) -> list[Job]:
        """The queued requests that have expired."""
        return [job for _, _, job in self._heap if job.state == "queued" and job.deadline <= now]

    def next_deadline(self) -> float:
        """When the time of the next one is up."""
        return min(
            (job.deadline for _, _, job in self._heap if job.state == "queued"),
            default=float("inf"),
        )
