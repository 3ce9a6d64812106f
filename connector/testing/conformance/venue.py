"""What is checked: an exchange value, a server that speaks as the venue does, stored frames."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeAlias

import attrs

from connector.channels import AnyChannel
from connector.exchanges.protocol import AnyExchange
from connector.testing.exchange.exchange import EPOCH_MS, open_exchange
from connector.testing.market.order_flow import OrderFlow
from connector.testing.network.network import MemoryNetwork
from connector.testing.venues.rules import SimulatedName

KEPT_LEVELS = 10
Pace: TypeAlias = Literal["quiet", "slow", "steady", "lively"]
RATES: Mapping[Pace, float] = MappingProxyType(
    {"quiet": 1e-9, "slow": 1.0, "steady": 10.0, "lively": 40.0}
)
"""Actions of traders per second and symbol."""
Levels: TypeAlias = Sequence[tuple[Decimal, Decimal]]


class NotConforming(AssertionError):
    """A check has failed; the message says what should have been, and what was."""


class Truth(Protocol):
    """What the server knows of one symbol, to compare with what a client was told."""

    def find_book(self, bids: Levels, asks: Levels, since: int = 0) -> int | None:
        """The number of the first state of the book not before `since` that has these best levels.

        None: it never had.
        """
        ...

    def until_ms(self, state: int) -> int | None:
        """When another state followed, in milliseconds since 1970; None if it is the state now."""
        ...

    def has_trade(self, price: Decimal, quantity: Decimal, side: str) -> bool:
        """Whether there was such a trade."""
        ...


@attrs.frozen(kw_only=True)
class Served:
    """A server at work."""

    exchange: AnyExchange
    """The value under test, with the address of the server."""
    truth: Callable[[str], Truth] | None = None
    """What is known of a symbol, from now on; None: nothing can be compared."""
    now_ms: Callable[[], int] | None = None
    """The server's time, in milliseconds since 1970."""
    complaints: Callable[[], Iterable[str]] = tuple
    """What the client did that the venue forbids."""


class Serve(Protocol):
    """Opens a server on a network in memory, for the length of a block."""

    def __call__(
        self, network: MemoryNetwork, *, pace: Pace
    ) -> AbstractAsyncContextManager[Served]:
        """`pace`: how much happens on its market; where it is "quiet", nothing does."""
        ...


@attrs.frozen(kw_only=True)
class Venue:
    """An exchange value and what it is checked against.

    Args:
        name: for the names of the checks.
        serve: opens a server that speaks as the venue does.
        symbols: what the server trades, as the venue spells it.
        unknown: a symbol that the venue does not have; None: it cannot be asked for.
        channels: what is subscribed; None: all that the exchange offers for the first symbol.
        without: channels that the server does not play.
        frames: stored frames of the real venue, as they came.
        frame_symbols: the symbols of those.
        quiet_seconds: how long a connection on which nothing happens is watched; None: three times
            the limits of `Liveness`, 200 at least. One on which little happens: 700.
    """

    name: str
    serve: Serve
    symbols: tuple[str, ...]
    unknown: str | None = None
    channels: tuple[AnyChannel, ...] | None = None
    without: tuple[AnyChannel, ...] = ()
    frames: tuple[bytes, ...] = ()
    frame_symbols: tuple[str, ...] = ()
    quiet_seconds: float | None = None

    def __str__(self) -> str:
        return self.name


def simulated(
    exchange: Callable[..., AnyExchange],
    venue: SimulatedName,
    *symbols: str,
    **more: Any,
) -> Venue:
    """The `Venue` of an exchange that `open_exchange` simulates.

    Args:
        exchange: its class, called with ``endpoints=``.
        venue: what `open_exchange` calls it.
        symbols: what is traded there, as the venue spells it.
        more: other arguments of `Venue`.
    """

    @asynccontextmanager
    async def serve(network: MemoryNetwork, *, pace: Pace) -> AsyncIterator[Served]:
        flow = OrderFlow(symbols=symbols, rate_per_second=RATES[pace])
        async with open_exchange(venue, source=flow, network=network) as there:
            yield Served(
                exchange=exchange(endpoints=there.endpoints),
                truth=lambda symbol: there.keep_truth(symbol, KEPT_LEVELS),
                now_ms=lambda: EPOCH_MS + round(there.log.seconds * 1000),
                complaints=lambda: map(str, there.log.of("violation")),
            )

    return Venue(**{"name": str(venue), "serve": serve, "symbols": symbols, **more})
