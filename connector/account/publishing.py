"""Telling a program what happens to its account: bounded feeds that fail when they are not read."""

from __future__ import annotations

from typing import Any, cast

from connector.accounts import AnyAccountEvent, Fill, FillFee, OrderUpdate
from connector.channels import AnyChannel
from connector.exchanges.protocol import AnyStream
from connector.feeds.buffer import Overflow
from connector.feeds.feed import Feed
from connector.feeds.lossy_buffers import make_buffer


class Publishing:
    """The feeds of one account."""

    def __init__(self) -> None:
        self._feeds: dict[Feed[AnyAccountEvent], str | None] = {}
        self._tags: dict[str, str] = {}

    def open(self, buffer: int, tag: str | None) -> Feed[AnyAccountEvent]:
        """A feed of what happens from now on; with a tag only what is about its orders."""
        feed: Feed[AnyAccountEvent] = Feed(self, make_buffer(buffer, Overflow.FAIL, gaps=False))
        self._feeds[feed] = tag
        return feed

    def name(self, client_id: str, tag: str) -> None:
        """The order of that id has that tag."""
        self._tags[client_id] = tag

    def forget(self, client_id: str) -> None:
        """There is nothing more to tell of an order."""
        self._tags.pop(client_id, None)

    def tell(self, event: AnyAccountEvent) -> None:
        """Put an event into every feed that wants it."""
        for feed, tag in tuple(self._feeds.items()):
            if tag is None or self._is_about(event, tag):
                feed.buffer.put(event)

    def end(self) -> None:
        """There is no more: every feed ends after what it holds."""
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
        """Account events have no channels."""
        raise NotImplementedError("a feed of account events has no channels")

    def remove_channels(self, feed: Feed[object], channels: tuple[AnyChannel, ...]) -> None:
        """Account events have no channels."""
        raise NotImplementedError("a feed of account events has no channels")

    def remove_feed(self, feed: Feed[object]) -> None:
        """Nobody reads it any more."""
        self._feeds.pop(cast("Feed[Any]", feed), None)

    def streams(self, feed: Feed[object]) -> tuple[AnyStream, ...]:
        """None."""
        del feed
        return ()
