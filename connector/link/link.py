"""`Link`: one reconnect loop that runs one session at a time.

The loop is sequential: it cannot dial again before the ``async with`` block of the old session has
ended, with its tasks finished and its socket closed. Nothing else in the package opens a session.
`_Slot` and a check of the sockets before each dial enforce this. `connector.link.states` defines
the states.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import attrs
import trio

from connector import lifecycle
from connector.errors import (
    DecodeError,
    ExchangeUnavailable,
    HandshakeRejected,
    InvariantViolated,
)
from connector.events import Gap
from connector.exchanges.protocol import Shutdown
from connector.feeds.backpressure import Full
from connector.feeds.buffer import Buffer
from connector.feeds.delivery_delay import NS_PER_SECOND
from connector.feeds.subscription import Subscription
from connector.feeds.wakeup import Signal
from connector.link.lasting_failures import lasts, wait_seconds
from connector.link.link_statistics import LinkStatistics, Totals
from connector.link.pacing import HostGate
from connector.link.planned_ends import Twins
from connector.link.session import Session
from connector.link.settings import Settings
from connector.link.source import Carrier
from connector.link.states import State, enter
from connector.link.task_count import count_family
from connector.link.wire_subscriptions import Refusal
from connector.transport import (
    CompressionRefused,
    is_open,
    open_connection,
)


class _Slot:
    """A slot for one session (INVARIANTS I1): a tripwire, which the loop below cannot trigger."""

    _taken = False

    def __enter__(self) -> None:
        if self._taken:
            raise InvariantViolated("a second session of one link was about to be opened")
        self._taken = True

    def __exit__(self, *_: object) -> None:
        self._taken = False


class LinkOwner(Protocol):
    """The methods of the adapter that a link calls."""

    def rejected(self, subscription: Subscription) -> None:
        """The exchange rejected a stream; all its feeds were notified."""

    def announce(self, event: lifecycle.Lifecycle) -> None:
        """Announce a lifecycle event of a connection."""

    def doubts(self, link: Link, subscription: Subscription) -> None:
        """A stream has been silent for so long that its symbol should be looked up."""

    def ended(self, link: Link) -> None:
        """The source of the link has ended; its feeds end after their buffered events."""

    def link_changed(self) -> None:
        """The state of a link has changed."""


class Link:
    """One reconnect loop of an adapter, for one route, for up to the limit of streams."""

    def __init__(
        self,
        settings: Settings,
        route: str,
        name: str,
        owner: LinkOwner,
        peers: Sequence[Link] = (),
    ) -> None:
        self.route = route
        self.name = name
        self.state: State = "idle"
        self.session = 0
        self.sessions_opened = 0
        self.reconnects: Counter[str] = Counter()
        self.sockets: set[trio.abc.Stream] = set()
        self.subscriptions: dict[bytes, Subscription] = {}
        self.full = Full()
        self._settings = settings
        self._exchange = settings.exchange
        self._url = settings.exchange.url(route)
        self._owner = owner
        self._slot = _Slot()
        self._twins = Twins(self, settings.exchange.name)
        self._wanted = Signal()
        self._leaving = False
        self._scope = trio.CancelScope()
        self._task: trio.lowlevel.Task | None = None
        self._current: Session | None = None
        self._carrier: Carrier | None = None
        self._totals = Totals()
        self._compression = settings.exchange.compression
        self._failures = 0
        self._refusals = 0
        self._peers = peers
        self._delay = 0.0
        if settings.supply is not None:
            settings.supply.expect(name)
        self.recorders_changed()

    def __repr__(self) -> str:
        return f"<Link {self.name} {self.state}, session {self.session}>"

    # Called by the adapter.

    def want(self, subscription: Subscription) -> None:
        """Add a stream to the desired set."""
        self.subscriptions[subscription.name.encode()] = subscription
        if self.state == "ended":
            subscription.end()
        self._wanted_changed()

    def unwant(self, subscription: Subscription) -> None:
        """Remove a stream from the desired set."""
        key = subscription.name.encode()
        if self.subscriptions.get(key) is subscription:
            del self.subscriptions[key]
            self._wanted_changed()

    def connect(self) -> None:
        """Connect even if no stream is wanted yet."""
        self._wanted.set()

    def recorders_changed(self) -> None:
        """The set of readers of raw frames has changed."""
        recorders = self._settings.recorders
        for buffer in recorders:
            buffer.join(self.full)
        if self._current is not None and self._carrier is not None:
            sink = recorders.sink(self.name, self._current.delivery)
            self._carrier.deliver_to(sink)

    def present(self) -> Iterator[lifecycle.Lifecycle]:
        """The lifecycle events that a new observer needs in the middle of a session."""
        session, now_ns = self.session, self._settings.now_ns()
        if self._current is not None:
            yield lifecycle.Connected(link=self.name, session=session, time_ns=now_ns)
            if self.state == "streaming":
                yield lifecycle.Subscribed(
                    link=self.name,
                    session=session,
                    time_ns=now_ns,
                    streams=len(self.subscriptions),
                )

    def reconnect(self, reason: str = "requested") -> None:
        """End the current session, if there is one; the loop opens the next."""
        if self._current is not None:
            self._current.end(reason)

    def resubscribe(self, subscription: Subscription) -> bool:
        """Unsubscribe and subscribe again; False without a session, or if this is in progress."""
        current = self._current
        if current is None or not current.resubscribe(subscription):
            return False
        delivery = current.delivery
        subscription.lose("resubscribed", delivery.received_ns, session=delivery.session)
        return True

    def leave(self) -> None:
        """End the loop: gracefully if connected, otherwise at once."""
        self._leaving = True
        if self._current is not None:
            self._current.end("left")
        else:
            self._scope.cancel()

    # The loop.

    async def run(self) -> None:
        """Keep the link connected while streams are wanted.

        Raises:
            HandshakeRejected: a new adapter got a lasting status (`lasting_failures`).
            ExchangeUnavailable: `max_attempts` are used up, or the certificate is not trusted.
        """
        self._task = trio.lowlevel.current_task()
        with self._scope:
            while not self._leaving:
                self._enter("idle")
                await self._wait_until_wanted()
                session = await self._next_session()
                if session is None:
                    self._end()
                    return
                await self._attempt(session)
                if not self.subscriptions:
                    self._wanted.clear()
        self._enter("idle")

    @trio.lowlevel.enable_ki_protection  # as `connector.feeds.wakeup.Waking.wait`
    async def _wait_until_wanted(self) -> None:
        if not self._wanted.is_set and self._settings.supply is not None:
            self._settings.supply.dismiss(self.name)
        await self._wanted.wait()

    async def _next_session(self) -> int | None:
        """Wait for the backoff and the exchange's connection budget, or for the source.

        Returns:
            The number of the session; None if the source has ended.
        """
        self._enter("waiting")
        supply = self._settings.supply
        if supply is not None:
            try:
                return await supply.next_session(self.name, self.session, self._delay)
            except trio.EndOfChannel:
                return None
        limits = self._exchange.limits
        if self.session:
            await trio.sleep(self._delay)
        await self._gate().enter(limits.connections_per_window, limits.window_seconds)
        return self.session + 1

    def _end(self) -> None:
        """The source has ended: end all subscriptions."""
        self._enter("ended")
        for subscription in self.subscriptions.values():
            subscription.end()
        self._owner.ended(self)

    async def _attempt(self, number: int) -> None:
        """Run one session, from the dial to the closed socket."""
        if any(map(is_open, self.sockets)):
            raise InvariantViolated(f"{self.name}: the socket of the last session is still open")
        with self._slot:
            self.session = number
            self._enter("connecting")
            via = self._settings.way_to(self.route)
            self.tell(lifecycle.Connecting, attempt=self._failures + 1, via=via)
            session = Session(
                self._exchange,
                number,
                self.subscriptions,
                self.full,
                owner=self,
                stale_after=self._settings.stale_after,
            )
            error: ExchangeUnavailable | HandshakeRejected | None = None
            try:
                async with self._open_carrier(session) as carrier:
                    self._begin(session, carrier)
                    await session.run(carrier)
                    self._enter("closing")
                    if session.reason in lifecycle.PLANNED:
                        await carrier.close(timeout=self._settings.close_timeout)
            except (ExchangeUnavailable, HandshakeRejected) as unavailable:
                error = unavailable
            finally:
                connected = self._current is not None
                self._finish(session)
        if error is not None:
            session.reason = "rejected" if isinstance(error, HandshakeRejected) else "unavailable"
            session.detail = str(error)
        self._conclude(session, error, connected=connected)

    def _open_carrier(self, session: Session) -> AbstractAsyncContextManager[Carrier]:
        """Open a connection, or a carrier of the source."""
        if self._settings.supply is not None:
            return self._settings.supply.open(self.name, session.number, session.delivery)
        return open_connection(
            self._url,
            session.delivery,
            dialer=self._settings.dialer,
            max_message_bytes=self._exchange.limits.max_message_bytes,
            compression=self._compression,
            headers=self._settings.headers,
            sockets=self.sockets,
        )

    def _begin(self, session: Session, carrier: Carrier) -> None:
        self._current = session
        self._carrier = carrier
        self.sessions_opened += 1
        if self._settings.supply is None:
            self._gate().ban.lift()
        self._enter("subscribing")
        self.tell(lifecycle.Connected)
        if self._settings.recorders:
            self.recorders_changed()

    def _finish(self, session: Session) -> None:
        """Add the counts of a session whose tasks have ended and whose socket is closed."""
        self._totals.add(session, self._carrier)
        self._current = self._carrier = None
        if session.reason == "ended":
            return  # nothing was lost
        lost: dict[Buffer[object], list[Subscription]] = {}
        for subscription in self.subscriptions.values():
            if subscription.interrupted():
                for each in (subscription, *subscription.others()):
                    for buffer in each.buffers():
                        lost.setdefault(buffer, []).append(each)
        for buffer, subscriptions in lost.items():
            symbols = {each.symbol for each in subscriptions}
            buffer.lose(
                Gap(
                    symbol=symbols.pop() if len(symbols) == 1 else "",
                    received_ns=self._settings.now_ns(),
                    session=self.session,
                    channels=tuple(each.stream.channel for each in subscriptions),
                    reason="disconnected",
                    since_ns=session.delivery.received_ns,
                )
            )

    def _conclude(
        self,
        session: Session,
        error: ExchangeUnavailable | HandshakeRejected | None,
        *,
        connected: bool,
    ) -> None:
        """Process the end of a session: count, back off, report, give up."""
        reason = session.reason or "error"
        if not self._leaving:
            self.reconnects[reason] += 1
        first_data = session.delivery.first_data
        stable_after = self._settings.reconnect.stable_after
        if first_data is not None and trio.current_time() - first_data >= stable_after:
            self._failures = 0
        if reason not in lifecycle.PLANNED:
            self._failures += 1
        self._delay = 0.0 if self._leaving else self._settings.reconnect.delay(self._failures)
        if isinstance(error, HandshakeRejected):
            self._delay = max(self._delay, self._gate().rejected(error.status, error.headers))
        elif isinstance(error, CompressionRefused):
            self._compression = False
        refusal = error if error is not None and lasts(error) else None
        self._refusals = self._refusals + 1 if refusal else 0
        if refusal:
            self._delay = max(self._delay, wait_seconds(self._refusals))
        if self._settings.supply is not None:
            self._delay = self._settings.supply.pause(self.name, self._delay)
        self.tell(
            lifecycle.Disconnected,
            reason=reason,
            detail=session.detail,
            connected=connected,
            retry_seconds=self._delay,
        )
        if refusal and not self._had_data():
            raise refusal
        limit = self._settings.reconnect.max_attempts
        if limit is not None and self._failures >= limit:
            raise ExchangeUnavailable(
                f"{self.name}: gave up after {limit} failed attempts in a row, the last because: "
                f"{reason} {session.detail}".rstrip()
            ) from error

    def _had_data(self) -> bool:
        """Whether any link of the adapter ever had data: if so, a refusal may be temporary."""
        return any(link.statistics().messages for link in (self, *self._peers))

    def _gate(self) -> HostGate:
        return HostGate.of(urlsplit(self._url).hostname or "")

    def tell(self, kind: type[lifecycle.LinkEvent], **what: Any) -> None:
        """Announce an event of the current session."""
        event = kind(link=self.name, session=self.session, time_ns=self._settings.now_ns(), **what)
        self._owner.announce(cast("lifecycle.Lifecycle", event))

    def _enter(self, state: State) -> None:
        self.state = enter(self.state, state)
        self._owner.link_changed()

    def _wanted_changed(self) -> None:
        if self.subscriptions:
            self._wanted.set()
        if self._current is not None:
            if self.state == "streaming":
                self._enter("subscribing")
            self._current.wanted_changed()

    @property
    def connected(self) -> bool:
        """Whether a connection carries all wanted streams, and is not about to end."""
        current = self._current
        return self.state == "streaming" and current is not None and current.reason is None

    @property
    def interrupted(self) -> bool:
        """Whether a wanted stream has no connection, or one that is about to end."""
        if self._leaving or self.state == "ended" or not self.subscriptions:
            return False
        return not self.connected

    # Called by a session (`connector.link.session.SessionOwner`).

    def twins_carry_on(self) -> bool:
        return self._twins.carry_on()

    def refused(self, refusal: Refusal) -> None:
        subscription = refusal.subscription
        error = refusal.error(self._exchange)
        self.unwant(subscription)
        subscription.reject(error)
        self._owner.rejected(subscription)
        self.tell(lifecycle.Rejected, error=error)

    def noticed(self, notice: Shutdown | DecodeError) -> None:
        if isinstance(notice, Shutdown):
            self.tell(lifecycle.ShutdownAnnounced, detail=notice.reason)
        else:
            self._owner.announce(notice)

    def converged(self) -> None:
        self._enter("streaming")
        self.tell(lifecycle.Subscribed, streams=len(self.subscriptions))

    def stale(self, subscription: Subscription, seconds: float, *, resubscribing: bool) -> None:
        self.tell(
            lifecycle.Stale,
            stream=subscription.name,
            channel=subscription.stream.channel,
            silent_seconds=seconds,
            resubscribing=resubscribing,
        )
        if resubscribing and self._current is not None:
            delivery = self._current.delivery
            subscription.lose("resubscribed", delivery.received_ns, session=delivery.session)

    def doubts(self, subscription: Subscription) -> None:
        self._owner.doubts(self, subscription)

    # The results of looking up a silent symbol.

    def find_unknown(self, subscription: Subscription, message: str) -> None:
        """The exchange does not list the symbol, although it acknowledged the stream."""
        self.refused(Refusal(subscription, "unknown symbol", message))

    def find_halted(self, subscription: Subscription, status: str) -> None:
        """The exchange lists the symbol as not traded, so its silence is not a fault."""
        subscription.halted = True
        subscription.silent_seconds = None
        self.tell(
            lifecycle.NotTrading,
            stream=subscription.name,
            channel=subscription.stream.channel,
            status=status,
        )

    def sockets_open(self) -> int:
        """The number of open descriptors."""
        return sum(map(is_open, self.sockets))

    def _lag_seconds(self) -> float | None:
        event = None if self._current is None else self._current.delivery.timed
        moment = None if event is None else event.exchange_time_ns
        if event is None or moment is None:
            return None
        return (event.received_ns - moment) / NS_PER_SECOND

    def statistics(self) -> LinkStatistics:
        """Counts over all sessions, including the current one."""
        totals = attrs.evolve(self._totals)
        if self._current is not None:
            totals.add(self._current, self._carrier)
        return LinkStatistics(
            name=self.name,
            route=self.route,
            state=self.state,
            session=self.session,
            streams=len(self.subscriptions),
            tasks=0 if self._task is None else count_family(self._task),
            sockets_open=self.sockets_open(),
            sessions_open=int(self._current is not None),
            sessions_opened=self.sessions_opened,
            reconnects=dict(self.reconnects),
            lag_seconds=self._lag_seconds(),
            **attrs.asdict(totals),
        )
