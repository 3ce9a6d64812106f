"""Track the subscriptions of one connection, and compute the requests that are still needed.

Pure bookkeeping: it returns the next request and reads the replies. For each stream:

.. code-block:: text

    wanted      ── request ──▶ asked ── accepted ──▶ on the wire
       ▲                         │                        │
       │                         │ refused                │ no longer wanted, or to be refreshed
       │                         ▼                        ▼
       └──────────── halves, until one is alone      unsubscribing ── reply ──▶ gone

An exchange answers a request as a whole, or each of its streams
(`connector.exchanges.protocol.Reply`). If it refuses a whole request, the reply does not identify
the invalid stream. The request is then split in halves until the invalid stream is alone: only this
stream is rejected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import attrs

from connector.errors import SubscriptionRejected
from connector.exchanges.protocol import Exchange, Reply, Subscribed
from connector.feeds.subscription import Subscription


@attrs.frozen
class Request:
    """A request to send to the exchange."""

    request_id: int
    subscribes: bool
    """True to subscribe, False to unsubscribe."""
    subscriptions: tuple[Subscription, ...]
    text: str
    """The message as the exchange expects it."""


@attrs.define
class _Pending:
    """A request without a complete answer."""

    request: Request
    sent_at: float
    """Time of sending, by trio's clock."""
    left: dict[str, Subscription]
    """Its streams without an answer, by name."""
    answers_before: int
    """Number of outstanding answers to earlier messages, if answers do not name their request."""

    @property
    def had_its_turn(self) -> bool:
        """Whether the exchange has answered it, even if only for some of its streams."""
        return self.answers_before < 0


_UNANSWERED = "the exchange did not acknowledge it"


@attrs.frozen
class Refusal:
    """A stream that the exchange refuses."""

    subscription: Subscription
    code: int | str | None
    """The exchange's own code, if it sent one."""
    message: str

    def error(self, exchange: Exchange) -> SubscriptionRejected:
        """The error that the feeds of the stream raise."""
        channel = self.subscription.stream.channel
        symbol = getattr(channel, "symbol", None)
        hint = exchange.symbol_form.hint(symbol, exchange.name) if symbol else ""
        return SubscriptionRejected(channel, self.code, self.message, hint)


