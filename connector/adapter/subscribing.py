"""The types of `Adapter.subscribe`: the feed of several channels yields a union of events.

The type of an event depends on the channel and on the numbers of the exchange, so each signature
exists for ``float`` and for ``Decimal``. Up to four channels may be of different kinds; the types
of further channels are inferred together. A type variable without a channel is ``Never``, which has
no effect in a union.
"""

# The variables of channels that are not given are Never: that is meant.
# pyright: reportInvalidTypeVarUse=false

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any, Generic, Literal, Never, overload

from typing_extensions import TypeVar

from connector.channels import AnyChannel, Channel
from connector.events import Gap, N_co
from connector.feeds.buffer import Gaps, Overflow
from connector.feeds.feed import Feed

A = TypeVar("A")
B = TypeVar("B", default=Never)
C = TypeVar("C", default=Never)
D = TypeVar("D", default=Never)
E = TypeVar("E", default=Never)


class Subscribing(Generic[N_co]):
    """The subscriptions of an adapter: feeds of channels, with numbers of the exchange's type."""

    @overload
    def subscribe(
        self: Subscribing[float],
        first: Channel[A],
        second: Channel[B] = ...,
        third: Channel[C] = ...,
        fourth: Channel[D] = ...,
        /,
        *more: Channel[E],
        buffer: int = ...,
        overflow: Overflow = ...,
        gaps: Literal[False] = ...,
    ) -> AbstractAsyncContextManager[Feed[A | B | C | D | E]]: ...

    @overload
    def subscribe(
        self: Subscribing[Decimal],
        first: Channel[Any, A],
        second: Channel[Any, B] = ...,
        third: Channel[Any, C] = ...,
        fourth: Channel[Any, D] = ...,
        /,
        *more: Channel[Any, E],
        buffer: int = ...,
        overflow: Overflow = ...,
        gaps: Literal[False] = ...,
    ) -> AbstractAsyncContextManager[Feed[A | B | C | D | E]]: ...

    @overload
    def subscribe(
        self: Subscribing[float],
        first: Channel[A],
        second: Channel[B] = ...,
        third: Channel[C] = ...,
        fourth: Channel[D] = ...,
        /,
        *more: Channel[E],
        buffer: int = ...,
        overflow: Overflow = ...,
        gaps: Literal[True, "all"],
    ) -> AbstractAsyncContextManager[Feed[A | B | C | D | E | Gap]]: ...

    @overload
    def subscribe(
        self: Subscribing[Decimal],
        first: Channel[Any, A],
        second: Channel[Any, B] = ...,
        third: Channel[Any, C] = ...,
        fourth: Channel[Any, D] = ...,
        /,
        *more: Channel[Any, E],
        buffer: int = ...,
        overflow: Overflow = ...,
        gaps: Literal[True, "all"],
    ) -> AbstractAsyncContextManager[Feed[A | B | C | D | E | Gap]]: ...

    @overload
    def subscribe(
        self: Subscribing[float],
        first: Channel[A],
        second: Channel[B] = ...,
        third: Channel[C] = ...,
        fourth: Channel[D] = ...,
        /,
        *more: Channel[E],
        buffer: int = ...,
        overflow: Overflow = ...,
        gaps: Gaps,
    ) -> AbstractAsyncContextManager[Feed[A | B | C | D | E] | Feed[A | B | C | D | E | Gap]]: ...

    @overload
    def subscribe(
        self: Subscribing[Decimal],
        first: Channel[Any, A],
        second: Channel[Any, B] = ...,
        third: Channel[Any, C] = ...,
        fourth: Channel[Any, D] = ...,
        /,
        *more: Channel[Any, E],
        buffer: int = ...,
        overflow: Overflow = ...,
        gaps: Gaps,
    ) -> AbstractAsyncContextManager[Feed[A | B | C | D | E] | Feed[A | B | C | D | E | Gap]]: ...

    def subscribe(
        self,
        *channels: AnyChannel,
        buffer: int = 1024,
        overflow: Overflow = Overflow.BLOCK,
        gaps: Gaps = False,
    ) -> AbstractAsyncContextManager[Feed[Any]]:
        """Subscribe to `channels` for the length of a block. Use it with ``async with``.

        The block begins when the exchange has acknowledged every channel. When you leave it, the
        adapter unsubscribes the channels that no other feed reads.

        Args:
            channels: one or more channels (`connector.channels`).
            buffer: the number of events that the feed can hold.
            overflow: what happens when the buffer is full.
            gaps: whether the feed yields a `Gap` where data was lost, or may have been lost. "all"
                includes events that `Overflow.CONFLATE` replaced by newer ones.

        Raises:
            ConfigError: the exchange does not offer a channel, or an argument is wrong.
            SubscriptionRejected: the exchange rejected a channel.
            trio.ClosedResourceError: the adapter's block has been left.

        Cancellation: if you cancel it before the acknowledgements arrive, nothing stays subscribed.
        """
        return self._subscribe(channels, buffer, overflow, gaps=gaps)

    @abstractmethod
    def _subscribe(
        self, channels: tuple[AnyChannel, ...], capacity: int, overflow: Overflow, *, gaps: Gaps
    ) -> AbstractAsyncContextManager[Feed[Any]]: ...
