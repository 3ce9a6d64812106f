"""The buffers that never block a link: they drop the oldest events, conflate, or fail.

`connector.feeds.buffer` describes their common behaviour; `make_buffer` makes the buffer of a
policy.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, TypeVar, cast

from connector.channels import AnyChannel
from connector.errors import ConfigError, SlowConsumer
from connector.events import Event, Gap
from connector.feeds.backpressure import ROOM_BEFORE_ENTERED
from connector.feeds.buffer import Buffer, Gaps, Overflow
from connector.feeds.gap_markers import Sources, added, count_drop, joins, name_channels
from connector.feeds.late_decoding import Unread, read_all
from connector.inputs.validation import check_count

T = TypeVar("T")

_REPLACED = "conflated"
"""The reason of a gap for events that newer ones replaced."""


class _NeverFull(Buffer[T]):
    """A buffer that accepts every event, even if it is then lost."""

    def __init__(self, capacity: int, *, gaps: Gaps) -> None:
        super().__init__(capacity, gaps=gaps)
        self._sources = Sources()

    def room(self) -> int:
        return sys.maxsize

    def put_run(self, items: Sequence[T], stream: str) -> None:
        for item in items:
            self.put(item)


class DroppingBuffer(_NeverFull[T]):
    """Keeps the newest `capacity` events.

    The marker of dropped events is at the front. Suppose that events are dropped after the consumer
    has taken the marker and before it takes the next event: a second marker behind that event
    reports them. Otherwise a consumer that is slower than the drops would see only markers.
    """

    overflow = Overflow.DROP_OLDEST

    def __init__(self, capacity: int, *, gaps: Gaps) -> None:
        super().__init__(capacity, gaps=gaps)
        self._seen: dict[str, set[AnyChannel]] = {}
        """The markers that the consumer has taken since the last event: by reason, of what."""
        self._owed: dict[str, Gap] = {}
        """Markers by reason, for behind the next event."""

    def take(self) -> T | Gap:
        item = self.items.popleft()
        if type(item) is Gap:
            self._seen.setdefault(item.reason, set()).update(item.channels)
        elif self._seen:
            self._seen.clear()
            self.items.extendleft(self._owed.values())
            self._owed.clear()
        return item

    def take_all(self) -> list[T | Gap]:
        batch = [*self._owed.values(), *self.items]
        self._seen.clear()
        self._owed.clear()
        self.items.clear()
        return batch

    def put(self, item: T) -> None:
        if len(self.items) >= self.capacity:
            self._make_room()
        self.items.append(item)
        if self._waiter is not None:
            self.wake()

    def _make_room(self) -> None:
        items = self.items
        if not self.gaps_wanted:
            items.popleft()
            self.dropped += 1
            return
        markers: dict[str, Gap] = {}
        self._pop_markers(markers)
        if len(items) >= self.capacity:
            lost = items.popleft()
            self.dropped += 1
            channels = self._sources.of(lost, self.channels)
            # A loss that the consumer has been told of already, before the next event.
            seen = self._seen.get("overflow")
            owed = seen is not None and seen.issuperset(channels)
            if count_drop(self._owed if owed else markers, "overflow", channels, lost):
                self.gaps += 1
            self._pop_markers(markers)
        items.extendleft(reversed(markers.values()))

    def _pop_markers(self, markers: dict[str, Gap]) -> None:
        """Move the markers in front into `markers`, one per reason."""
        while self.items and isinstance(self.items[0], Gap):
            added(markers, cast("Gap", self.items.popleft()))


class ConflatingBuffer(_NeverFull[T]):
    """Keeps the newest event per stream and symbol, in the order in which they began to wait.

    There is one marker per reason. A marker of dropped or replaced events is at the front, as in a
    `DroppingBuffer`. A marker of a loss is behind the events put before the loss, so an event that
    replaces an older one moves behind the marker as well. If the same reason occurs again while its
    marker waits, the marker covers the events that are behind it by then. A second marker covers
    later events; it is appended when the first is taken.
    """

    overflow = Overflow.CONFLATE
    by_stream = True

    def __init__(self, capacity: int, *, gaps: Gaps) -> None:
        super().__init__(capacity, gaps=gaps)
        self._latest: OrderedDict[object, T | Gap | Unread] = OrderedDict()
        self.items = self._latest  # type: ignore[assignment]  # only its length and truth are used
        self._reasons: set[str] = set()
        """The reasons of all markers that wait or have waited."""
        self._seen: set[str] = set()
        self._owed: dict[str, Gap] = {}
        self._again: dict[str, Gap] = {}

    def take(self) -> T | Gap:
        """The next item; only when there is one.

        Raises:
            Unreadable: it was a frame that does not decode; the buffer reports the loss.
        """
        key, item = self._latest.popitem(last=False)
        if type(item) is Gap:
            self._seen.add(item.reason)
            if item.reason in self._again:
                self._latest[key] = self._again.pop(item.reason)
        elif self._seen:
            self._seen.clear()
            self._latest.update(self._owed)
            for reason in self._owed:
                self._stand_in_front(reason)
            self._owed.clear()
        return cast("T", item.read()) if type(item) is Unread else cast("T | Gap", item)

    def take_all(self) -> list[T | Gap]:
        batch = [*self._owed.values(), *self._latest.values(), *self._again.values()]
        for each in (self._owed, self._latest, self._again, self._seen):
            each.clear()
        return list(read_all(batch))

    async def wait(self) -> None:
        links = list(self._full_sets.values())
        for link in links:
            link.attend(self)
        try:
            await super().wait()
        finally:
            for link in links:
                link.waiting.pop(self, None)

    def oldest_ns(self) -> int:
        return getattr(next(iter(self._latest.values()), None), "received_ns", 0)

    def put(self, item: T) -> None:
        self._put((None, getattr(item, "symbol", None)), item)

    def put_run(self, items: Sequence[T], stream: str) -> None:
        for item in items:
            self._put((stream, item.symbol if isinstance(item, Event) else None), item)

    def put_unread(self, item: Unread, count: int) -> bool:
        """Put a run of `count` events of one stream and symbol, of which `item` is the last.

        Returns:
            Whether an event of the stream already waited, so the consumer does not keep up.
        """
        key = (item.stream, item.symbol)
        waited = key in self._latest
        self._put(key, item)
        if count > 1:
            # As if each had replaced the one before it.
            if self._waiting_markers():
                self._latest.move_to_end(key)
            self._count_loss(_REPLACED, item, count - 1)
        return waited

    def lose(self, gap: Gap) -> None:
        self.gaps += 1
        if not self.gaps_wanted or self.closed or joins(reversed(self._latest.values()), gap):
            return
        waiting = self._latest.get(gap.reason)
        if waiting is not None:
            # An event of the stream that comes before the marker is taken stands behind it.
            name_channels(cast("Gap", waiting), gap)
            added(self._again, gap)
            return
        self._reasons.add(gap.reason)
        self._latest[gap.reason] = gap
        self.wake()

    def withdraw(self, item: T) -> None:
        for key in [key for key, each in self._latest.items() if each is item]:
            del self._latest[key]

    def _put(self, key: object, item: T | Unread) -> None:
        latest = self._latest
        if key in latest:
            if self._waiting_markers():
                latest.move_to_end(key)
            # A view that waits shows the newest book by itself.
            if latest[key] is not item:
                self._count_loss(_REPLACED, latest[key])
        elif len(latest) >= self.capacity + self._waiting_markers():
            lost = latest.pop(next(each for each in latest if each not in self._reasons))
            self._count_loss("overflow", lost)
        latest[key] = item
        if self._waiter is not None:
            self.wake()

    def _waiting_markers(self) -> int:
        return len(self._latest.keys() & self._reasons) if self._reasons else 0

    def _count_loss(self, reason: str, lost: object, count: int = 1) -> None:
        if reason == _REPLACED:
            self.replaced += count
            if not self.all_gaps:
                return
        else:
            self.dropped += count
            if not self.gaps_wanted:
                return
        latest = self._latest
        owed = reason in self._seen and reason not in latest
        channels = self._sources.of(lost, self.channels)
        if count_drop(self._owed if owed else latest, reason, channels, lost, count):
            self.gaps += 1
            if not owed:
                self._stand_in_front(reason)

    def _stand_in_front(self, reason: str) -> None:
        self._reasons.add(reason)
        self._latest.move_to_end(reason, last=False)


class FailingBuffer(_NeverFull[T]):
    """Fails with `SlowConsumer` instead of losing events silently."""

    overflow = Overflow.FAIL

    def __init__(self, capacity: int, *, gaps: Gaps) -> None:
        super().__init__(capacity, gaps=gaps)
        self._failure: SlowConsumer | None = None
        self._most = capacity
        """Number of events that may wait: `capacity`, or the number that arrived before entry."""

    def put(self, item: T) -> None:
        if self._failure is not None and self._failure in self.errors:
            self.dropped += 1
        elif len(self.items) >= self._most and not self._grows():
            self.dropped += 1
            self._failure = SlowConsumer(
                f"the consumer did not keep up and {len(self.items)} events are waiting; read "
                "faster, enlarge buffer=, or choose another overflow policy"
            )
            self.fail(self._failure)
        else:
            if self._most > self.capacity > len(self.items):
                self._most = self.capacity  # what came too early has been read
            self.items.append(item)
            if self._waiter is not None:
                self.wake()

    def _grows(self) -> bool:
        """Whether one more event may wait, because the feed could not be read yet."""
        if not self.entering or len(self.items) >= ROOM_BEFORE_ENTERED:
            return False
        self._most = len(self.items) + 1
        return True


_KINDS: tuple[type[Buffer[Any]], ...] = (
    Buffer,
    DroppingBuffer,
    ConflatingBuffer,
    FailingBuffer,
)


def make_buffer(capacity: int, overflow: Overflow, *, gaps: Gaps) -> Buffer[Any]:
    """Make a buffer of `capacity` events with the policy `overflow`.

    Raises:
        ConfigError: `capacity` is not a positive integer, `overflow` not an `Overflow`, or `gaps`
            not one of `Gaps`.
    """
    if gaps not in (True, False, "all"):
        raise ConfigError(f'gaps={gaps!r} is not possible; write True, False or "all"')
    for kind in _KINDS:
        if kind.overflow is overflow:
            return kind(check_count("buffer", capacity), gaps=gaps)
    names = ", ".join(f"Overflow.{policy.name}" for policy in Overflow)
    raise ConfigError(f"overflow={overflow!r} is not a policy; use one of {names}")
