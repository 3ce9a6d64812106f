"""Send the REST requests of an adapter: one task, one connection, one request at a time.

Requests wait in the order in which they became due. The task runs only while a request waits, and
its connection is open only while a request can be sent at once:

.. code-block:: text

    nothing waits ──▶ (no task, no socket)
         ▲                 │ ask
         │                 ▼
         └──────────── pacing ──────▶ asking ──┐ the next one is due, and there is weight for it
                           ▲           │ ▲     │
                           └───────────┘ └─────┘
             nothing is due, the weight is used up, 429, or the connection failed

Failed requests are retried and reported (`connector.link.request_trouble`). The weight is counted
per host (`connector.link.weight_gate`).
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import trio

from connector.errors import ExchangeUnavailable, RequestRejected
from connector.exchanges.protocol import RestRequest, RestService
from connector.lifecycle import RequestsFailing, RequestsRecovered
from connector.link.pacing import Reconnect, retry_after_seconds
from connector.link.request_line import Job, RestOwner, Waiting, left
from connector.link.request_trouble import RestStatistics, Trouble
from connector.link.source import Rest as Answers
from connector.link.source import Supply
from connector.link.weight_gate import WeightGate
from connector.transport import Dialer, is_open
from connector.transport.http import Http, Response, open_http

T = TypeVar("T")

SILENCE_SECONDS = 5.0
"""Time limit for connecting, and for a pause within an answer."""
REQUEST_SECONDS = 60.0
"""Time limit for a whole answer; 20 MB of instruments take long."""
_RETRYABLE = frozenset({408, 425})
"""Statuses below 500 that are temporary."""
_REFUSED_SECONDS = 300.0
"""Time after which a refusal without a message of the exchange counts as final. A firewall, a
captive portal or a deployment may answer 403, 404 or a redirect for a while."""
_SAID_CHARACTERS = 60
"""Length of the quoted beginning of an invalid answer."""


class Rest:
    """The requests of one adapter.

    Args:
        name: its name in logs, such as ``binance_spot/rest``.
        service: the address and the limits.
        dialer: opens the byte stream.
        owner: the adapter; it runs the task.
        supply: answers requests instead of the service, if given; then nothing is dialled.
    """

    def __init__(
        self,
        name: str,
        service: RestService,
        dialer: Dialer,
        owner: RestOwner,
        supply: Supply | None = None,
    ) -> None:
        self.name = name
        self.sockets: set[trio.abc.Stream] = set()
        self.requests = 0
        """Number of sent requests."""
        self.connections = 0
        """Number of opened connections."""
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
        self._trouble = Trouble()
        self._rejections = 0
        self._last_success: float | None = None
        self._refused: dict[str, tuple[float, int]] = {}
        """Time and count of consecutive refusals without a message of the exchange, by target."""

    def __repr__(self) -> str:
        return f"<Rest, {len(self._line)} requests wait>"

    @property
    def sockets_open(self) -> int:
        """The number of open descriptors: 0 or 1."""
        return sum(map(is_open, self.sockets))

    @property
    def waiting(self) -> int:
        """The number of queued requests."""
        return len(self._line)

    def statistics(self) -> RestStatistics:
        """The statistics of the requests."""
        now, trouble, service = trio.current_time(), self._trouble, self._service
        failing = trouble.detail is not None
        return RestStatistics(
            requests=self.requests,
            failures=dict(trouble.counts),
            rejections=self._rejections,
            waiting=self.waiting + (self._current is not None),
            failing=trouble.detail,
            failing_seconds=now - trouble.since if failing else 0.0,
            last_success_seconds=None if self._last_success is None else now - self._last_success,
            weight_used=self._gate.used(service),
            weight_limit=service.weight_per_window,
            gate_seconds=self._gate.wait_seconds(1, service),
            sockets_open=self.sockets_open,
        )

    def ask(self, job: Job, *, after: float = 0.0) -> None:
        """Queue `job`; it is due in `after` seconds."""
        if self._leaving:
            job.refused(left())
            return
        self._put(job, trio.current_time() + after)
        if self._supply is not None:
            self._supply.asking()
        self._changed.set()
        if not self._running:
            self._running = True
            self._owner.run_rest()

    async def fetch(self, request: RestRequest[T], timeout: float = math.inf) -> T:  # noqa: ASYNC109
        """Fetch the answer to `request`. Executes a checkpoint.

        Args:
            request: the request to send.
            timeout: seconds to wait for the answer.

        Raises:
            RequestRejected: the exchange refused it.
            ExchangeUnavailable: there was no answer within `timeout`; the message says why.
            trio.ClosedResourceError: the adapter's block was left.

        Cancellation: the request leaves the queue; an answer in transit is dropped.
        """
        await trio.lowlevel.checkpoint()
        waiting = Waiting(request)
        self.ask(waiting)
        try:
            with trio.move_on_after(timeout):
                await waiting.done.wait()
        finally:
            waiting.wanted = False
            self._changed.set()
        if not waiting.done.is_set():
            cause = waiting.cause or self._delay_cause()
            raise ExchangeUnavailable(f"{self.name}: no answer within {timeout:g} s: {cause}")
        return waiting.result()

    def leave(self) -> None:
        """End the task, if it runs, and all queued requests."""
        self._leaving = True
        self._scope.cancel()
        line, self._line = self._line, []
        jobs = [job for _, _, job in sorted(line)]
        for job in jobs if self._current is None else [self._current, *jobs]:
            job.refused(left())

    async def run(self) -> None:
        """Send queued requests until the queue is empty.

        Cancellation: the connection is closed; queued requests stay.
        """
        self._scope = trio.CancelScope()
        with self._scope:
            while self._line and not self._leaving:
                await self._wait_for_turn()
                if self._is_due():
                    await self._converse()
        self._running = False

    def _delay_cause(self) -> str:
        """Why a request has not been sent yet."""
        seconds = self._gate.wait_seconds(1, self._service)
        if seconds:
            return f"the exchange's limit holds requests back for {seconds:.3g} s more"
        return self._trouble.detail or "it is on its way"

    def _put(self, job: Job, due: float) -> None:
        heapq.heappush(self._line, (due, next(self._numbers), job))

    def _wait_seconds(self) -> float:
        """Seconds that the first queued request must wait."""
        due, _, job = self._line[0]
        if self._supply is not None:
            return 0.0  # it knows when to answer
        wait = max(due, self._not_before) - trio.current_time()
        return max(wait, self._gate.wait_seconds(job.request.weight, self._service))

    def _is_due(self) -> bool:
        return bool(self._line) and self._wait_seconds() <= 0

    async def _wait_for_turn(self) -> None:
        """Wait until the first queued request is due and has weight, or the queue changes."""
        await trio.lowlevel.checkpoint()
        self._drop_unwanted()
        while self._line and (wait := self._wait_seconds()) > 0:
            self._changed = trio.Event()
            # All clients at this address wait for the same moment: spread out after it.
            with trio.move_on_after(wait + random.uniform(0, min(wait, 1.0))):
                await self._changed.wait()
            self._drop_unwanted()

    def _drop_unwanted(self) -> None:
        """Drop the first queued requests while no caller wants their answers."""
        while self._line and not self._line[0][2].wanted:
            self._let_go(heapq.heappop(self._line)[2])

    def _let_go(self, job: Job) -> None:
        job.begin()
        self._settle(job.request.target)

    async def _converse(self) -> None:
        """Use one connection for as long as the next queued request is due at once."""
        try:
            async with self._open() as http:
                self.connections += 1
                while self._is_due():
                    _, _, job = heapq.heappop(self._line)
                    if not job.wanted or not job.begin():
                        self._let_go(job)
                        continue
                    self._current = job
                    response = await self._get(http, job.request)
                    self._current = None
                    self._take(job, response)
                    if "close" in response.headers.get("connection", "").lower():
                        break
        except ExchangeUnavailable as error:
            self._back_off()
            asked, self._current = self._current, None
            if asked is not None:
                self._fail(asked, "no answer", str(error))
            elif self._line:
                self._tell_failure(self._line[0][2].request.target, "unreachable", str(error))

    def _open(self) -> AbstractAsyncContextManager[Answers]:
        """Open a connection to the service, or a substitute from the source."""
        if self._supply is not None:
            return self._supply.open_rest()
        return open_http(
            self._service.url,
            dialer=self._dialer,
            connect_timeout=SILENCE_SECONDS,
            read_timeout=SILENCE_SECONDS,
            headers=self._service.headers,
            sockets=self.sockets,
        )

    async def _get(self, http: Answers, request: RestRequest[Any]) -> Response:
        """Get the response to `request`, with any status.

        Raises:
            ExchangeUnavailable: there was none in time.
        """
        self.requests += 1
        if self._supply is not None:
            return await http.get(request.target)
        self._gate.take(request.weight)
        with trio.move_on_after(REQUEST_SECONDS):
            if request.body and isinstance(http, Http):
                return await http.post(request.target, request.body)
            return await http.get(request.target)
        raise ExchangeUnavailable(f"no answer to a REST request within {REQUEST_SECONDS:g} s")

    def _take(self, job: Job, response: Response) -> None:
        """Process a response."""
        used = response.headers.get(self._service.used_weight_header or "", "")
        if used.isdecimal():
            self._gate.observe(int(used))
        status = response.status
        if status in self._service.banned:
            told = retry_after_seconds(response.headers) or self._service.ban_seconds
            seconds = self._gate.ban.strike(told)
            detail = f"HTTP status {status}, nothing is asked for {seconds:.3g} s"
            self._fail(job, "limited", detail, due=-math.inf)
            return
        self._gate.ban.lift()
        if status >= 500 or status in _RETRYABLE:
            self._back_off()
            self._fail(job, "unavailable", f"HTTP status {status}{_excerpt(response.body)}")
        elif status != 200 or self._service.refuses(response.body):
            self._take_refusal(job, response)
        else:
            self._decode(job, response.body)

    def _take_refusal(self, job: Job, response: Response) -> None:
        """A refusal with a message is final unless it says "not now"; others may be temporary."""
        status, target, now = response.status, job.request.target, trio.current_time()
        code, message = self._service.error(response.body)
        since, times = self._refused.pop(target, (now, 0))
        told = code is not None and code not in self._service.not_now
        passes = self._supply is None and (not told or 300 <= status < 400)
        if not passes or now - since >= _REFUSED_SECONDS:
            self._rejections += 1
            self._settle(target)
            job.refused(RequestRejected(status, code, message))
            return
        self._refused[target] = since, times + 1
        reason = "redirected" if 300 <= status < 400 else "refused"
        detail = f"HTTP status {status}{_excerpt(response.body)}"
        if reason == "redirected":
            detail += f", to {response.headers.get('location', 'nowhere')!r:.{_SAID_CHARACTERS}}"
        # Others need not wait for it.
        self._fail(job, reason, detail, due=now + self._retry.delay(times + 1))

    def _decode(self, job: Job, body: bytes) -> None:
        try:
            answer = job.request.decode(body)
        except Exception as error:  # noqa: BLE001 - whatever an answer breaks, streams go on
            self._back_off()
            self._fail(job, "undecodable", f"{error!s:.200}{_excerpt(body)}")
        else:
            self._failures_in_a_row = 0
            self._last_success = trio.current_time()
            self._owner.answered(job.request.target, body)
            job.answered(answer)
            self._settle(job.request.target)

    def _fail(self, job: Job, reason: str, detail: str, due: float | None = None) -> None:
        """Requeue `job` after a failure, behind the requests that are due."""
        job.failed(detail)
        self._put(job, trio.current_time() if due is None else due)
        self._tell_failure(job.request.target, reason, detail)

    def _tell_failure(self, target: str, reason: str, detail: str) -> None:
        """Count a failure, and report it if its reason is new."""
        news = self._trouble.failed(target, reason, detail, trio.current_time())
        if news and self._supply is None:  # a recording answers when it does
            self._owner.announce(
                RequestsFailing(
                    link=self.name,
                    session=self.connections,
                    reason=reason,
                    detail=detail,
                    target=target,
                    waiting=self.waiting,
                )
            )

    def _settle(self, target: str) -> None:
        """Note that `target` was answered or given up, which may end the trouble."""
        self._refused.pop(target, None)
        if self._trouble.settled(target) and self._supply is None and not self._leaving:
            self._owner.announce(
                RequestsRecovered(
                    link=self.name,
                    session=self.connections,
                    failing_seconds=trio.current_time() - self._trouble.since,
                    failures=self._trouble.failures,
                )
            )

    def _back_off(self) -> None:
        self._failures_in_a_row += 1
        delay = self._retry.delay(self._failures_in_a_row)
        self._not_before = trio.current_time() + delay


def _excerpt(body: bytes) -> str:
    """The beginning of an answer, to quote in an error."""
    said = body[:_SAID_CHARACTERS].decode("utf-8", "backslashreplace")
    return f": {said!r}" if said else ""
