"""`Session`: one connection of a link, from the completed handshake to its end.

A session subscribes to the desired streams and watches for silence. It ends when the link asks for
it, when the exchange announces a shutdown, or before the exchange's age limit. It never opens a
connection: after it has ended, the link opens the next one.
"""

from __future__ import annotations

import math
import random
from types import MappingProxyType
from typing import Protocol

import trio

from connector.errors import DecodeError, ExchangeUnavailable
from connector.exchanges.protocol import (
    Exchange,
    Heartbeat,
    Inbound,
    Question,
    Reply,
    Shutdown,
    Subscribed,
)
from connector.feeds.backpressure import Full
from connector.feeds.delivery import Delivery
from connector.feeds.subscription import Subscription
from connector.feeds.wakeup import Signal
from connector.link import planned_ends
from connector.link.pacing import Pace
from connector.link.silence import STALL_SECONDS, Silence
from connector.link.source import Carrier
from connector.link.wire_subscriptions import Refusal, Wire

REASONS = {
    "unavailable": "could not be reached, or broke off before the handshake was complete",
    "rejected": "answered the handshake with another HTTP status than 101",
    "closed": "the exchange sent a close frame",
    "eof": "the exchange closed the TCP connection without a close frame",
    "reset": "the TCP connection was reset",
    "protocol error": "the exchange sent something that is not WebSocket, or not UTF-8",
    "too big": "the exchange sent a message over the size limit",
    "error": "something else broke the connection",
    "stale": "no data for longer than the limit",
    "no reply": "a request was not answered",
    "shutdown": "the exchange announced its end",
    "age": "the end of the exchange's connection life was near",
    "idle": "nothing was subscribed, and the exchange was about to close the connection",
    "requested": "`Adapter.reconnect` was called",
    "left": "the adapter's block was left",
    "ended": "the adapter's source has no more",
}
"""Why a session ended: the `reason` of `Disconnected`, the key of `reconnects` in statistics."""

_REPLY_SECONDS = 10.0
"""The exchange answers a request within this time; binance_spot §8 gives up after the same."""
_PROBE_AFTER_SECONDS = 30.0
"""After this time without any message, when silence is allowed, the session sends a ping."""
_PROBE_SECONDS = 10.0
_ANSWER_TICK_SECONDS = 0.25
_SHUTDOWN_JITTER_SECONDS = (0.5, 3.0)
"""The official SDK leaves about 5 s after the announcement (binance_spot §4)."""
_AGE_MARGIN_SECONDS = (300.0, 900.0)
"""How long before the exchange's limit a session ends itself."""
_QUIET_WAIT_SECONDS = MappingProxyType({"age": 10.0, "shutdown": 1.0})
"""How long a planned end may wait for a moment without data."""
_TICK_SECONDS = (0.02, 1.0)
_IDLE_SHARE = 0.8
"""Share of the exchange's idle limit after which an idle session ends itself."""
_LATER_SECONDS = (1.0, 32.0)
"""First and longest pause of requests after the exchange answers "not now"."""
_SHUTDOWN_TICK_SECONDS = 0.25
"""Twins take turns within the seconds that an announcement leaves."""


class SessionOwner(Protocol):
    """The methods of the link that a session calls."""

    def refused(self, refusal: Refusal) -> None:
        """The exchange refuses a stream."""

    def noticed(self, notice: Shutdown | DecodeError) -> None:
        """An announcement, or a frame that does not decode."""

    def converged(self) -> None:
        """The exchange sends exactly the desired streams."""

    def stale(self, subscription: Subscription, seconds: float, *, resubscribing: bool) -> None:
        """A stream is silent for too long."""

    def doubts(self, subscription: Subscription) -> None:
        """A stream has brought nothing for so long that its symbol should be looked up."""

    def twins_carry_on(self) -> bool:
        """Whether no link with the same streams is interrupted (`connector.link.planned_ends`)."""
        ...


