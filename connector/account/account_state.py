"""The state that all parts of a running account share: orders, requests and feeds of events.

Everything here is synchronous. A reply, an event or a request updates all the state that it affects
before another task runs. Between two checkpoints, all views are therefore consistent.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

import trio

from connector.account.asking import Asking
from connector.account.checking import check
from connector.account.exchange_clock import ExchangeClock
from connector.account.order import Order
from connector.account.order_link import OrderLink
from connector.account.order_requests import PLACE, QUOTE, Job
from connector.account.publishing import Publishing
from connector.account.refusals import Refusals
from connector.account.tasks import Tasks
from connector.account.unheard import Unheard
from connector.accounts import Fill, FillFee, OrderUpdate, Orphan, Timing
from connector.errors import (
    IdInUse,
    LimitReached,
    NameInUse,
    NotSent,
    OrderNotPlaced,
    OrderRefused,
)
from connector.exchanges.protocol import UNDECODABLE
from connector.instruments import Instrument
from connector.orders import OVER, Intent, Limit, Limits
from connector.trading.account_book import AccountBook, OrphanFound, ReadAnew, Told
from connector.trading.budgets import OrderBudget
from connector.trading.client_ids import ClientIds
from connector.trading.exposure import OwnLimits
from connector.trading.order_record import Contradiction, OrderRecord, Stranger
from connector.trading.reports import FillReport, OrderReport, Report
from connector.trading.venue import Answer, Refusal, Trading, Verdict

_log = logging.getLogger("connector.account")

ON_WATCH_SECONDS = 600.0
"""How long an order that was given up, or is over, is remembered: it may be told of again."""
FILL_MISSING = "a fill is missing"
_OF_TRADES = (Fill, FillFee)
CONTRADICTION_SECONDS = 2.0
"""How long a contradiction may last: events of account and order come in either order."""


class Office:
    """One account's state, and everything that changes it."""

    def __init__(
        self,
        *,
        name: str,
        trading: Trading,
        instruments: Mapping[str, Instrument],
        ids: ClientIds,
        limits: Limits,
        timing: Timing,
        orphans: str,
        asking: Asking,
        tasks: Tasks,
    ) -> None:
        bases = {symbol: each.base for symbol, each in instruments.items()}
        self.name = name
        self.trading = trading
        self.instruments = instruments
        self.timing = timing
        self.asking = asking
        self.book = AccountBook(ids, {} if trading.promises.margin else bases, instruments)
        self.budget = OrderBudget(trading.order_windows)
        self.own_limits = OwnLimits(limits)
        self.publishing = Publishing()
        self.orders: dict[str, Order] = {}
        self.leaving = False
        self.synced_since_ns: int | None = None
        self.refusals = Refusals()
        self.unheard = Unheard(trading.constants.settle_seconds)
        self.happenings = 0
        """Number of reports on the stream."""
        self.since_ns = 0
        """Exchange's time from which on trades are told."""
        self.symbols_given: set[str] = set()
        self.adopted: list[OrderRecord] = []
        """Orders of an earlier run whose past is being read."""
        self.link: OrderLink | None = None
        self.ids = ids
        self.now = trio.lowlevel.current_clock().current_time
        """As `trio.current_time`, which looks for the clock each time."""
        self._orphans = orphans
        self.tasks = tasks
        self._is_margin = trading.promises.margin
        self._acknowledgement_is_final = trading.promises.acknowledgement_is_final
        self._places: dict[str, Job] = {}

    @property
    def clock(self) -> ExchangeClock:
        """The exchange's time."""
        return self.asking.clock

    # --- placing

    def submit(self, intent: Intent, *, priority: int = PLACE) -> Order:
        """Check an intent, record it, and queue its request.

        Raises:
            OrderNotPlaced: it breaks a rule or a limit, or the account does not know what it has.
            ConfigError: the exchange does not offer such an order.
        """
        now = self.now()
        instrument, worth, wait = check(self, intent, quote=priority == QUOTE, now=now)
        client_id = self.ids.make()
        request = self.trading.place(intent, client_id)
        record = self.book.remember(intent, client_id, instrument.symbol, now, worth)
        order = self.orders[client_id] = Order(record, instrument)
        self.publishing.name(client_id, intent.tag)
        self.own_limits.count(now)
        job = Job(request, priority, record, deadline=now + self.timing.queue_seconds)
        self._places[client_id] = job
        assert self.link is not None
        self.link.put(job, now, may_go=wait == 0)
        if self._is_margin:
            self.book.holdings.forget_available()
        return order

    def symbols(self) -> set[str]:
        """The instruments whose trades are read."""
        traded = {record.symbol for record in self.book.records.values()}
        held = self.book.holdings.symbols_held()
        return self.symbols_given | traded | held | set(self.book.last_trades)

    @property
    def waiting_places(self) -> int:
        """Orders that wait to be sent."""
        return 0 if self.link is None else self.link.queued_places

    def withdraw(self, record: OrderRecord) -> bool:
        """Withdraw an unsent place request, and return whether it was unsent."""
        job = self._places.get(record.client_id)
        if job is None or self.link is None:
            return False
        return self.link.withdraw(job, "it was taken back before it was sent")

    # --- what the order link tells (`connector.account.order_link.OrderLinkOwner`)

    def sending(self, job: Job) -> None:
        """A place is about to be handed over."""
        record = job.record
        if record is not None and job.request.what == "place":
            self.book.sending(record, job.signed_ns)
            if record.move("sent"):
                # No more follows from it: nobody waits for this state, and it is not logged.
                if self.publishing.has_feeds:
                    self.publishing.tell(record.update(time.time_ns()))
                self.tasks.changed()

    def answered(self, job: Job, answer: Answer) -> None:
        """A reply. Those to cancels and amends are read by the task that waits for them."""
        if job.request.what != "place":
            return
        record = job.record
        assert record is not None
        self._places.pop(record.client_id, None)
        if answer.refusal is not None:
            self._refused(record, answer.refusal)
            return
        try:
            report = job.request.decode(answer.payload)
        except UNDECODABLE:
            self.lose(record)
            return
        if self._acknowledgement_is_final:
            self.read(report)
            if self.book.synced and not record.heard:
                self.unheard.accepted(record, self.now())

    def lost(self, job: Job) -> None:
        """No reply came."""
        if job.record is not None and job.request.what == "place":
            self._places.pop(job.record.client_id, None)
            self.lose(job.record)

    def unsent(self, job: Job, why: str) -> None:
        """A place was not sent."""
        record = job.record
        if record is None or job.request.what != "place":
            return
        self._places.pop(record.client_id, None)
        self.orders[record.client_id]._fail(NotSent(why))
        self.move(record, "unsent", why)

    def order_link_changed(self, connected: bool) -> None:
        """Order entry is connected, or not."""
        _log.info("order entry of %s %s", self.name, "connected" if connected else "disconnected")

    def _refused(self, record: OrderRecord, refusal: Refusal) -> None:
        verdict = self.trading.verdict(refusal)
        if verdict.meaning in ("unknown", "absent", "duplicate"):
            # A duplicate proves that an order of this id is open; whether it is ours is looked at.
            self.lose(record)
            return
        self._heed(refusal, verdict)
        reason = verdict.reason
        self.refusals.note(reason, refusal, trio.current_time())
        error: OrderNotPlaced = OrderRefused(reason, refusal.code, refusal.text)
        if verdict.meaning in ("limit", "banned"):
            error = LimitReached(
                f"the exchange refused the order for its limits: {refusal.text[:200]!r}",
                retry_after=self.wait_of(refusal) or 1.0,
            )
        if record.state in ("sent", "unknown"):
            self.orders[record.client_id]._fail(error)
        self.move(record, "refused", f"{reason}: {refusal.text[:200]}", refusal.code)

    def _heed(self, refusal: Refusal, verdict: Verdict) -> None:
        if verdict.meaning in ("limit", "banned"):
            self.budget.close_until(trio.current_time() + (self.wait_of(refusal) or 1.0))
        if verdict.meaning == "time":
            self.clock.distrust()

    def wait_of(self, refusal: Refusal) -> float:
        """Seconds for which the exchange accepts no requests; 0 if it does not say."""
        if refusal.retry_after is not None:
            return refusal.retry_after
        if refusal.retry_at_ns is None:
            return 0.0
        left = refusal.retry_at_ns - self.clock.now_ns(trio.current_time())
        return max(left / 1e9, 0.0)

    # --- outcomes of orders

    def lose(self, record: OrderRecord) -> None:
        """A place request may have arrived, but its outcome is unknown."""
        if self.move(record, "lost"):
            self.tasks.resolve(record)

    def move(self, record: OrderRecord, news: str, reason: str = "", code: object = None) -> bool:
        """Apply news about an order that is not a report; return whether its state changed."""
        if not record.move(news, reason, code):  # type: ignore[arg-type]
            return False
        self._tell_all([record.update(time.time_ns())])
        return True

    # --- reports of the exchange

    def told(self, report: Report) -> None:
        """A report arrived on the private stream."""
        self.happenings += 1
        if isinstance(report, OrderReport):
            record = self.book.records.get(report.client_id)
            if record is not None:
                record.heard = True
        self.read(report)

    def read(self, report: Report) -> None:
        """Process a report from any source."""
        book = self.book
        if isinstance(report, OrderReport):
            if self._is_margin:
                # An order changes what is available, and the exchange does not say to what.
                book.holdings.forget_available()
            self._tell_all(book.read_order(report, time.time_ns()))
            return
        self._tell_all(book.read(report, time.time_ns()))
        if isinstance(report, FillReport) and book.record_of(report) is not None:
            self.tasks.read_anew(FILL_MISSING, after=CONTRADICTION_SECONDS)

    def tell(self, told: Sequence[Told]) -> None:
        """Deliver the events of the book."""
        self._tell_all(told)

    def _tell_all(self, told: Sequence[Told]) -> None:
        order: Order | None = None
        for each in told:
            # As in `Publishing.tell`: by the type.
            if type(each) is OrderUpdate or isinstance(each, _OF_TRADES):
                self.publishing.tell(each)
                # The events of a report are of one order mostly: it is looked at once, behind them.
                if order is None or order._record.client_id != each.client_id:
                    if order is not None:
                        self._look_at(order)
                    order = self.orders.get(each.client_id)
                if type(each) is Fill:
                    self.book.told_trades.note(each.symbol, each.trade_id)
                elif order is not None and type(each) is OrderUpdate:
                    self._note(order, each)
                continue
            match each:
                case Contradiction(client_id=client_id, text=text):
                    _log.error("order %s: %s", client_id, text)
                    self.tasks.read_anew(f"a contradiction: {text}", after=CONTRADICTION_SECONDS)
                case Stranger(client_id=client_id, text=text):
                    self.tasks.fail(
                        IdInUse(f"another order was found under our client id {client_id}: {text}")
                    )
                case OrphanFound(report=report):
                    self._take_orphan(report)
                case ReadAnew(reason=reason, stream_over=stream_over):
                    self.tasks.read_anew(reason, stream_too=stream_over)
                case _:
                    self.publishing.tell(each)
        if order is not None:
            self._look_at(order)
        self.tasks.changed()

    def _look_at(self, order: Order) -> None:
        """After its events: wake who waits for it, and look for a trade that is missing."""
        record = order._record
        if record.has_hole and record.state != "queued":
            self.tasks.read_anew(FILL_MISSING, after=CONTRADICTION_SECONDS)
        if order._known is not None or order._changed is not None:
            order._wake()

    def _note(self, order: Order, event: OrderUpdate) -> None:
        record = order._record
        if event.late and order._is_first("late"):
            _log.error("order %s is open although considered lost: %r", event.client_id, order)
        if record.state in OVER:
            if record.over_at is None:
                record.over_at = trio.current_time()
                _log.info("order ended: %r %s", order, record.reason)
        elif event.state == "open":
            record.over_at = None
            if "open" not in order._logged and order._is_first("open"):
                _log.info("order open: %r", order)
            if self.leaving or not record.wanted:
                self.tasks.cancel(record)

    def _take_orphan(self, report: OrderReport) -> None:
        made_ns = report.created_ns or report.time_ns
        longest = self.trading.constants.largest_window_seconds
        longest += self.trading.constants.engine_seconds
        since = self.synced_since_ns
        if made_ns is not None and since is not None and made_ns > since + longest * 1e9:
            self.tasks.fail(
                NameInUse(
                    f"another program uses this account under the name {self.name!r}: order "
                    f"{report.client_id} was made long after this one was synced"
                )
            )
            return
        self.publishing.tell(
            Orphan(
                client_id=report.client_id,
                exchange_id=report.exchange_id,
                symbol=report.symbol,
                side=report.side,
                quantity=report.quantity,
                price=report.price,
                action=self._orphans,
                received_ns=time.time_ns(),
            )
        )
        _log.warning("order of an earlier run is open: %s: %s", report.client_id, self._orphans)
        if self._orphans != "leave" and report.price is not None and report.quantity is not None:
            self.adopt(report, wanted=self._orphans == "adopt")

    def adopt(self, report: OrderReport, *, wanted: bool) -> None:
        """Make an order of another run one of ours; if it is not wanted, cancel it."""
        assert report.price is not None
        assert report.quantity is not None
        intent = Limit(
            report.symbol,
            report.side,
            quantity=report.quantity,
            price=report.price,
            leg=report.leg,
            reduce_only=report.reduce_only,
        )
        record = OrderRecord(intent, report.client_id, report.symbol, trio.current_time())
        record.move("sent")
        record.wanted, record.created_ns = wanted, report.created_ns
        self.book.adopt(record)
        self.adopted.append(record)
        self.orders[record.client_id] = Order(record, self.instruments.get(report.symbol))
        self.read(report)
        if not wanted:
            self.tasks.cancel(record)

    def forget_old(self) -> None:
        """Drop orders that have been over for long."""
        before = trio.current_time() - ON_WATCH_SECONDS
        for client_id, order in tuple(self.orders.items()):
            record = order._record
            if record.over and record.over_at is not None and record.over_at < before:
                del self.orders[client_id]
                self.book.forget(client_id)
                self.publishing.forget(client_id)
