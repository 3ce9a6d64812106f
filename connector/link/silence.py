"""Detect streams that are silent for too long, and choose a remedy: resubscribe or reconnect.

Pure bookkeeping over message counters, so it costs nothing per message. Each stream has its own
clock and limit. Pings and pongs are not data. Time during which we did not read (back-pressure, or
a suspended process) is not silence (DESIGN §5, INVARIANTS I7).

The first remedy concerns only the silent stream:

.. code-block:: text

    longer than its limit, or than three times its own pace
      ├─ other streams are silent too ──────────────────────────▶ a new connection
      └─ others have data ──▶ subscribe again ─▶ still silent ──┬─ so are others that had data
                                                                ├─ far beyond its own pace
                                                                │        └▶ a new connection
                                                                ├─ its pace is unknown: try again,
                                                                │  at growing intervals
                                                                └─ it is not traded: nothing
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from connector.feeds.subscription import Subscription

STALL_SECONDS = 1.0
"""A check that runs this late was delayed by a stopped process or a blocked loop: the socket is
read before any stream is judged."""
_MAX_PATIENCE = 8.0
_MAX_PATIENCE_OTHERS_LIVE = 256.0
"""Higher, because each reconnect costs the live streams a gap: 85 minutes for a book of 100 ms."""
_PACES = 3.0
"""A stream may be silent for this many times its longest pause between data."""
_MOST_PACES_LIMITS = 64.0
"""A pace lengthens a limit by at most this factor."""
_PACES_FAR = 20.0
"""A stream that is silent for this many times its longest pause is broken."""
_PACE_FADES = 0.99
"""Factor on the longest pause at each check that finds data, so that exceptions fade."""
_KNOWN_AFTER = 10
"""Number of checks with data after which a stream's pace is known."""
_DOUBT_SECONDS = 60.0
"""A stream without data for this time may not exist."""


@attrs.define
class _Clock:
    """How long one stream has been silent."""

    subscription: Subscription
    messages: int
    """Its messages at the last check."""
    since: float
    """Time of the last data, acknowledgement or remedy."""
    heard: float
    """Time of the last data on this connection, or of the first acknowledgement."""
    checked: int
    """Number of the last check that saw it live."""
    resubscribed: bool = False
    """Whether it was subscribed again since its last data."""
    doubted: bool = False
    """Whether its symbol is being looked up."""


@attrs.frozen
class Silent:
    """A stream that has been silent for too long."""

    subscription: Subscription
    seconds: float
    hopeless: bool
    """Whether only a new connection can help; otherwise a new subscription may."""
    others_live: bool
    """Whether other streams of the connection had data after this one."""


