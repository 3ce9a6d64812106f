"""The order entry connection: one at a time, it sends requests and receives their replies.

Each place request is handed to the transport once. When a session ends, requests that were handed
over but not answered are *lost*: the exchange may have received them. Requests that are still
queued were certainly not sent. They use the next session, unless they expire before.
"""

from __future__ import annotations

import logging
from typing import Protocol

import trio

from connector.account.asking import Asking
from connector.account.late_timers import sleep_until_read
from connector.account.order_requests import QUOTE, Job, Line
from connector.account.reconnecting import Dialling, EndReason, keep_asking_whether_alive
from connector.errors import ExchangeUnavailable, HandshakeRejected
from connector.link.lasting_failures import LASTING_STATUSES
from connector.trading.budgets import OrderBudget
from connector.trading.venue import Answer, Heard, Shutdown
from connector.transport import Connection

_log = logging.getLogger("connector.account")

REPLY_SECONDS = 10.0
"""An exchange that has not answered by then will not (binance_spot §8)."""
_LIFETIME_SECONDS = 23 * 3600.0
_BROKEN_SECONDS = 0.1
"""How long a connection over which nothing can be sent has to say how it ended."""
_WITHOUT_CLOCK_SECONDS = 0.1
"""How often to look whether the exchange's time is known: nothing can be signed before."""
_NO_ACCOUNTS = (
    "no orders can be entered at this address; a simulated exchange has only the accounts that "
    "open_exchange(…, accounts=(TradingAccount(…),)) opens"
)


class OrderLinkOwner(Protocol):
    """The methods of the account that the link calls."""

    def sending(self, job: Job) -> None:
        """The request is about to be handed to the transport."""

    def answered(self, job: Job, answer: Answer) -> None:
        """The exchange has answered, perhaps after it was taken for lost."""

    def lost(self, job: Job) -> None:
        """There is no answer: the exchange may have received the request."""

    def unsent(self, job: Job, why: str) -> None:
        """The request was not sent, and will not be."""

    def order_link_changed(self, connected: bool) -> None:
        """The connection has opened or closed."""


