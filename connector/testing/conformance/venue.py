"""The subject of the checks: an exchange value, a server with its protocol, stored frames."""

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
    """A check has failed; the message says what was expected and what was observed."""


class Truth(Protocol):
    """The server's record of one symbol, to compare with the events of a client."""

    def find_book(self, bids: Levels, asks: Levels, since: int = 0) -> int | None:
        """The number of the first state, not before `since`, with these best levels.

        None if there is no such state.
        """
        ...

    def until_ms(self, state: int) -> int | None:
        """When the next state followed, in milliseconds since 1970; None for the current state."""
        ...

    def has_trade(self, price: Decimal, quantity: Decimal, side: str) -> bool:
        """Whether such a trade happened."""
        ...


@attrs.frozen(kw_only=True)
class Served:
    """A running server."""

    exchange: AnyExchange
    """The value under test, with the address of the server."""
    truth: Callable[[str], Truth] | None = None
    """Returns the record of a symbol from now on; None if nothing can be compared."""
    now_ms: Callable[[], int] | None = None
    """The server's time, in milliseconds since 1970."""
    complaints: Callable[[], Iterable[str]] = tuple
    """Returns the client's violations of the venue's rules."""


class Serve(Protocol):
    """Open a server on a network in memory, for the length of a block."""

    def __call__(
        self, network: MemoryNetwork, *, pace: Pace
    ) -> AbstractAsyncContextManager[Served]:
        """`pace`: the activity of its market; on a "quiet" market nothing happens."""
        ...


@attrs.frozen(kw_only=True)
class Venue:
    """An exchange value, and the server and data to check it against.

    Args:
        name: the venue's name in the names of the checks.
        serve: opens a server with the venue's protocol.
        symbols: the server's symbols, in the venue's spelling.
        unknown: a symbol that the venue does not have; None if none can be requested.
        channels: the channels to check; None means all that the exchange offers for the first
            symbol.
        without: channels that the server does not play.
        frames: stored frames of the real venue, unchanged.
        frame_symbols: the symbols in the stored frames.
        quiet_seconds: how long to watch a connection without data; None means three times the
            limits of `Liveness`, at least 200.
        busy_seconds: how long to watch a connection with little data: longer than any limit of the
            server for a client that sends nothing.
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
    busy_seconds: float = 700.0

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
        exchange: the class of the exchange, called with ``endpoints=``.
        venue: its name for `open_exchange`.
        symbols: the traded symbols, in the venue's spelling.
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
