"""The tasks of one account in one nursery: its stream, its order entry and everything that waits.

They run in the nursery of `open_account`, shielded from its cancellation. The end of the block sets
their deadline, whatever ended it. Until then they cancel the open orders and wait for confirmation.
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

import trio

from connector.account.account_state import FILL_MISSING, Office
from connector.account.amending import resolve_amend
from connector.account.asking import Refused
from connector.account.cancelling import cancel_until_certain
from connector.account.checking import own_limits_used
from connector.account.dead_man import Switch
from connector.account.late_timers import read_if_late
from connector.account.leave_deadline import LeaveDeadline
from connector.account.order_link import OrderLink
from connector.account.patience import Patience
from connector.account.resolving import resolve
from connector.account.statistics import AccountStatistics, QuoteStatistics
from connector.account.stream_link import PrivateStream
from connector.account.synchronising import differences, synchronise
from connector.errors import ConnectorError, ExchangeUnavailable, RequestRejected
from connector.link.task_count import count_family
from connector.trading.order_record import OrderRecord
from connector.transport import is_open

_log = logging.getLogger("connector.account")

_RESYNC_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_CALM_SECONDS = 120.0
"""A resynchronisation so long after the last one is a first one."""
_AUDIT = "audit: "
GRACE_SECONDS = 2.0
"""For connections to be closed after the last confirmation."""
_LOOK_SECONDS = 2.0
"""How often to look whether the stream tells of the orders that the exchange has accepted."""
_UNKNOWN_SECONDS = 1.0
"""An order that is unknown for so long is worth a warning; most are found before."""
_DISAGREEMENTS = 2
"""So many audits in a row must disagree: one may have met an event on its way."""


Work: TypeAlias = Callable[[], Awaitable[None]]


class Quoted(Protocol):
    """Quotes of one instrument."""

    def statistics(self) -> QuoteStatistics: ...


class RunningAccount:
    """The running parts of one account; `connector.account.opening` makes it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.office: Office
        self.quotes: list[Quoted] = []
        self.stream: PrivateStream
        self.link: OrderLink
        self.switch: Switch | None = None
        self.deadline: LeaveDeadline
        self.patience: Patience
        self.error: ConnectorError | trio.ClosedResourceError | None = None
        """Why it has ended although its block was not left."""
        self.block = trio.CancelScope()
        """Around the block of `open_account`: cancelled when the account fails."""
        self.over = trio.Event()
        """Its tasks are gone, and its sockets are closed."""
        self._state_changed: trio.Event | None = None
        """There is one only while somebody waits."""
        self._scope = trio.CancelScope(shield=True, deadline=math.inf)
        self._work: list[Work] = []
        self._more = trio.Event()
        self._cancelling: set[str] = set()
        self._resolving: set[str] = set()
        self._reread_at = math.inf
        self._reread_reason = ""
        self._reread_stream = False
        self._reread = trio.Event()
        self._last_sync = -math.inf
        self._resyncs = 0
        self._task: trio.lowlevel.Task | None = None

    # --- the tasks

    async def run(self) -> None:
        """Keep the account running until `end_by`.

        Cancellation: shielded until the moment that `end_by` sets.
        """
        self._task = trio.lowlevel.current_task()
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:

                    async def _watched(task: Work) -> None:
                        try:
                            await task()
                        except ConnectorError as error:
                            self.fail(error)

                    nursery.start_soon(_watched, self.stream.run)
                    nursery.start_soon(_watched, self.link.run)
                    nursery.start_soon(_watched, self.patience.run)
                    if self.switch is not None:
                        nursery.start_soon(_watched, self.switch.keep)
                    while True:
                        work, self._work = self._work, []
                        for task in work:
                            nursery.start_soon(_watched, task)
                        await self._more.wait()
                        self._more = trio.Event()
        finally:
            self.office.publishing.end()
            self.over.set()
            self.changed()

    def finish(self) -> None:
        """Let everything end now."""
        self._scope.cancel()

    def end_by(self, deadline: float) -> None:
        """Let nothing run after `deadline`."""
        self._scope.deadline = min(self._scope.deadline, deadline)

    def abandon(self) -> float:
        """The adapter's block is left: the account's must end, too; when it will have, at last."""
        self.fail(trio.ClosedResourceError("the adapter's block has been left"))
        deadline = trio.current_time() + self.office.timing.leave_timeout + GRACE_SECONDS
        self.end_by(deadline)
        return deadline

    @property
    def sockets_open(self) -> int:
        """Descriptors open at this moment."""
        readings = sum(map(is_open, self.office.asking.sockets))
        return self.stream.dialling.sockets_open + self.link.dialling.sockets_open + readings

    def statistics(self) -> AccountStatistics:
        """The statistics of the account."""
        office, now = self.office, trio.current_time()
        counts, records = office.publishing.counts, office.book.records
        others = [each.client_id for each in office.book.others.values()]
        unknown = (now - each.made_at for each in records.values() if each.state == "unknown")
        return AccountStatistics(
            name=self.name,
            synced=office.book.synced and not self.over.is_set(),
            tasks=0 if self._task is None else count_family(self._task),
            sockets_open=self.sockets_open,
            private=self.stream.dialling.statistics(),
            orders=self.link.dialling.statistics(),
            orders_by_state=Counter(each.state for each in office.orders.values()),
            queued=self.link.queued,
            in_flight=self.link.in_flight,
            refusals=dict(office.refusals.counts),
            limits_used={
                window.seconds: (used, window.limit)
                for window, used in office.budget.used(now).items()
            },
            own_limits_used=own_limits_used(office, now),
            oldest_unknown_seconds=max(unknown, default=0.0),
            other_orders=sum(each not in records for each in others),
            placed=office.ids.made,
            ended=dict(counts.ended),
            late=len(counts.late),
            fills=counts.fills,
            backfilled=counts.backfilled,
            unsynced=counts.unsynced,
            unsynced_reason=counts.unsynced_reason,
            quotes=tuple(each.statistics() for each in self.quotes),
        )

    # --- `connector.account.tasks.Tasks`

    def resolve(self, record: OrderRecord) -> None:
        """Find out the outcome of a place request."""
        if record.client_id in self._resolving:
            return
        self._resolving.add(record.client_id)

        async def work() -> None:
            try:
                await resolve(self.office, record)
            finally:
                self._resolving.discard(record.client_id)

        async def warn() -> None:
            await trio.sleep(_UNKNOWN_SECONDS)
            if record.state == "unknown":
                _log.warning(
                    "the outcome of order %s is unknown: it was sent, "
                    "but the exchange has not answered",
                    record.client_id,
                )

        self.begin(work)
        self.begin(warn)

    def resolve_amend(self, record: OrderRecord) -> None:
        """Find out whether an order was amended."""
        amending = record.amending
        if amending is None:
            return

        async def work() -> None:
            await resolve_amend(self.office, record, amending)

        self.begin(work)

    def cancel(self, record: OrderRecord) -> None:
        """Cancel an order until it is certain how it ended."""
        record.wanted = False
        if record.client_id in self._cancelling or record.over:
            return
        self._cancelling.add(record.client_id)

        async def work() -> None:
            try:
                await cancel_until_certain(self.office, record)
            finally:
                self._cancelling.discard(record.client_id)

        self.begin(work)

    def read_anew(self, reason: str, *, after: float = 0.0, stream_too: bool = False) -> None:
        """Read the account again, at the latest in `after` seconds."""
        due = trio.current_time() + after
        if due < self._reread_at:
            self._reread_at, self._reread_reason = due, reason
        self._reread_stream = self._reread_stream or stream_too
        self._reread.set()

    def fail(self, error: ConnectorError | trio.ClosedResourceError) -> None:
        """The account cannot go on: its block is cancelled, and raises `error` when it is left."""
        if self.error is not None:
            return
        _log.error("account %s has ended: %s", self.name, error)
        if not self.office.leaving:
            self.error = error
            self.block.cancel()
        self.changed()

    def changed(self) -> None:
        """Wake the tasks that wait for the account."""
        if self._state_changed is not None:
            self._state_changed.set()
            self._state_changed = None

    async def wait_change(self) -> None:
        """Wait until something about the account has changed.

        Cancellation: nothing is lost.
        """
        if self._state_changed is None:
            self._state_changed = trio.Event()
        await self._state_changed.wait()

    def is_cancelling(self, client_id: str) -> bool:
        """Whether the cancel of an order is on its way, or will be repeated."""
        return client_id in self._cancelling

    def begin(self, work: Work) -> None:
        """Run something until the account is left."""
        self._work.append(work)
        self._more.set()

    # --- `connector.account.stream_link.StreamOwner`

    def stream_connecting(self) -> None:
        """Another connection is about to be opened."""
        self.office.tell(self.office.book.happen("connecting", "", time.time_ns()))

    def stream_lost(self, reason: str) -> None:
        """The private stream is gone."""
        book = self.office.book
        if book.synced and not self.office.leaving:
            _log.warning("account %s is not synced: %s", self.name, reason)
        self.office.tell(book.happen("lost", reason, time.time_ns()))

    def stream_unreadable(self) -> None:
        """It may have been a fill: what is shown may be wrong, and a fill proves nothing absent."""
        self.office.book.holes += 1
        self.read_anew("a message of the private stream could not be read")

    async def keep_synced(self) -> None:
        """Read the account, join it, audit it, read it again when something is wrong.

        Raises:
            RequestRejected: the key may not read the account.
        """
        self.office.unheard.forget()
        self.office.tell(self.office.book.happen("subscribed", "", time.time_ns()))
        if not self.office.since_ns:
            self.office.since_ns = self.office.clock.earliest_ns(trio.current_time())
        failures = 0
        while True:
            self._reread_at, self._reread_stream, self._reread = math.inf, False, trio.Event()
            try:
                await synchronise(self.office)
            except Refused as refused:
                _raise_if_revoked(refused)
                _log.warning("cannot read account %s: %s", self.name, refused)
            except ExchangeUnavailable as error:
                _log.warning("cannot read account %s: %s", self.name, error)
            else:
                failures = 0
                _log.info("account %s is synced", self.name)
                reason = await self._watch()
                _log.warning("account %s is not synced: %s", self.name, reason)
                self.office.tell(self.office.book.happen("reread", reason, time.time_ns()))
                if self._reread_stream:
                    audit = reason.startswith(_AUDIT)
                    self.stream.reopen("audit" if audit else "key", reason)
                    await trio.sleep_forever()
                await self._pause_before_resync()
                continue
            await trio.sleep(_RESYNC_SECONDS[min(failures, len(_RESYNC_SECONDS) - 1)])
            failures += 1

    async def _pause_before_resync(self) -> None:
        now = trio.current_time()
        self._resyncs = 0 if now - self._last_sync > _CALM_SECONDS else self._resyncs + 1
        self._last_sync = now
        if self._resyncs:
            await trio.sleep(_RESYNC_SECONDS[min(self._resyncs - 1, len(_RESYNC_SECONDS) - 1)])

    async def _watch(self) -> str:
        """Return when the account must be read again, with the reason.

        Raises:
            RequestRejected: the key may not read the account any more.
        """
        disagreements = 0
        next_audit = trio.current_time() + self.office.timing.audit_seconds
        while True:
            look = trio.current_time() + _LOOK_SECONDS
            with trio.move_on_at(min(next_audit, self._reread_at, look)):
                await self._reread.wait()
                self._reread = trio.Event()
                continue
            await read_if_late(look)
            if (silent := self.office.unheard.overdue(trio.current_time())) is not None:
                self._reread_stream = True
                return f"{_AUDIT}the private stream did not tell of order {silent.client_id}"
            if trio.current_time() < min(next_audit, self._reread_at):
                continue
            if trio.current_time() >= self._reread_at:
                if self._still_wrong():
                    return self._reread_reason
                self._reread_at = math.inf
                continue
            self.office.forget_old()
            next_audit = trio.current_time() + self.office.timing.audit_seconds
            try:
                found = await differences(self.office)
            except ExchangeUnavailable:
                continue
            except Refused as refused:
                # The private stream falls silent, and nothing else would tell.
                _raise_if_revoked(refused)
                continue
            disagreements = disagreements + 1 if found else 0
            if found:
                # Soon again: what was on its way has arrived by then.
                next_audit = trio.current_time() + self.office.trading.constants.settle_seconds
            if disagreements >= _DISAGREEMENTS:
                _log.error(
                    "account %s: an audit found differences from the exchange: %s",
                    self.name,
                    "; ".join(found),
                )
                # Its events did not come: the stream may be mute.
                self._reread_stream = True
                return f"{_AUDIT}{found[0]}"

    def _still_wrong(self) -> bool:
        """Whether what was to be read again has not mended itself."""
        if self._reread_reason != FILL_MISSING:
            return True
        return any(each.has_hole for each in self.office.book.records.values())


def _raise_if_revoked(refused: Refused) -> None:
    if refused.verdict.meaning == "permission":
        refusal = refused.refusal
        raise RequestRejected(refusal.status, refusal.code, refusal.text) from None