class OrderLink:
    """Order entry of one account."""

    def __init__(
        self,
        dialling: Dialling,
        asking: Asking,
        budget: OrderBudget,
        owner: OrderLinkOwner,
        *,
        window: float,
    ) -> None:
        self._window = window
        self.connected = False
        self.dialling = dialling
        self._trading = asking.trading
        self._key = asking.key
        self._clock = asking.clock
        self._budget = budget
        self._owner = owner
        self._line = Line()
        self._changed = trio.Event()
        self._line_changed = trio.Event()
        self._next_due = float("inf")
        """When to look next for those whose time is up."""
        self._pending: dict[int, Job] = {}
        self._next_id = 0
        self._closing = False
        self._connection: Connection | None = None
        self._now = trio.lowlevel.current_clock().current_time
        """As `trio.current_time`, which looks for the clock each time."""

    @property
    def queued(self) -> int:
        """The number of queued requests."""
        return len(self._line)

    @property
    def queued_places(self) -> int:
        """The number of queued orders; those in flight are not looked at for it."""
        return self._line.places()

    @property
    def in_flight(self) -> int:
        """The number of unanswered requests."""
        return len(self._pending)

    def put(self, job: Job, now: float | None = None, *, may_go: bool = False) -> None:
        """Send a request if it may go at once, and nobody is before it; else queue it.

        Args:
            job: the request.
            now: `trio.current_time()`, if the caller has just read it.
            may_go: whether the caller has just seen that the exchange's limit has room for it.
        """
        if job.priority == QUOTE:
            self._line.put(job)
        elif self._line.first() is None:
            if self._send_now(job, self._now() if now is None else now, may_go=may_go):
                return
            if job.state == "queued":
                self._line.put(job)
        else:
            self._line.put(job)
            if self._send_at_once():
                return
        self._wake()
        if job.state == "queued" and job.deadline < self._next_due:
            self._line_changed.set()

    def withdraw(self, job: Job, why: str) -> bool:
        """Take a request back; False if it has been sent."""
        if job.state != "queued":
            return False
        job.end("unsent")
        self._owner.unsent(job, why)
        return True

    def heard(self, said: Heard) -> None:
        """A frame of the present session."""
        if isinstance(said, Answer):
            self._answer(said)
        elif isinstance(said, Shutdown):
            self._closing = True
            self._wake()

    def unreadable(self) -> None:
        """A message could not be decoded. If it was a reply, its request is lost when the time for
        replies is over; then the order is looked for.
        """
        _log.warning("%s: a message could not be read", self.dialling.name)

    async def run(self) -> None:
        """Keep one connection open, and send the queued requests.

        Raises:
            HandshakeRejected: the exchange rejects the first connection, and retrying cannot help.

        Cancellation: what was sent and not answered is lost.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._drop_overdue)
            while True:
                url = self._trading.orders_url
                await self.dialling.wait_for_turn(url)
                try:
                    async with self.dialling.open(url, self) as connection:
                        await self._converse(connection)
                except HandshakeRejected as rejected:
                    if self.dialling.sessions == 0 and rejected.status in LASTING_STATUSES:
                        if rejected.status == 404:
                            rejected.add_note(_NO_ACCOUNTS)
                        raise
                except ExchangeUnavailable:
                    continue
                finally:
                    self._session_over()

    async def _converse(self, connection: Connection) -> None:
        self._closing = False
        self._connection = connection
        self.connected = True
        self._owner.order_link_changed(connected=True)
        end_at = trio.current_time() + _LIFETIME_SECONDS
        reason: EndReason = "shutdown"
        async with trio.open_nursery() as nursery:

            async def until_over() -> None:
                ended = await connection.run()
                self.dialling.note_end(ended.reason, ended.text)
                nursery.cancel_scope.cancel()

            async def until_dead() -> None:
                await keep_asking_whether_alive(connection)
                self.dialling.note_end("no reply", "no answer to a ping")
                nursery.cancel_scope.cancel()

            async def until_unanswered() -> None:
                await self._until_unanswered()
                self.dialling.note_end("no reply", "a request was not answered")
                nursery.cancel_scope.cancel()

            nursery.start_soon(until_over)
            nursery.start_soon(until_dead)
            nursery.start_soon(until_unanswered)
            while True:
                try:
                    wait = await self._send_what_may_go(connection)
                except ExchangeUnavailable:
                    # `Connection.run` knows why, unless only a write was cut short.
                    await trio.sleep(_BROKEN_SECONDS)
                    self.dialling.note_end("error", "a message was sent in part only")
                    nursery.cancel_scope.cancel()
                    await trio.lowlevel.checkpoint()
                if not self._closing and trio.current_time() >= end_at:
                    self._closing, reason = True, "age"
                if self._closing and not self._pending:
                    self.dialling.note_end(reason)
                    nursery.cancel_scope.cancel()
                    await trio.lowlevel.checkpoint()
                with trio.move_on_at(min(trio.current_time() + wait, end_at)):
                    await self._changed.wait()
                self._changed = trio.Event()

    def _send_at_once(self) -> bool:
        """Send requests queued before any quote, without a task switch.

        Returns:
            Whether nothing is left to do for the task that sends.
        """
        while (job := self._line.first()) is not None:
            if job.priority == QUOTE or not self._send_now(job, trio.current_time()):
                return False
        return True

    def _send_now(self, job: Job, now: float, *, may_go: bool = False) -> bool:
        """Send a request without a task switch, if it may go; whether all of it was sent.

        If it may have been sent in part, it is not `queued` any more.
        """
        connection = self._connection
        if connection is None or self._closing or not connection.writable:
            return False
        if not (may_go and self._clock.known) and self._wait_of(job, now) > 0:
            return False
        try:
            return connection.write(self._begin(job, now))
        except ExchangeUnavailable:
            return False  # `Connection.run` knows it, too

    async def _send_what_may_go(self, connection: Connection) -> float:
        """Send the first in line as long as they may go; seconds until the next may."""
        # Room first: what was signed before would age while it waits, and no cancel could pass it.
        if not connection.writable:
            await connection.flush()
        while not self._closing and (job := self._line.first()) is not None:
            now = trio.current_time()
            wait = self._wait_of(job, now)
            if wait > 0:
                return wait
            if connection.writable:
                connection.write(self._begin(job, now))
            else:
                await connection.send(self._begin(job, now))
            if not connection.writable:
                await connection.flush()
        return float("inf")

    def _wait_of(self, job: Job, now: float) -> float:
        """How long the first in line must wait, in seconds; 0 if it may go now."""
        if not self._clock.known:
            return _WITHOUT_CLOCK_SECONDS
        if not job.request.orders:
            return 0.0
        return self._budget.wait_seconds(now, quotes=job.priority == QUOTE)

    def _begin(self, job: Job, now: float) -> str:
        """Take it out of the line: from now on it may have been sent. Returns its text."""
        request = job.request
        if request.orders:
            self._budget.take(now, request.orders)
        self._line.take(job)
        self._next_id = number = self._next_id + 1
        job.signed_ns = signed_ns = self._clock.now_ns(now)
        job.sent_at = now
        job.state = "sent"
        self._owner.sending(job)
        self._pending[number] = job
        return self._trading.write(request, number, self._key, signed_ns, self._window)

    async def _until_unanswered(self) -> None:
        """Return when a request has had no reply for too long."""
        while True:
            oldest = min((job.sent_at for job in self._pending.values()), default=None)
            now = trio.current_time()
            due = now + REPLY_SECONDS / 10 if oldest is None else oldest + REPLY_SECONDS
            if now >= due:
                return
            await sleep_until_read(due)

    def _answer(self, answer: Answer) -> None:
        if answer.used:
            now = self._now()
            for window, used in answer.used:
                self._budget.observe(window, used, now)
        if answer.request_id is None:
            return
        job = self._pending.pop(answer.request_id, None)
        if job is None:
            return
        job.end("answered", answer)
        self._owner.answered(job, answer)
        if self._closing:
            self._wake()

    def _session_over(self) -> None:
        self._connection = None
        if self.connected:
            self.connected = False
            self._owner.order_link_changed(connected=False)
        pending, self._pending = self._pending, {}
        for job in pending.values():
            job.end("lost")
            self._owner.lost(job)

    async def _drop_overdue(self) -> None:
        while True:
            self._next_due = self._line.next_deadline()
            with trio.move_on_at(self._next_due):
                await self._line_changed.wait()
                self._line_changed = trio.Event()
                continue
            held_up = "other requests or a limit held it up"
            cause = held_up if self.connected else "order entry is not connected"
            for job in self._line.overdue(trio.current_time()):
                self.withdraw(job, f"it could not be sent in time: {cause}")

    def _wake(self) -> None:
        self._changed.set()
