"""The REST side of an adapter: one task, one connection, one request at a time, below the limits.

What is to be fetched waits in the order in which it became due. The task lives only while
something waits, and its connection only while there is something to ask at once:

.. code-block:: text

    nothing waits ──▶ (no task, no socket)
         ▲                 │ ask
         │                 ▼
         └──────────── pacing ──────▶ asking ──┐ the next one is due, and there is weight for it
                           ▲           │ ▲     │
                           └───────────┘ └─────┘
             nothing is due, the weight is used up, 429, or the connection failed

An exchange counts the weight of requests per address, so the budget belongs to the host and is
shared by all adapters of one `trio.run`.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import urlsplit

import attrs
import trio

from connector.errors import ExchangeUnavailable, RequestRejected
from connector.exchanges.protocol import UNDECODABLE, RestRequest, RestService
from connector.link.pacing import Reconnect, retry_after_seconds
from connector.link.source import Rest as Answers
from connector.link.source import Supply
from connector.transport import Dialer, is_open
from connector.transport.http import Response, open_http

T = TypeVar("T")

SILENCE_SECONDS = 5.0
"""A connection that takes longer will not come, nor will an answer that pauses for longer."""
REQUEST_SECONDS = 60.0
"""The whole of an answer: 20 MB of instruments take their time."""
_SHARE = 0.8
"""Of the exchange's weight that is ours: others at this address want to live, too."""
_BANNED = frozenset({418, 429})
_BAN_SECONDS = 60.0
"""How long to wait after these when the exchange does not say: its window."""
_RETRYABLE = frozenset({408, 425})
"""Statuses below 500 that time can mend."""

_gates: trio.lowlevel.RunVar[dict[str, WeightGate]] = trio.lowlevel.RunVar("connector_weight_gates")


class WeightGate:
    """The weight that may still be used at one host, shared by every adapter of a `trio.run`."""

    def __init__(self) -> None:
        self._closed_until = -math.inf
        self._used: deque[tuple[float, int]] = deque()
        self._sum = 0

    @staticmethod
    def of(host: str) -> WeightGate:
        """The gate of `host`."""
        try:
            gates = _gates.get()
        except LookupError:
            gates = {}
            _gates.set(gates)
        return gates.setdefault(host, WeightGate())

    def close_for(self, seconds: float) -> None:
        """Let nobody through for `seconds`: the host said ``Retry-After``."""
        self._closed_until = max(self._closed_until, trio.current_time() + seconds)

    def wait_seconds(self, weight: int, service: RestService) -> float:
        """How long a request of `weight` must wait; 0 for not at all."""
        now = trio.current_time()
        self._forget_before(now - service.window_seconds)
        wait = self._closed_until - now
        excess = self._sum + weight - int(service.weight_per_window * _SHARE)
        for moment, used in self._used:
            if excess <= 0:
                break
            excess -= used
            wait = max(wait, moment + service.window_seconds - now)
        return max(wait, 0.0)

    def take(self, weight: int) -> None:
        """Count a request that is about to be sent."""
        self._used.append((trio.current_time(), weight))
        self._sum += weight

    def observe(self, used: int) -> None:
        """The host says how much of its window is used: what is not ours counts, too."""
        if used > self._sum:
            self.take(used - self._sum)

    def _forget_before(self, moment: float) -> None:
        while self._used and self._used[0][0] <= moment:
            self._sum -= self._used.popleft()[1]


class Job(Protocol):
    """Something that wants an answer."""

    @property
    def request(self) -> RestRequest[Any]: ...

    def begin(self) -> bool:
        """The request is about to be sent; False if nobody wants the answer any more."""
        ...

    def answered(self, answer: Any) -> None:
        """The answer, decoded."""

    def failed(self) -> None:
        """There was no answer. The request stays in line."""

    def refused(self, error: Exception) -> None:
        """There will be no answer."""