class Session:
    """The life of one connection after its handshake.

    Args:
        exchange: writes requests and parses frames.
        number: the session's number in its link.
        wanted: the link's subscriptions, shared with it.
        full: the link's buffers that are full, shared with it.
        owner: the link; the session reports to it.
        stale_after: seconds, or None for each stream's own limit.
    """

    def __init__(
        self,
        exchange: Exchange,
        number: int,
        wanted: dict[bytes, Subscription],
        full: Full,
        *,
        owner: SessionOwner,
        stale_after: float | None,
    ) -> None:
        self.number = number
        self.delivery = Delivery(exchange, number, wanted, full, self)
        self.wire = Wire(exchange, wanted)
        self.decode_errors = 0
        self.unknown_messages = 0
        self.reason: str | None = None
        self.detail = ""
        self._wanted = wanted
        self._owner = owner
        self._stale_after = stale_after
        self._scope: trio.CancelScope | None = None
        """What is left when the session ends; None before it begins."""
        self._work = Signal()
        self._asking = False
        """Whether a task is sending requests for the wanted streams."""
        self._probing = False
        """Whether a task waits for the answer to a ping."""
        self._heard_bytes = 0
        self._heard_at = trio.current_time()
        """Time of the last check that found more than `_heard_bytes`."""
        self._looked_at = -1
        """Number of messages at the last check for quiet."""
        self._converged = False
        """Whether the owner was notified of convergence since the wanted streams last changed."""
        self._pace = Pace(exchange.limits.requests_per_second, exchange.limits.requests_per_hour)
        self._liveness = exchange.liveness
        self._to_send = list(exchange.liveness.greeting)
        """Messages to send that are not requests for streams."""
        self._sending = False
        """Whether a task is sending them."""
        self._idle_since = now = trio.current_time()
        self._ping_at = now + (self._liveness.ping_seconds or math.inf)
        self._not_before = -math.inf
        """Time until which no request is sent, because the exchange has answered "not now"."""
        self._postponed = 0
        self._end_at = now + exchange.limits.lifetime_seconds - random.uniform(*_AGE_MARGIN_SECONDS)
        self._end_reason = "age"

    def end(self, reason: str, detail: str = "") -> None:
        """End the session; the first reason counts."""
        if self.reason is None:
            self.reason, self.detail = reason, detail
            if self._scope is not None:
                self._scope.cancel()

    def wanted_changed(self) -> None:
        """The set of wanted subscriptions has changed."""
        # Report convergence again even without a new request: a dropped stream may be wanted anew.
        self._converged = False
        self._work.set()

    @trio.lowlevel.enable_ki_protection  # as `connector.feeds.wakeup.Waking.wait`
    async def run(self, carrier: Carrier) -> None:
        """Run the session until it ends; then `reason` and `detail` contain the cause.

        Cancellation: nothing is left running; `reason` stays None.
        """
        # Requests and pings have tasks only while there is work: an idle task would cost memory.
        silence = Silence(self._stale_after, trio.current_time())
        self._heard_bytes, self._heard_at = carrier.wire_bytes, trio.current_time()
        async with trio.open_nursery() as nursery:
            self._scope = nursery.cancel_scope
            if self.reason is not None:
                self._scope.cancel()
            nursery.start_soon(self._receive, carrier)
            self._work.set()
            look_at = trio.current_time() + self._tick(silence)
            while True:
                if self._work.is_set:
                    self._work.clear()
                    silence.forget_all_but(self._wanted)
                    if self._to_send and not self._sending:
                        self._sending = True
                        nursery.start_soon(self._send, carrier)
                    if self.wire.has_work() and not (self._asking or self._sending):
                        self._asking = True
                        nursery.start_soon(self._converge, carrier)
                    self._tell_if_converged()
                with trio.move_on_at(look_at if carrier.watched else math.inf):
                    await self._work.wait()
                    continue
                self._forgive_stall(silence, trio.current_time() - look_at)
                self._look(carrier, silence)
                if self._must_probe(carrier):
                    self._probing = True
                    nursery.start_soon(self._probe, carrier)
                look_at = trio.current_time() + self._tick(silence)

    async def _receive(self, carrier: Carrier) -> None:
        """Receive until the connection is over."""
        ended = await carrier.run()
        self.end(ended.reason, ended.text or "")

    async def _send(self, carrier: Carrier) -> None:
        """Send messages that are not requests for streams, below the exchange's message rate."""
        while self._to_send:
            await self._pace.turn()
            text = self._to_send.pop(0)
            try:
                await carrier.send(text)
                if text == self._liveness.ping and self._liveness.also_websocket_ping:
                    with trio.move_on_after(_PROBE_SECONDS):
                        await carrier.ping()
            except ExchangeUnavailable:
                return  # `Carrier.run` knows better why
        self._sending = False
        self._work.set()

    async def _converge(self, carrier: Carrier) -> None:
        """Subscribe to the desired streams, below the exchange's message rate."""
        while self.wire.has_work():
            self._converged = False
            if carrier.watched:
                if self._not_before > trio.current_time():
                    await trio.sleep_until(self._not_before)
                await self._pace.turn(request=True)
            else:
                await trio.lowlevel.checkpoint()
            request = self.wire.next_request(trio.current_time())
            if request is not None:
                try:
                    reply = await carrier.ask(request)
                except ExchangeUnavailable:
                    return  # `Carrier.run` knows better why
                if reply is not None:
                    self.read_message(reply)
        self._asking = False
        self._tell_if_converged()

    def _tell_if_converged(self) -> None:
        if not self._converged and self.wire.converged():
            self._converged = True
            self._owner.converged()

    def _look(self, carrier: Carrier, silence: Silence) -> None:
        """End the session when it is silent, unanswered, or due."""
        reply_seconds = min(_REPLY_SECONDS, self._stale_after or _REPLY_SECONDS)
        now = trio.current_time()
        if carrier.blocked:
            silence.forgive(now)
            self.wire.forgive(now)
            return
        self._check_silence(silence, now)
        unanswered = self.wire.oldest_unanswered()
        if unanswered is not None and now - unanswered >= reply_seconds:
            meaning = self._liveness.unanswered if self._heard_at > unanswered else "reconnect"
            refused, broken = self.wire.give_up_unanswered(now - reply_seconds, meaning)
            self._refuse(refused)
            if broken:
                self.end("no reply", f"a request was not answered in {reply_seconds:g} s")
        if self._wanted or self.wire.live:
            self._idle_since = now
        idle_seconds = self._liveness.idle_seconds
        if idle_seconds is not None and now - self._idle_since >= idle_seconds * _IDLE_SHARE:
            self.end("idle")
        if now >= self._ping_at and self._liveness.ping is not None:
            self._ping_at = now + (self._liveness.ping_seconds or math.inf)
            self._to_send.append(self._liveness.ping)
            self._work.set()
        quiet = self.delivery.messages == self._looked_at
        self._looked_at = self.delivery.messages
        wait = 0.0 if quiet else _QUIET_WAIT_SECONDS[self._end_reason]
        if not self._owner.twins_carry_on():
            wait = planned_ends.PATIENCE_SECONDS[self._end_reason]
        if now >= self._end_at + wait:
            self.end(self._end_reason)

    def _forgive_stall(self, silence: Silence, late: float) -> None:
        """Do not count time in which the program did not run, as its messages are still unread."""
        now = trio.current_time()
        silence.forgive_stall(now, late)
        if late >= STALL_SECONDS:
            self.wire.forgive(now)
            self._heard_at = now

    def _tick(self, silence: Silence) -> float:
        limits = [silence.limit(each) for each in self._wanted.values()]
        shortest = min((limit for limit in limits if limit is not None), default=math.inf)
        low, high = _TICK_SECONDS
        if self._end_reason == "shutdown":
            high = _SHUTDOWN_TICK_SECONDS
        return min(max(shortest / 4, low), high)

    def _check_silence(self, silence: Silence, now: float) -> None:
        found = silence.check(now, self.wire.live.values(), self.delivery.messages)
        for doubtful in silence.doubtful:
            self._owner.doubts(doubtful)
        for silent in found:
            subscription = silent.subscription
            resubscribing = not silent.hopeless and self.wire.refresh(subscription)
            self._owner.stale(subscription, silent.seconds, resubscribing=resubscribing)
            if resubscribing:
                self._work.set()
                continue
            silence.lose_patience(silent)
            self.end("stale", f"no data of {subscription.name} for {silent.seconds:.3g} s")

    def _must_probe(self, carrier: Carrier) -> bool:
        """Whether nothing has been read for long: the market is quiet, or the peer is dead."""
        now = trio.current_time()
        if carrier.wire_bytes != self._heard_bytes:
            self._heard_bytes, self._heard_at = carrier.wire_bytes, now
        quiet_seconds = now - self._heard_at
        dead_after = self._liveness.silence_seconds
        if dead_after is not None and quiet_seconds >= dead_after and not carrier.blocked:
            self.end("stale", f"nothing at all for {quiet_seconds:.3g} s")
        return not (self._probing or carrier.blocked) and quiet_seconds >= _PROBE_AFTER_SECONDS

    async def _probe(self, carrier: Carrier) -> None:
        """Ping, and end the session if nothing arrives."""
        heard_bytes = carrier.wire_bytes
        await self._pace.turn()
        late = math.inf
        while late >= STALL_SECONDS and carrier.wire_bytes == heard_bytes:
            with trio.move_on_after(_PROBE_SECONDS) as limit:
                try:
                    if self._liveness.ping is None:
                        await carrier.ping()
                    else:
                        await carrier.send(self._liveness.ping)
                        await self._wait_for_bytes(carrier, heard_bytes)
                except ExchangeUnavailable:
                    return
            # Woken late, the session may have unread messages: ping once more.
            late = trio.current_time() - limit.deadline if limit.cancelled_caught else 0.0
        if carrier.wire_bytes == heard_bytes and not carrier.blocked:
            self.end("stale", f"no answer to a ping in {_PROBE_SECONDS:g} s")
        self._probing = False

    @staticmethod
    async def _wait_for_bytes(carrier: Carrier, heard_bytes: int) -> None:
        while carrier.wire_bytes == heard_bytes:  # noqa: ASYNC110  # no event: bytes are counted
            await trio.sleep(_ANSWER_TICK_SECONDS)

    def read_message(self, message: Inbound) -> None:
        """Process a message that is not data of a stream."""
        if isinstance(message, Reply | Subscribed):
            self._pace_replies(message)
            self._refuse(self.wire.read(message))
        elif isinstance(message, Question):
            self._to_send.insert(0, message.answer)
            self._work.set()
        elif isinstance(message, Heartbeat):
            pass  # its bytes are counted
        elif isinstance(message, Shutdown):
            self._owner.noticed(message)
            self._end_at = min(
                self._end_at, trio.current_time() + random.uniform(*_SHUTDOWN_JITTER_SECONDS)
            )
            self._end_reason = "shutdown"
        else:
            self.unknown_messages += 1

    def _refuse(self, refusals: list[Refusal]) -> None:
        for refusal in refusals:
            self._owner.refused(refusal)
        self._work.set()

    def _pace_replies(self, reply: Reply | Subscribed) -> None:
        """Send requests more slowly after the exchange answers "not now"."""
        if not isinstance(reply, Reply) or reply.refusal != "later":
            self._postponed = 0
            return
        first, most = _LATER_SECONDS
        self._not_before = trio.current_time() + min(first * 2**self._postponed, most)
        self._postponed += 1

    def resubscribe(self, subscription: Subscription) -> bool:
        """Resubscribe a stream; False if this is in progress, or it is not subscribed yet."""
        if subscription.name not in self.wire.live or not self.wire.refresh(subscription):
            return False
        self._work.set()
        return True

    def read_undecodable(self, error: DecodeError) -> None:
        """Process a frame that does not decode."""
        self.decode_errors += 1
        self._owner.noticed(error)
