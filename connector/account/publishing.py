"""Deliver account events to the program: bounded feeds that fail if the program does not read."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, cast

from connector.accounts import (
    AnyAccountEvent,
    Fill,
    FillFee,
    FundingPayment,
    OrderUpdate,
    Orphan,
    Unsynced,
)
from connector.channels import AnyChannel
from connector.errors import ConfigError
from connector.exchanges.protocol import AnyStream
from connector.feeds.buffer import Overflow
from connector.feeds.feed import Feed
from connector.feeds.lossy_buffers import make_buffer
from connector.orders import OVER

_EARLY = 65_537
"""What is kept of the time before the block: one more than a feed holds, so that too much fails."""

_NO_CHANNELS = (
    "a feed of account events has no channels; subscribe to channels with adapter.subscribe(...)"
)


class EventCounts:
    """How often something has happened to an account."""

    def __init__(self) -> None:
        self.ended: Counter[str] = Counter()
        """Orders by how they ended; one that lives after all is counted again."""
        self.fills = 0
        self.backfilled = 0
        """Of the fills, those that were read from the account's history."""
        self.late: set[str] = set()
        """Orders that lived although they had been given up."""
        self.unsynced = 0
        self.unsynced_reason = ""
        """Why it was not synced the last time."""


class Publishing:
    """The feeds of one account.

    Fills, funding and orphans that are found while the account is being opened, when nobody can
    have a feed yet, are kept for the first feed.
    """

    def __init__(self) -> None:
        self._feeds: dict[Feed[AnyAccountEvent], str | None] = {}
        self._tags: dict[str, str] = {}
        self._early: deque[AnyAccountEvent] = deque(maxlen=_EARLY)
        self._entered = False
        self.counts = EventCounts()

    def enter(self) -> None:
        """Note that the block has begun: from now on, events without a feed are not kept."""
        self._entered = True

    @property
    def has_feeds(self) -> bool:
        """Whether anybody wants to know."""
        return bool(self._feeds)

    def open(self, buffer: int, tag: str | None) -> Feed[AnyAccountEvent]:
        """A feed of what happens from now on; with a tag only what is about its orders."""
        feed: Feed[AnyAccountEvent] = Feed(self, make_buffer(buffer, Overflow.FAIL, gaps=False))
        self._feeds[feed] = tag
        for event in self._early:
            if tag is None or self._is_about(event, tag):
                feed.buffer.put(event)
        if tag is None:
            self._early.clear()
        return feed

    def name(self, client_id: str, tag: str) -> None:
        """The order of that id has that tag."""
        self._tags[client_id] = tag

    def forget(self, client_id: str) -> None:
        """There are no more events of an order."""
        self._tags.pop(client_id, None)

    def tell(self, event: AnyAccountEvent) -> None:
        """Put an event into every feed that wants it."""
        counts = self.counts
        # To ask `isinstance` of another struct costs as much as to put the event into a feed.
        if type(event) is OrderUpdate:
            if event.state in OVER:
                counts.ended[event.state] += 1
            if event.late:
                counts.late.add(event.client_id)
        elif type(event) is Fill:
            counts.fills += 1
            counts.backfilled += event.backfilled
        elif isinstance(event, Unsynced):
            counts.unsynced += 1
            counts.unsynced_reason = event.reason
        if not self._entered and isinstance(event, Fill | FillFee | FundingPayment | Orphan):
            self._early.append(event)
        for feed, tag in self._feeds.items():
            if tag is None or self._is_about(event, tag):
                feed.buffer.put(event)

    def end(self) -> None:
        """End every feed after its buffered events."""
        for feed in self._feeds:
            feed.buffer.end()

    def _is_about(self, event: AnyAccountEvent, tag: str) -> bool:
        if isinstance(event, OrderUpdate):
            return event.tag == tag
        if isinstance(event, Fill | FillFee):
            return self._tags.get(event.client_id) == tag
        return False

    # What a feed asks for (`connector.feeds.feed.FeedOwner`).

    async def add_channels(self, feed: Feed[object], channels: tuple[AnyChannel, ...]) -> None:
        """Refuse channels: account events have none.

        Raises:
            ConfigError: always; it says what to open instead.
        """
        raise ConfigError(_NO_CHANNELS)

    def remove_channels(self, feed: Feed[object], channels: tuple[AnyChannel, ...]) -> None:
        """Refuse channels: account events have none.

        Raises:
            ConfigError: always; it says what to open instead.
        """
        raise ConfigError(_NO_CHANNELS)

    def remove_feed(self, feed: Feed[object]) -> None:
        """Nobody reads it any more."""
        self._feeds.pop(cast("Feed[Any]", feed), None)

    def streams(self, feed: Feed[object]) -> tuple[AnyStream, ...]:
        """None."""
        del feed
        return ()
