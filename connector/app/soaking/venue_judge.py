"""One venue of the soak: its adapter, its events, and checks of its books against the exchange."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import msgspec

from connector import Adapter
from connector.channels import AnyChannel, OrderBook
from connector.events import BookView, Gap
from connector.testing import FaultKind, SimulatedExchange
from connector.testing.explore.venue_scenarios import lively_channel
from connector.testing.market.truth import MarketTruth

LEVELS = 5
KEPT_STATES = 300
"""Of the exchange's book; an older one cannot be on its way any more."""


class VenueVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The result for one venue."""

    name: str
    breaks: int
    sessions: int
    reconnects: dict[str, int]
    max_concurrent_connections: int
    """The most connections of one route at once, as the exchange counts them."""
    events: int
    books: int
    """The number of synced books, each compared with the exchange's own."""
    gaps: int


@attrs.define(eq=False)
class Judged:
    """Reads a venue's book and one more channel, and compares each book with the exchange's."""

    name: str
    exchange: SimulatedExchange
    adapter: Adapter
    channels: tuple[AnyChannel, ...]
    truth: MarketTruth
    events: int = 0
    books: int = 0
    """Number of synced views that were compared."""
    gaps: int = 0
    breaks: int = 0
    """Number of faults that broke its connection."""
    synced: bool = False
    """Whether the last view was synced."""
    wrong: list[str] = attrs.field(factory=list)
    _sessions: int = 0
    _reconnects: dict[str, int] = attrs.field(factory=dict)

    @classmethod
    def of(cls, name: str, symbol: str, exchange: SimulatedExchange, adapter: Adapter) -> Judged:
        """The judge of an adapter; what the exchange does is kept from now on."""
        channels = OrderBook(symbol, LEVELS), lively_channel(adapter.exchange, symbol)
        return cls(name, exchange, adapter, channels, exchange.keep_truth(symbol, LEVELS))

    async def follow(self) -> None:
        """Read until cancelled."""
        channels: Any = self.channels
        async with self.adapter.subscribe(*channels, gaps=True) as feed:
            async for event in feed:
                self.see(event)

    def see(self, event: Any) -> None:
        """Take received events."""
        if isinstance(event, Gap):
            self.gaps += 1
        elif not isinstance(event, BookView):
            self.events += 1
        else:
            self.synced = event.synced
            if event.synced:
                self.books += 1
                self._compare(event)
        self.truth.keep_last(KEPT_STATES)

    def _compare(self, view: BookView[Any]) -> None:
        if self.truth.find_book(exactly(view.bids), exactly(view.asks)) is None:
            self.blame(f"the exchange never had {view.depth(LEVELS)}")
        statistics = self.adapter.statistics()
        # One more while a link asks for a snapshot over REST.
        if statistics.sockets_open > len(statistics.links) + 1:
            self.blame(f"{statistics.sockets_open} sockets of {len(statistics.links)} links")

    def blame(self, what: str) -> None:
        """Record an error; only the first few are kept."""
        if len(self.wrong) < 3:
            self.wrong.append(f"{self.name}: {what}")

    def strike(self, kind: FaultKind) -> None:
        """Break its connections."""
        self.exchange.break_connections(kind)
        self.breaks += 1

    def keep_statistics(self) -> None:
        """What the adapter counts; it is about to be left."""
        statistics = self.adapter.statistics()
        self._sessions = statistics.sessions_opened
        self._reconnects = dict(sorted(statistics.reconnects.items()))

    def violations(self) -> list[str]:
        """The errors, as sentences."""
        most = self._most_connections()
        several = [f"{self.name}: a route had {most} connections at once"] if most > 1 else []
        return [*self.wrong, *several]

    def verdict(self) -> VenueVerdict:
        """The result, after the end."""
        return VenueVerdict(
            name=self.name,
            breaks=self.breaks,
            sessions=self._sessions,
            reconnects=self._reconnects,
            max_concurrent_connections=self._most_connections(),
            events=self.events,
            books=self.books,
            gaps=self.gaps,
        )

    def _most_connections(self) -> int:
        return max(self.exchange.max_concurrent_by_route.values(), default=0)


def exactly(levels: Any) -> list[tuple[Decimal, Decimal]]:
    """Levels as the wire had them."""
    return [(Decimal(str(price)), Decimal(str(quantity))) for price, quantity in levels]
