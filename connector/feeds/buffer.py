"""A bounded buffer between a session and one consumer, which loses no events while it blocks.

The session puts events without waiting, and the consumer takes them. The first event put while the
consumer waits wakes it, so a batch of frames costs one wake-up. The policy decides what happens
when the buffer is full:

=============  ==========================================================================
`BLOCK`        no event is lost: the session stops reading its socket (TCP back-pressure)
`DROP_OLDEST`  the oldest event makes room for the newest
`CONFLATE`     the newest event per stream and symbol replaces the one that waits
`FAIL`         the consumer gets `SlowConsumer` after the buffered events
=============  ==========================================================================

Every loss is counted, and appears as a `Gap` in its place if the consumer asked for gaps. Losses
without events between them share one marker per reason, so that an unread buffer stays bounded:
`capacity` events, plus one marker per reason at either end. While its feed is being entered it
cannot be read, so until then `BLOCK` and `FAIL` hold more (`connector.feeds.backpressure`).

`Buffer` implements the policy `BLOCK`; `connector.feeds.lossy_buffers` has the others.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import trio
from trio.lowlevel import (
    current_task,
    enable_ki_protection,
    reschedule,
    wait_task_rescheduled,
)

from connector.channels import AnyChannel
from connector.errors import ConnectorError
from connector.events import Gap
from connector.feeds.backpressure import Full
from connector.feeds.gap_markers import joins
from connector.feeds.wakeup import BUSY, Waking

T = TypeVar("T")
Gaps: TypeAlias = bool | Literal["all"]
"""Whether a feed yields gaps; "all" includes events that `Overflow.CONFLATE` replaced."""


class Overflow(enum.Enum):
    """What a feed does when its buffer is full."""

    BLOCK = "block"
    """Stop reading the connection until the consumer catches up. No event is lost."""
    DROP_OLDEST = "drop_oldest"
    """Drop the oldest event."""
    CONFLATE = "conflate"
    """Keep only the newest event of each stream and symbol."""
    FAIL = "fail"
    """Raise `SlowConsumer` in the consumer, after the buffered events."""


class Buffer(Waking, Generic[T]):
    """A bounded queue with one consumer; `make_buffer` makes the buffer of a policy."""

    # Beside a base in C, attributes in a dict would be looked up by name each time.
    __slots__ = (
        "__weakref__", "_full_sets", "all_gaps", "capacity", "channels", "closed", "dropped",
        "entering", "errors", "gaps", "gaps_wanted", "items", "over", "replaced",
    )  # fmt: skip

    overflow = Overflow.BLOCK
    by_stream = False
    """Whether `put_run` depends on the stream; if not, a run may have several streams."""

    def __init__(self, capacity: int, *, gaps: Gaps) -> None:
        super().__init__()
        self.capacity = capacity
        self.channels: tuple[AnyChannel, ...] = ()
        self.gaps_wanted = bool(gaps)
        self.all_gaps = gaps == "all"
        """Whether a replaced event is reported as a gap."""
        self.items: deque[T | Gap] = deque()
        self.dropped = 0
        self.replaced = 0
        self.gaps = 0
        self.errors: deque[ConnectorError] = deque()
        """The errors that the consumer has not received yet."""
        self.closed = False
        self.over = False
        self._full_sets: dict[int, Full] = {}
        self.blocking = False
        self.entering = False
        """Whether its feed is being entered, so that it cannot be read yet."""

    def __len__(self) -> int:
        return len(self.items)

    # The consumer's side.

    @enable_ki_protection  # as `wait`
    def wait_for_item(self) -> Coroutine[Any, Any, object] | None:
        """Note that this task waits, and return what it must then await at once.

        For whom a coroutine less between the wake-up and the consumer counts: if it is interrupted
        before it waits, it must call `_let_go`.

        Returns:
            None if an error or the end waits for the consumer.

        Raises:
            trio.BusyResourceError: another task is waiting already.
        """
        if self.closed or self.over or self.errors:
            return None
        # As `begin_waiting`, with a call less.
        if self._waiter is not None:
            raise trio.BusyResourceError(BUSY)
        self._waiter = current_task()
        return wait_task_rescheduled(self._stop_waiting)  # noqa: ASYNC105 - for the caller

    def take(self) -> T | Gap:
        """Take the next item; call it only if there is one."""
        return self.items.popleft()

    def take_all(self) -> list[T | Gap]:
        """Take all buffered items."""
        batch = list(self.items)
        self.items.clear()
        return batch

    def oldest_ns(self) -> int:
        """Receive time of the oldest item; 0 if there is none, or if it has no time."""
        return getattr(self.items[0], "received_ns", 0) if self.items else 0

    def is_over(self) -> bool:
        """Whether an error or the end waits for the consumer."""
        return self.closed or self.over or bool(self.errors)

    def next_error(self) -> ConnectorError | None:
        """Take the next error for the consumer; None if there is none."""
        return self.errors.popleft() if self.errors else None

    # The session's side.

    def put(self, item: T) -> None:
        """Append `item`; the caller stops while this buffer is in its link's `full` set."""
        self.items.append(item)
        if self._waiter is not None:
            self.wake()
        if len(self.items) >= self.capacity:
            self._block()

    def room(self) -> int:
        """Number of events that may be put before the caller must check its ``full`` set again.

        It is at least one while this buffer is in no such set, because markers do not count.
        """
        return max(self.capacity - len(self.items), 1)

    def put_run(self, items: Sequence[T], stream: str) -> None:
        """Put a run of events of `stream`, at most `room` of them."""
        self.items.extend(items)
        # As `wake`, which this is the most frequent occasion for.
        task = self._waiter
        if task is not None:
            self._waiter = None
            if self._beside:
                self._let_go()
            reschedule(task)
        if len(self.items) >= self.capacity:
            self._block()

    def lose(self, gap: Gap) -> None:
        """Count a loss that happened before this buffer, and add a marker if gaps are wanted.

        `gap` belongs to the buffer from now on.
        """
        self.gaps += 1
        if not self.gaps_wanted or self.closed:
            return
        if not joins(reversed(self.items), gap):
            self.items.append(gap)
            self.wake()

    def resumed(self) -> None:
        """Note that a stream was acknowledged on the current connection; most buffers ignore it."""

    def withdraw(self, item: T) -> None:
        """Remove `item` wherever it waits, without counting a loss."""
        if any(each is item for each in self.items):
            rest = [each for each in self.items if each is not item]
            self.items.clear()
            self.items.extend(rest)
            self.unblock_if_drained()

    def fail(self, error: ConnectorError) -> None:
        """Raise `error` in the consumer, once, after the buffered events."""
        self.errors.append(error)
        self.wake()

    def close(self) -> None:
        """End the buffer at once: it drops its events and blocks no link."""
        self.take_all()
        self.finish()

    def end(self) -> None:
        """End the feed after the buffered events."""
        self.over = True
        self.wake()

    def finish(self) -> None:
        """End the buffer after its events."""
        self.closed = True
        self.unblock()
        self.wake()

    # Back-pressure. A link stops reading while any buffer it feeds is in its `full` set.

    def join(self, full: Full) -> None:
        """Let the link that owns `full` know when this buffer is full."""
        self._full_sets[id(full)] = full
        if self.blocking:
            full.add(self)

    def leave(self, full: Full) -> None:
        """Undo `join`."""
        self._full_sets.pop(id(full), None)
        full.discard(self)

    def _block(self) -> None:
        self.blocking = True
        for full in self._full_sets.values():
            full.add(self)

    @enable_ki_protection  # else the item is lost, or a link stays blocked
    def unblock_if_drained(self) -> None:
        """Let the links continue once half of the buffer is free, with one wake-up in all."""
        if len(self.items) <= self.capacity // 2:
            self.unblock()

    def unblock(self) -> None:
        self.blocking = False
        for full in self._full_sets.values():
            full.discard(self)
