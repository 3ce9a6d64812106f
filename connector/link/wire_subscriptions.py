"""What the exchange has been asked for on one connection, converging to what is wanted.

Pure bookkeeping: it says what to ask next and reads the replies. For each stream:

.. code-block:: text

    wanted      ── request ──▶ asked ── accepted ──▶ on the wire
       ▲                         │                        │
       │                         │ refused                │ no longer wanted, or to be refreshed
       │                         ▼                        ▼
       └──────────── halves, until one is alone      unsubscribing ── reply ──▶ gone

A request that is refused as a whole does not say which stream was at fault, so it is halved until
the guilty one stands alone: that one is rejected, the others live.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from connector.exchanges.protocol import Exchange, Reply
from connector.feeds.subscription import Subscription


@attrs.frozen
class Request:
    """A request on its way to the exchange."""

    request_id: int
    subscribes: bool
    subscriptions: tuple[Subscription, ...]
    text: str


@attrs.frozen
class Refusal:
    """A stream that the exchange does not give."""

    subscription: Subscription
    code: int | str | None
    message: str


class Wire:
    """The subscriptions of one connection."""

    def __init__(self, exchange: Exchange, wanted: Mapping[bytes, Subscription]) -> None:
        self._exchange = exchange
        self._wanted = wanted
        self._next_id = 1
        self._pending: dict[int, Request] = {}
        self._sent_at: dict[int, float] = {}
        self._asked: set[str] = set()
        self._halves: list[Sequence[Subscription]] = []
        self._refresh: set[str] = set()
        self.live: dict[str, Subscription] = {}
        """Streams that the exchange has acknowledged."""

    def next_request(self, now: float) -> Request | None:
        """What to ask next, counted as sent at `now`; None when there is nothing to ask."""
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
        """Whether `next_request` has something to ask."""
        return bool(self._surplus() or self._missing())

    def converged(self) -> bool:
        """Whether the wire equals what is wanted and no reply is outstanding."""
        return not self._pending and not self.has_work()

    def refresh(self, subscription: Subscription) -> bool:
        """Unsubscribe and subscribe again; False when that is under way already."""
        if subscription.name in self._refresh:
            return False
        self._refresh.add(subscription.name)
        return True

    def read(self, reply: Reply) -> list[Refusal]:
        """Take a reply; what it refuses. A reply to nothing we asked is ignored."""
        # Replies come in the order of the requests; an error may come without an id.
        request_id = reply.request_id
        if request_id is None and self._pending:
            request_id = next(iter(self._pending))
        request = self._pending.pop(request_id, None) if request_id is not None else None
        if request is None:
            return []
        del self._sent_at[request.request_id]
        self._asked.difference_update(each.name for each in request.subscriptions)
        if not request.subscribes:
            for subscription in request.subscriptions:
                self.live.pop(subscription.name, None)
                self._refresh.discard(subscription.name)
        elif reply.message is None:
            for subscription in request.subscriptions:
                self.live[subscription.name] = subscription
                subscription.acknowledged()
        elif len(request.subscriptions) == 1:
            return [Refusal(request.subscriptions[0], reply.code, reply.message)]
        else:
            middle = len(request.subscriptions) // 2
            self._halves += [request.subscriptions[:middle], request.subscriptions[middle:]]
        return []

    def oldest_unanswered(self) -> float | None:
        """When the oldest request without a reply was sent; None if there is none."""
        return min(self._sent_at.values(), default=None)

    def forgive(self, now: float) -> None:
        """Count waiting for replies from `now`: we were not reading."""
        self._sent_at = dict.fromkeys(self._sent_at, now)

    def _surplus(self) -> list[Subscription]:
        surplus = []
        for name, subscription in self.live.items():
            if name in self._asked:
                continue
            wanted = self._wanted.get(name.encode())
            if wanted is None or name in self._refresh:
                surplus.append(subscription)
            elif wanted is not subscription:
                # Given up and wanted again before the exchange was told: it never stopped.
                self.live[name] = wanted
                wanted.acknowledged()
        return surplus[: self._exchange.limits.streams_per_request]

    def _missing(self) -> list[Subscription]:
        limits = self._exchange.limits
        while self._halves:
            half = [each for each in self._halves[0] if self._is_missing(each)]
            if half:
                return half
            del self._halves[0]
        room = limits.streams_per_connection - len(self.live) - len(self._asked)
        missing = [each for each in self._wanted.values() if self._is_missing(each)]
        return missing[: max(min(room, limits.streams_per_request), 0)]

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
        request = Request(
            request_id=self._next_id,
            subscribes=subscribes,
            subscriptions=tuple(subscriptions),
            text=write(self._next_id, [each.stream for each in subscriptions]),
        )
        self._next_id += 1
        self._pending[request.request_id] = request
        self._sent_at[request.request_id] = now
        self._asked.update(each.name for each in subscriptions)
        return request
