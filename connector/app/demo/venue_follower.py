"""One venue of the demo: its adapter, its best prices, its fault, and its history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import attrs

from connector import Adapter
from connector.app.demo.faults import Break, strike
from connector.app.demo.venues_report import Row, VenueReport
from connector.channels import AnyChannel, BestQuote, OrderBook
from connector.errors import ConfigError
from connector.events import BookView, Gap, Level, Quote
from connector.testing import Fault, SimulatedExchange
from connector.testing.explore.venue_scenarios import VenueCase
from connector.testing.market.truth import MarketTruth
from connector.testing.venues.rules import SimulatedName

BREAKS: Mapping[SimulatedName, Break] = MappingProxyType(
    {
        "binance_spot": Break("closed, 1001", Fault("close", code=1001)),
        "binance_usdm": Break("mute, but pings", Fault("mute")),
        "binance_coinm": Break("TCP reset", Fault("reset")),
        "bybit_spot": Break("half-open", Fault("half_open")),
        "bybit_linear": Break("HTTP 503", Fault("reset"), Fault("http_status", status=503)),
        "bybit_inverse": Break("no close frame", Fault("fin")),
        "okx": Break("bad UTF-8", Fault("bad_utf8")),
        "coinbase": Break("masked frame", Fault("bad_mask")),
        "hyperliquid": Break("closed, 1011", Fault("close", code=1011)),
        "kraken": Break("reserved bits", Fault("bad_reserved_bits")),
        "kraken_futures": Break("closed, TCP open", Fault("close_and_hold", code=1000)),
        "kraken_unified": Break("bad length", Fault("bad_length")),
        "deribit": Break("accepted, closed", Fault("fin"), Fault("accept_close")),
        "bitget_spot": Break("accepted, reset", Fault("reset"), Fault("accept_reset")),
        "bitget_futures": Break("unknown opcode", Fault("bad_opcode")),
    }
)
"""How each venue breaks."""
KEPT_STATES = 2_000
"""States of each book that are kept. An older one cannot be on its way any more."""


def price_channel(exchange: Any, symbol: str) -> AnyChannel:
    """The channel of an exchange with the fastest best prices."""
    try:
        exchange.stream(BestQuote(symbol))
    except ConfigError:
        return OrderBook(symbol, 1)
    return BestQuote(symbol)


@attrs.define(eq=False)
class Followed:
    """One venue: its adapter, and the received best prices."""

    name: SimulatedName
    case: VenueCase
    exchange: SimulatedExchange
    adapter: Adapter[Decimal]
    truth: MarketTruth
    bid: Decimal | None = None
    ask: Decimal | None = None
    live: bool = False
    breaks: int = 0
    prices: int = 0
    gaps: int = 0
    wrong: str | None = None
    """The first price that the venue never had."""
    _broken: int = 0
    """The session that was broken last."""

    @property
    def how(self) -> Break:
        """The way in which it breaks."""
        return BREAKS[self.name]

    @property
    def session(self) -> int:
        """The number of the present session, 0 before the first."""
        links = self.adapter.statistics().links
        return links[0].session if links else 0

    async def follow(self, tell: Callable[[str], None]) -> None:
        """Read the best prices, and hold them against the venue's own book."""
        channel = price_channel(self.adapter.exchange, self.case.symbol)
        async with self.adapter.subscribe(channel, gaps=True) as feed:
            async for event in feed:
                if isinstance(event, Gap):
                    self.gaps += 1
                    continue
                tops = best_of(event)
                if tops is not None:
                    self.hear(*tops, tell)

    def hear(self, bid: Level[Decimal], ask: Level[Decimal], tell: Callable[[str], None]) -> None:
        """Take a price."""
        found = self.truth.find_book([(bid.price, bid.quantity)], [(ask.price, ask.quantity)])
        if found is None and self.wrong is None:
            self.wrong = f"{self.name} never had {bid.price} | {ask.price}"
        self.truth.keep_last(KEPT_STATES)
        self.prices += 1
        self.bid, self.ask = bid.price, ask.price
        if not self.live and self.is_connected_anew():
            self.live = True
            again = " again" if self.session > 1 else ""
            tell(f"{self.name}: prices{again}, session {self.session}")

    def is_connected_anew(self) -> bool:
        """Whether events now belong to a session that was opened after the last break."""
        return self.session > self._broken

    def strike(self) -> None:
        """Break its connection."""
        self._broken, self.live = self.session, False
        self.breaks += 1
        strike(self.exchange, self.how, links=1)

    def row(self) -> Row:
        """The current row of the screen."""
        return Row(
            self.name,
            self.case.symbol,
            self.bid,
            self.ask,
            self.live,
            self.session,
            self.gaps,
            self.how.title,
        )

    def report(self) -> VenueReport:
        """The result for this venue."""
        statistics = self.adapter.statistics()
        return VenueReport(
            name=self.name,
            symbol=self.case.symbol,
            how=self.how.title,
            breaks=self.breaks,
            sessions=statistics.sessions_opened,
            reconnects=dict(sorted(statistics.reconnects.items())),
            max_concurrent_connections=max(
                self.exchange.max_concurrent_by_route.values(), default=0
            ),
            prices=self.prices,
            gaps=self.gaps,
            bid=str(self.bid),
            ask=str(self.ask),
        )


def best_of(event: Any) -> tuple[Level[Decimal], Level[Decimal]] | None:
    """The best bid and ask of a quote, or of a book that is synced and has both."""
    if isinstance(event, Quote):
        return (
            Level(event.bid_price, event.bid_quantity),
            Level(event.ask_price, event.ask_quantity),
        )
    if isinstance(event, BookView) and event.synced and event.bids and event.asks:
        return event.bids[0], event.asks[0]
    return None