class Wire:
    """The subscriptions of one connection."""

    __slots__ = (
        "_asked", "_exchange", "_halves", "_lists", "_next_id", "_pending", "_refresh",
        "_unanswered", "_wanted", "live",
    )  # fmt: skip

    def __init__(self, exchange: Exchange, wanted: Mapping[bytes, Subscription]) -> None:
        self._exchange = exchange
        self._wanted = wanted
        self._next_id = 1
        self._pending: dict[int, _Pending] = {}
        self._asked: dict[str, None] = {}
        """An ordered set, as empty as a link at rest has it: a set would be larger."""
        self._halves: list[Sequence[Subscription]] = []
        self._refresh: dict[str, None] = {}
        """An ordered set."""
        self._lists = exchange.liveness.unanswered == "omitted"
        """Whether the exchange answers each message with a list of all subscriptions or a
        refusal."""
        self._unanswered = len(exchange.liveness.greeting)
        """Number of messages without such an answer."""
        self.live: dict[str, Subscription] = {}
        """Streams that the exchange has acknowledged."""

    def next_request(self, now: float) -> Request | None:
        """Return the next request, counted as sent at `now`; None if none is needed."""
        surplus = self._surplus()
        if surplus:
            return self._ask(now, subscribes=False, subscriptions=surplus)
        missing = self._missing()
        if missing:
            # `_missing` says the first half as long as there are any.
            del self._halves[:1]
            return self._ask(now, subscribes=True, subscriptions=missing)
        return None

    def has_work(self) -> bool:
        """Whether `next_request` has a request."""
        return bool(self._surplus() or self._missing())

    def converged(self) -> bool:
        """Whether the exchange sends the desired streams and no reply is outstanding."""
        return not self._pending and not self.has_work()

    def refresh(self, subscription: Subscription) -> bool:
        """Unsubscribe and subscribe again; False if this is in progress already."""
        if subscription.name in self._refresh:
            return False
        self._refresh[subscription.name] = None
        return True

    def read(self, reply: Reply | Subscribed) -> list[Refusal]:
        """Process a reply, and return what it refuses. Ignore a reply to an unknown request."""
        if isinstance(reply, Subscribed):
            return self._read_state(reply.streams)
        pending = self._pending_of(reply)
        if self._lists and reply.request_id is None and reply.streams is None:
            self._count_answer()
        if pending is None:
            return []
        named = pending.left if reply.streams is None else reply.streams
        if reply.message is not None and pending.left.keys().isdisjoint(named):
            # The exchange spells its streams differently: any one of them may be meant.
            reply = attrs.evolve(reply, streams=None, others="wait")
            named = pending.left
        about = [pending.left.pop(name) for name in tuple(named) if name in pending.left]
        others = list(pending.left.values()) if reply.others != "wait" else []
        for each in others:
            del pending.left[each.name]
        self._settle(pending)
        self._answered((*about, *others))
        refused = []
        if reply.others == "refused":
            refused = [Refusal(each, reply.code, reply.message or _UNANSWERED) for each in others]
        if not pending.request.subscribes:
            if reply.refusal != "later":
                self._gone([*about, *others])
            return []
        named_or_one = reply.streams is not None or len(about) == 1
        if reply.message is None or (reply.refusal == "already" and named_or_one):
            self._accepted(about)
        elif reply.refusal == "later":
            pass  # they are missing as before
        elif named_or_one:
            refused += [Refusal(each, reply.code, reply.message) for each in about]
        elif about:
            self._halve(about)
        return refused

    def _halve(self, subscriptions: list[Subscription]) -> None:
        """Request one half, then the other."""
        middle = len(subscriptions) // 2
        self._halves += [subscriptions[:middle], subscriptions[middle:]]

    def give_up_unanswered(
        self, before: float, meaning: Literal["reconnect", "refused", "omitted"] = "refused"
    ) -> tuple[list[Refusal], bool]:
        """Give up requests that have been unanswered since `before`.

        Args:
            before: give up requests sent at this time or earlier.
            meaning: what it means, as `connector.exchanges.protocol.Liveness.unanswered`.

        Returns:
            The refusals, and whether something is broken.
        """
        refused, broken = [], False
        for pending in tuple(self._pending.values()):
            if pending.sent_at > before:
                continue
            if meaning == "reconnect" or (meaning == "omitted" and not pending.had_its_turn):
                broken = True
                continue
            streams = list(pending.left.values())
            pending.left.clear()
            self._settle(pending)
            self._answered(streams)
            if not pending.request.subscribes:
                self._gone(streams)
            elif meaning == "omitted" and len(streams) == len(pending.request.subscriptions) > 1:
                # No stream was accepted: perhaps one was bad, and the refusal was lost.
                self._halve(streams)
            else:
                refused += [Refusal(each, None, _UNANSWERED) for each in streams]
        return refused, broken

    def oldest_unanswered(self) -> float | None:
        """When the oldest request without a reply was sent; None if there is none."""
        return min((each.sent_at for each in self._pending.values()), default=None)

    def forgive(self, now: float) -> None:
        """Restart the wait for replies at `now`, because the link was not reading."""
        for pending in self._pending.values():
            pending.sent_at = now

    def _pending_of(self, reply: Reply) -> _Pending | None:
        """The request that `reply` answers."""
        if reply.request_id is not None:
            return self._pending.get(reply.request_id)
        # Replies come in the order of the requests; an error may come without an id.
        about = [
            pending
            for pending in self._pending.values()
            if reply.streams is None or not pending.left.keys().isdisjoint(reply.streams)
        ]
        # The rest of an answered request was omitted, so an error belongs to the next request.
        return next((each for each in about if not each.had_its_turn), about[0] if about else None)

    def _read_state(self, streams: frozenset[str]) -> list[Refusal]:
        """Process a list of all subscriptions: listed streams are accepted, others have ended."""
        self._count_answer()
        for pending in tuple(self._pending.values()):
            subscribes = pending.request.subscribes
            done = [each for name, each in pending.left.items() if (name in streams) is subscribes]
            for each in done:
                del pending.left[each.name]
            self._settle(pending)
            self._answered(done)
            (self._accepted if subscribes else self._gone)(done)
        return []

    def _count_answer(self) -> None:
        """The exchange has answered one more message, by a list or a refusal."""
        self._unanswered = max(self._unanswered - 1, 0)
        for pending in self._pending.values():
            pending.answers_before -= 1

    def _answered(self, subscriptions: Iterable[Subscription]) -> None:
        """Note that nothing is asked about them any more."""
        for each in subscriptions:
            self._asked.pop(each.name, None)
        if not self._asked:
            self._asked = {}

    def _settle(self, pending: _Pending) -> None:
        """Remove a request once all of its streams are answered."""
        if not pending.left:
            del self._pending[pending.request.request_id]
        if not self._pending:
            self._pending = {}  # a dict never gives back the room for what was in it

    def _accepted(self, subscriptions: Sequence[Subscription]) -> None:
        for subscription in subscriptions:
            self.live[subscription.name] = subscription
            subscription.acknowledged()

    def _gone(self, subscriptions: Sequence[Subscription]) -> None:
        for subscription in subscriptions:
            self.live.pop(subscription.name, None)
            self._refresh.pop(subscription.name, None)

    def _surplus(self) -> list[Subscription]:
        surplus = []
        for name, subscription in self.live.items():
            if name in self._asked:
                continue
            wanted = self._wanted.get(name.encode())
            if wanted is None or name in self._refresh:
                surplus.append(subscription)
            elif wanted is not subscription and wanted.stream.fold is not None:
                # Its messages contain changes since a snapshot, which the new one has not seen.
                surplus.append(subscription)
            elif wanted is not subscription:
                # Wanted again before the unsubscription was sent: the stream never stopped.
                self.live[name] = wanted
                wanted.acknowledged()
        return self._of_one_request(surplus)

    def _missing(self) -> list[Subscription]:
        limits = self._exchange.limits
        while self._halves:
            half = [each for each in self._halves[0] if self._is_missing(each)]
            if half:
                return half
            del self._halves[0]
        room = limits.streams_per_connection - len(self.live) - len(self._asked)
        missing = [each for each in self._wanted.values() if self._is_missing(each)]
        return self._of_one_request(missing)[: max(room, 0)]

    def _of_one_request(self, subscriptions: Sequence[Subscription]) -> list[Subscription]:
        """The first of `subscriptions`, with as many others as one request may have."""
        batch = subscriptions[0].stream.batch if subscriptions else ""
        together = [each for each in subscriptions if each.stream.batch == batch]
        return together[: self._exchange.limits.streams_per_request]

    def _is_missing(self, subscription: Subscription) -> bool:
        name = subscription.name
        return (
            name not in self.live
            and name not in self._asked
            and self._wanted.get(name.encode()) is subscription
        )

    def _ask(
        self, now: float, *, subscribes: bool, subscriptions: Sequence[Subscription]
    ) -> Request:
        write = self._exchange.subscribe if subscribes else self._exchange.unsubscribe
        most = self._exchange.limits.bytes_per_request
        text = write(self._next_id, [each.stream for each in subscriptions])
        while most is not None and len(subscriptions) > 1 and len(text.encode()) > most:
            subscriptions = subscriptions[: len(subscriptions) // 2]
            text = write(self._next_id, [each.stream for each in subscriptions])
        request = Request(
            request_id=self._next_id,
            subscribes=subscribes,
            subscriptions=tuple(subscriptions),
            text=text,
        )
        self._next_id += 1
        left = {each.name: each for each in subscriptions}
        self._pending[request.request_id] = _Pending(request, now, left, self._unanswered)
        self._unanswered += 1
        self._asked.update(dict.fromkeys(left))
        return request
