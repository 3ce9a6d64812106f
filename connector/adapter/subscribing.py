"""Subscribing, as type checkers see it: the feed of several channels yields a union of events.

An event is known by the channel and by the numbers of the exchange, so each signature is there for
``float`` and for ``Decimal``. Up to four channels may be of different kinds; what follows them is
inferred together. A type variable without a channel is ``Never``, which a union leaves out.
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
    """What an adapter is for: feeds of channels, with numbers of the exchange's type."""

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
        """A feed of `channels`, for as long as the block lasts.

        Entering waits for the exchange's acknowledgements, in the current session or the next.
        Leaving unsubscribes what no other feed reads.

        Args:
            channels: one or many; each exactly what it yields (`connector.channels`).
            buffer: events that the feed holds for a slow consumer.
            overflow: what happens when it is full.
            gaps: whether the feed yields a `Gap` where data was, or may have been, lost; "all":
                also for events that `Overflow.CONFLATE` replaced by newer ones.

        Raises:
            ConfigError: the exchange does not offer a channel, or an argument cannot work.
            SubscriptionRejected: the exchange refused a channel.
            trio.ClosedResourceError: the adapter's block has been left.

        Cancellation: while waiting for the acknowledgements nothing stays subscribed.
        """
        return self._subscribe(channels, buffer, overflow, gaps=gaps)

    @abstractmethod
    def _subscribe(
        self, channels: tuple[AnyChannel, ...], capacity: int, overflow: Overflow, *, gaps: Gaps
    ) -> AbstractAsyncContextManager[Feed[Any]]: ...
