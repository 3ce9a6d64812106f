"""Silence is a fault, from the moment of the acknowledgement: who has been silent for too long.

Pure bookkeeping over message counters, so that watching costs nothing per message. Each stream has
a clock of its own against its limit; ping and pong are not data; time during which we did not read
(back-pressure) is not silence (DESIGN §5, INVARIANTS I7).
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from connector.feeds.subscription import Subscription

_MAX_PATIENCE = 8.0
_MAX_PATIENCE_OTHERS_LIVE = 256.0
"""Higher, because each reconnect costs the live streams a gap: 85 minutes for a book of 100 ms."""


@attrs.define
class _Clock:
    subscription: Subscription
    messages: int
    since: float
    checked: int
    resubscribed: bool = False


@attrs.frozen
class Silent:
    """A stream that has been silent for too long."""

    subscription: Subscription
    seconds: float
    hopeless: bool
    """Whether only a new connection can help: the whole connection is silent, for half of the
    limit at least, or subscribing again has not helped."""
    others_live: bool
    """Whether other streams of the connection brought data after this one."""


class Silence:
    """The clocks of one connection.

    Args:
        stale_after: seconds, for every stream; None for each stream's own limit.
    """

    def __init__(self, stale_after: float | None, now: float) -> None:
        self._stale_after = stale_after
        self._clocks: dict[str, _Clock] = {}
        self._checks = 0
        self._messages = 0
        self._last_data = now

    def limit(self, subscription: Subscription) -> float | None:
        """Seconds of silence that `subscription` is allowed; None for any time."""
        limit = self._stale_after or subscription.stream.silence_seconds
        return limit * subscription.patience if limit is not None else None

    def check(self, now: float, live: Iterable[Subscription], messages: int) -> list[Silent]:
        """Who is silent for too long at `now`.

        Args:
            live: the streams that the exchange has acknowledged.
            messages: how many messages of streams the connection has brought so far.
        """
        if messages != self._messages:
            self._messages, self._last_data = messages, now
        self._checks += 1
        silent = []
        for subscription in live:
            clock = self._clocks.get(subscription.name)
            if clock is None or clock.subscription is not subscription:
                clock = _Clock(subscription, subscription.messages, now, self._checks)
                self._clocks[subscription.name] = clock
            elif clock.checked < self._checks - 1:
                # It was not live the last time: this is a new acknowledgement.
                clock.since = now
            clock.checked = self._checks
            if subscription.messages != clock.messages:
                clock.messages, clock.since = subscription.messages, now
                clock.resubscribed = False
                subscription.patience = 1.0
                subscription.silent_seconds = None
                continue
            limit = self.limit(subscription)
            seconds = now - clock.since
            if limit is None or seconds < limit:
                continue
            others_live = self._last_data > clock.since
            subscription.silent_seconds = seconds
            # A quiet stream may have spoken last before the whole connection fell silent.
            connection_silent = self._last_data <= now - limit / 2
            hopeless = not others_live or connection_silent or clock.resubscribed
            silent.append(Silent(subscription, seconds, hopeless, others_live))
            clock.since, clock.resubscribed = now, True
        return silent

    def forgive(self, now: float) -> None:
        """Start every clock again: we were not reading."""
        self._last_data = now
        for clock in self._clocks.values():
            clock.since = now

    def lose_patience(self, silent: Silent) -> None:
        """A reconnect will follow: wait twice as long for this stream next time.

        A market that is quieter than its limit, or a stream that has ended for good (a delisted
        symbol), must not cause a reconnect loop. Data resets it. A limit that the user chose holds
        as long as the whole connection is silent.
        """
        subscription = silent.subscription
        most = _MAX_PATIENCE_OTHERS_LIVE if silent.others_live else _MAX_PATIENCE
        if (self._stale_after is None or silent.others_live) and subscription.patience < most:
            subscription.patience *= 2
