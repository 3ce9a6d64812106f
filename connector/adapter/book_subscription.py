"""The subscription of a local order book: the feeds of its channel are attached to it."""

from __future__ import annotations

from typing import Any, Protocol

import trio

from connector.adapter.local_book import LocalBook
from connector.errors import SubscriptionRejected
from connector.exchanges.protocol import AnyStream
from connector.feeds.buffer import Buffer


class BookOwner(Protocol):
    """The owner of the books: the adapter."""

    def release(self, subscription: BookSubscription) -> None:
        """Release a book that has no reader any more."""


class BookSubscription:
    """The subscription of a local order book: the feeds of its channel are attached to it.

    Args:
        stream: the book's stream, which is none of the wire.
        book: reads the deltas.
        owner: the adapter.
    """

    def __init__(self, stream: AnyStream, book: LocalBook, owner: BookOwner) -> None:
        self.stream = stream
        self.name = stream.name
        self.book = book
        self.wire = book.wire.wire
        self.full = book.wire.full
        self.gaps = 0
        """Always 0: the subscription of the deltas counts the gaps."""
        self._owner = owner

    def attach(self, buffer: Buffer[Any]) -> None:
        """Deliver views to `buffer` from now on."""
        self.book.attach(buffer)

    def detach(self, buffer: Buffer[Any]) -> bool:
        """Undo `attach`; the book goes with its last reader. There is nothing left to do."""
        if self.book.detach(buffer):
            self._owner.release(self)
        return False

    async def wait_live(self, buffer: Buffer[Any]) -> None:
        """Wait until the exchange has acknowledged the deltas; executes a checkpoint.

        Raises:
            SubscriptionRejected: the exchange refused.
            trio.ClosedResourceError: `buffer` was detached meanwhile.
        """
        try:
            await self.book.wire.wait_live(self.book)
        except SubscriptionRejected as error:
            raise self.book.rejection(error) from error.__cause__
        if not self.book.has(buffer):
            raise trio.ClosedResourceError(
                f"{self.stream.channel!r} was discarded, or its feed closed, before the exchange "
                "had acknowledged it"
            )