class RestOwner(Protocol):
    """Who lets the task run."""

    def run_rest(self) -> None:
        """There is something to do: `Rest.run` is to be run."""

    def answered(self, target: str, body: bytes) -> None:
        """The body of the answer to a request that makes sense."""


class Rest:
    """The requests of one adapter.

    Args:
        service: where, and how many.
        dialer: opens the byte stream.
        owner: the adapter; it runs the task.
        supply: answers instead of the service, when nothing is dialled.
    """

    name = "rest"

    def __init__(
        self,
        service: RestService,
        dialer: Dialer,
        owner: RestOwner,
        supply: Supply | None = None,
    ) -> None:
        self.sockets: set[trio.abc.Stream] = set()
        self.requests = 0
        """Requests that were sent."""
        self.failures = 0
        """Requests without an answer that makes sense, connections that were not made included."""
        self._service = service
        self._dialer = dialer
        self._owner = owner
        self._supply = supply
        self._gate = WeightGate.of(urlsplit(service.url).hostname or "")
        self._line: list[tuple[float, int, Job]] = []
        self._numbers = itertools.count()
        self._current: Job | None = None
        self._changed = trio.Event()
        self._running = False
        self._leaving = False
        self._scope = trio.CancelScope()
        self._retry = Reconnect(initial=0.25, cap=10)
        self._failures_in_a_row = 0
        self._not_before = -math.inf

    def __repr__(self) -> str:
        return f"<Rest, {len(self._line)} requests wait>"

    @property
    def sockets_open(self) -> int:
        """Connections whose descriptor is open at this moment: 0 or 1."""
        return sum(map(is_open, self.sockets))

    @property
    def waiting(self) -> int:
        """Requests in line."""
        return len(self._line)

    def ask(self, job: Job, *, after: float = 0.0) -> None:
        """Let `job` stand in line; it is due in `after` seconds."""
        if self._leaving:
            job.refused(_left())
            return
        self._put(job, trio.current_time() + after)
        self._changed.set()
        if not self._running:
            self._running = True
            self._owner.run_rest()

    async def fetch(self, request: RestRequest[T]) -> T:
        """The answer to `request`. Executes a checkpoint.

        Raises:
            RequestRejected: the exchange refused it.
            trio.ClosedResourceError: the adapter's block was left.

        Cancellation: the request leaves the line; an answer on its way is dropped.
        """
        await trio.lowlevel.checkpoint()
        waiting = _Waiting(request)
        self.ask(waiting)
        try:
            await waiting.done.wait()
        finally:
            waiting.wanted = False
        return waiting.result()

    def leave(self) -> None:
        """End the task, if it runs, and everything in line."""
        self._leaving = True
        self._scope.cancel()
        line, self._line = self._line, []
        jobs = [job for _, _, job in sorted(line)]
        for job in jobs if self._current is None else [self._current, *jobs]:
            job.refused(_left())

    async def run(self) -> None:
        """Ask for what is in line until nothing is.

        Cancellation: the connection is closed; what is in line stays there.
        """
        self._scope = trio.CancelScope()
        with self._scope:
            while self._line and not self._leaving:
                await self._wait_for_turn()
                if self._is_due():
                    await self._converse()
        self._running = False

    def _put(self, job: Job, due: float) -> None:
        heapq.heappush(self._line, (due, next(self._numbers), job))

    def _wait_seconds(self) -> float:
        """How long the first in line must wait."""
        due, _, job = self._line[0]
        if self._supply is not None:
            return 0.0  # it knows when to answer
        wait = max(due, self._not_before) - trio.current_time()
        return max(wait, self._gate.wait_seconds(job.request.weight, self._service))

    def _is_due(self) -> bool:
        return bool(self._line) and self._wait_seconds() <= 0

    async def _wait_for_turn(self) -> None:
        """Wait until the first in line is due and there is weight for it, or the line changes."""
        await trio.lowlevel.checkpoint()
        while self._line and (wait := self._wait_seconds()) > 0:
            self._changed = trio.Event()
            # Everybody at this address waits for the same moment: spread out after it.
            with trio.move_on_after(wait + random.uniform(0, min(wait, 1.0))):
                await self._changed.wait()

    async def _converse(self) -> None:
        """One connection, for as long as the next in line is due at once."""
        try:
            async with self._open() as http:
                while self._is_due():
                    _, _, job = heapq.heappop(self._line)
                    if not job.begin():
                        continue
                    self._current = job
                    response = await self._get(http, job.request)
                    self._current = None
                    self._take(job, response)
                    if "close" in response.headers.get("connection", "").lower():
                        break
        except ExchangeUnavailable:
            self._back_off()
            if self._current is not None:
                self._fail(self._current)
                self._current = None

    def _open(self) -> AbstractAsyncContextManager[Answers]:
        """A connection to the service, or what stands for it."""
        if self._supply is not None:
            return self._supply.open_rest()
        return open_http(
            self._service.url,
            dialer=self._dialer,
            connect_timeout=SILENCE_SECONDS,
            read_timeout=SILENCE_SECONDS,
            sockets=self.sockets,
        )

    async def _get(self, http: Answers, request: RestRequest[Any]) -> Response:
        """The response to `request`, whatever its status.

        Raises:
            ExchangeUnavailable: there was none in time.
        """
        self.requests += 1
        if self._supply is not None:
            return await http.get(request.target)
        self._gate.take(request.weight)
        with trio.move_on_after(REQUEST_SECONDS):
            return await http.get(request.target)
        raise ExchangeUnavailable(f"no answer to a REST request within {REQUEST_SECONDS:g} s")

    def _take(self, job: Job, response: Response) -> None:
        """Draw the consequences of a response."""
        used = response.headers.get(self._service.used_weight_header or "", "")
        if used.isdecimal():
            self._gate.observe(int(used))
        status = response.status
        if status in _BANNED:
            seconds = retry_after_seconds(response.headers)
            self._gate.close_for(_BAN_SECONDS if seconds is None else seconds)
            self._fail(job, due=-math.inf)
        elif status >= 500 or status in _RETRYABLE:
            self._back_off()
            self._fail(job)
        elif status != 200:
            code, message = self._service.error(response.body)
            job.refused(RequestRejected(status, code, message))
        else:
            self._decode(job, response.body)

    def _decode(self, job: Job, body: bytes) -> None:
        try:
            answer = job.request.decode(body)
        except UNDECODABLE:
            self._back_off()
            self._fail(job)
        else:
            self._failures_in_a_row = 0
            self._owner.answered(job.request.target, body)
            job.answered(answer)

    def _fail(self, job: Job, due: float | None = None) -> None:
        """`job` did not get its answer: it tries again, behind those who are due."""
        job.failed()
        self._put(job, trio.current_time() if due is None else due)

    def _back_off(self) -> None:
        self.failures += 1
        self._failures_in_a_row += 1
        delay = self._retry.delay(self._failures_in_a_row)
        self._not_before = trio.current_time() + delay


@attrs.define(eq=False)
class _Waiting(Generic[T]):
    """A task that waits for an answer."""

    request: RestRequest[T]
    done: trio.Event = attrs.field(factory=trio.Event)
    wanted: bool = True
    answer: T | None = None
    error: Exception | None = None

    def begin(self) -> bool:
        return self.wanted

    def answered(self, answer: T) -> None:
        self.answer = answer
        self.done.set()

    def failed(self) -> None:
        """It goes on waiting."""

    def refused(self, error: Exception) -> None:
        self.error = error
        self.done.set()

    def result(self) -> T:
        if self.error is not None:
            raise self.error
        return self.answer  # type: ignore[return-value]


def _left() -> trio.ClosedResourceError:
    return trio.ClosedResourceError("the adapter's block has been left")