class Silence:
    """The clocks of one connection.

    Args:
        stale_after: seconds, for every stream; None for each stream's own limit.
    """

    __slots__ = (
        "_checks", "_clocks", "_last_data", "_messages", "_stale_after", "doubtful",
    )  # fmt: skip

    def __init__(self, stale_after: float | None, now: float) -> None:
        self._stale_after = stale_after
        self._clocks: dict[str, _Clock] = {}
        self._checks = 0
        self._messages = 0
        self._last_data = now
        self.doubtful: list[Subscription] = []
        """Streams whose symbol should be looked up, found by the last check."""

    def limit(self, subscription: Subscription) -> float | None:
        """Allowed silence of `subscription` in seconds, before its pace; None if unlimited."""
        limit = self._stale_after or subscription.stream.silence_seconds
        return limit * subscription.patience if limit is not None else None

    def check(self, now: float, live: Iterable[Subscription], messages: int) -> list[Silent]:
        """Find streams that are silent for too long at `now` and have a remedy.

        Args:
            live: the streams that the exchange has acknowledged.
            messages: number of stream messages on the connection so far.
        """
        if messages != self._messages:
            self._messages, self._last_data = messages, now
        self._checks += 1
        self.doubtful = []
        silent: list[Silent] = []
        tried: list[tuple[_Clock, float]] = []
        for subscription in live:
            clock = self._clock(subscription, now)
            if subscription.messages != clock.messages:
                self._hear(clock, now)
                continue
            limit = self.limit(subscription)
            if subscription.halted:
                continue
            if not subscription.messages and self._is_unheard(subscription, now):
                self.doubtful.append(subscription)
            if limit is None or now - clock.since < limit:
                continue
            alone = self._is_alone(clock, now, limit)
            if not alone or self._stale_after is None:
                limit = self._learnt(subscription, limit)
                alone = self._is_alone(clock, now, limit)
            if now - clock.since < limit:
                continue
            subscription.silent_seconds = now - clock.heard
            if alone or not clock.resubscribed:
                others_live = self._last_data > clock.since
                silent.append(Silent(subscription, now - clock.heard, alone, others_live))
                clock.since, clock.resubscribed = now, True
            elif subscription.heard_times >= _KNOWN_AFTER:
                tried.append((clock, limit))
            else:
                self._try_again(clock, now, silent)
        return silent + self._given_up(tried, now)

    def forget_all_but(self, wanted: Mapping[bytes, Subscription]) -> None:
        """Drop the clocks of streams that are not wanted any more."""
        for name, clock in tuple(self._clocks.items()):
            if wanted.get(name.encode()) is not clock.subscription:
                del self._clocks[name]
        self.doubtful = []

    def forgive(self, now: float) -> None:
        """Restart every clock, because the link was not reading."""
        self._last_data = now
        for clock in self._clocks.values():
            clock.since = clock.heard = now
            clock.subscription.unheard_since = None

    def forgive_stall(self, now: float, seconds: float) -> None:
        """Do not count `seconds` before `now`, in which the program did not run."""
        if seconds >= STALL_SECONDS:
            self.forgive(now)
            return
        self._last_data = min(self._last_data + seconds, now)
        for clock in self._clocks.values():
            clock.since = min(clock.since + seconds, now)
            clock.heard = min(clock.heard + seconds, now)

    def lose_patience(self, silent: Silent) -> None:
        """Double the patience for this stream, because a reconnect follows.

        A market that is quieter than its limit, or a stream that has ended for good (a delisted
        symbol), must not cause a reconnect loop. Data resets it. A limit that the user chose holds
        as long as the whole connection is silent.
        """
        subscription = silent.subscription
        rare = silent.others_live or subscription.listed
        most = _MAX_PATIENCE_OTHERS_LIVE if rare else _MAX_PATIENCE
        if (self._stale_after is None or silent.others_live) and subscription.patience < most:
            subscription.patience *= 2

    def _clock(self, subscription: Subscription, now: float) -> _Clock:
        """The clock of `subscription`, which begins with its acknowledgement."""
        clock = self._clocks.get(subscription.name)
        if clock is None or clock.subscription is not subscription:
            clock = _Clock(subscription, subscription.messages, now, now, self._checks)
            self._clocks[subscription.name] = clock
        elif clock.checked < self._checks - 1:
            # It was not live the last time: this is a new acknowledgement.
            clock.since = now
        clock.checked = self._checks
        return clock

    def _hear(self, clock: _Clock, now: float) -> None:
        """Learn the pace of a stream from new data."""
        subscription = clock.subscription
        subscription.heard_times += 1
        if not subscription.halted:
            subscription.pace = max(now - clock.heard, subscription.pace * _PACE_FADES)
        clock.messages, clock.since, clock.heard = subscription.messages, now, now
        clock.resubscribed = clock.doubted = subscription.halted = False
        subscription.patience = 1.0
        subscription.silent_seconds = None

    def _is_unheard(self, subscription: Subscription, now: float) -> bool:
        """Whether it has been without data long enough to be looked up; true once."""
        if subscription.unheard_since is None:
            subscription.unheard_since = now
        return now - subscription.unheard_since >= _DOUBT_SECONDS and not subscription.listed

    def _learnt(self, subscription: Subscription, limit: float) -> float:
        """The limit, lengthened for a stream with rare data."""
        return max(limit, min(_PACES * subscription.pace, _MOST_PACES_LIMITS * limit))

    def _is_alone(self, clock: _Clock, now: float, limit: float) -> bool:
        """Whether the other streams are silent too; a quiet stream may have had the last data."""
        return self._last_data <= clock.since or self._last_data <= now - limit / 2

    def _try_again(self, clock: _Clock, now: float, silent: list[Silent]) -> None:
        """Resubscribe a stream with an unknown pace, at growing intervals."""
        silent.append(Silent(clock.subscription, now - clock.heard, False, True))
        clock.since = now
        if clock.subscription.messages:
            self._doubt_once(clock)
        if clock.subscription.patience < _MAX_PATIENCE_OTHERS_LIVE:
            clock.subscription.patience *= 2

    def _given_up(self, tried: list[tuple[_Clock, float]], now: float) -> list[Silent]:
        """The streams still silent after a new subscription that a new connection may help."""
        several = len(tried) > 1
        silent = []
        for clock, limit in tried:
            subscription, seconds = clock.subscription, now - clock.heard
            if several or seconds >= max(2 * limit, _PACES_FAR * subscription.pace):
                silent.append(Silent(subscription, seconds, True, True))
                clock.since = now
            else:
                self._doubt_once(clock)
        return silent

    def _doubt_once(self, clock: _Clock) -> None:
        """Request once to look up whether a stream that had data is still traded."""
        if not clock.doubted:
            clock.doubted = True
            self.doubtful.append(clock.subscription)
