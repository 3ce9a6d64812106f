"""The subscription of a stream with backfill: its missing trades are fetched over REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

from connector.adapter.backfill import Backfill
from connector.errors import SubscriptionRejected
from connector.exchanges.protocol import AnyStream
from connector.feeds.buffer import Buffer
from connector.feeds.subscription import Subscription


class BackfilledSubscription:
    """The subscription of a stream with backfill: its missing trades are fetched over REST.

    Args:
        stream: with `connector.exchanges.protocol.Stream.backfill`.
        subscription: of the stream on the wire.
        make: what stands between the stream and a feed.
        release: is called when nobody reads it any more.
    """

    def __init__(
        self,
        stream: AnyStream,
        subscription: Subscription,
        make: Callable[[AnyStream, Buffer[Any]], Backfill],
        release: Callable[[BackfilledSubscription], None],
    ) -> None:
        self.stream = stream
        self.name = stream.name
        self.subscription = subscription
        self.wire = subscription.wire
        self.full = subscription.full
        self.gaps = 0
        """Always 0: the subscription of the stream counts the gaps."""
        self._make = make
        self._release = release
        self._fills: dict[Buffer[Any], Backfill] = {}

    def attach(self, buffer: Buffer[Any]) -> None:
        """Deliver the trades to `buffer` from now on."""
        if buffer not in self._fills:
            self._fills[buffer] = fill = self._make(self.stream, buffer)
            self.subscription.attach(fill)

    def detach(self, buffer: Buffer[Any]) -> bool:
        """Undo `attach`; whether no reader needs the stream any more."""
        fill = self._fills.pop(buffer, None)
        if not self._fills:
            self._release(self)
        if fill is None:
            return False
        fill.close()
        return self.subscription.detach(fill)

    async def wait_live(self, buffer: Buffer[Any]) -> None:
        """Wait until the exchange has acknowledged the stream; executes a checkpoint.

        Raises:
            SubscriptionRejected: the exchange refused.
            SlowConsumer: as `connector.feeds.subscription.Subscription.wait_live`.
            trio.ClosedResourceError: `buffer` was detached meanwhile.
        """
        fill = self._fills.get(buffer)
        if fill is None:
            await trio.lowlevel.checkpoint()
            raise trio.ClosedResourceError(f"{self.stream.channel!r} was discarded")
        try:
            await self.subscription.wait_live(fill)
        except SubscriptionRejected as error:
            raise fill.rejection(error) from error.__cause__
