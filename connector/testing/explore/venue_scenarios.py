"""The core scenarios on every venue: connect, stream and book, over the seeded order flow.

They are named ``okx_connect``, ``okx_stream``, ``okx_book`` and so on. Each synced view of a book
must equal one of the states that the server's own book has had.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import Any

import attrs

from connector import Adapter
from connector.channels import AnyChannel, BestQuote, OrderBook, PartialBook, Trades
from connector.errors import ConfigError
from connector.events import BookView, Gap
from connector.exchanges import binance, bitget, bybit, coinbase, deribit, hyperliquid, kraken, okx
from connector.testing.explore.programs import _NOTICE_SECONDS, adapter_on
from connector.testing.explore.scenario import Scenario
from connector.testing.explore.stage import Stage
from connector.testing.market.order_flow import OrderFlow
from connector.testing.market.truth import MarketTruth
from connector.testing.venues.rules import SimulatedName

RATE_PER_SECOND = 4.0
SHOWN_LEVELS = 5
_EVENTS = 2


@attrs.frozen
class VenueCase:
    """An exchange, and a symbol in its spelling."""

    exchange: Callable[..., Any]
    symbol: str


VENUES: Mapping[SimulatedName, VenueCase] = MappingProxyType(
    {
        "binance_spot": VenueCase(binance.Spot, "ETHUSDC"),
        "binance_usdm": VenueCase(binance.UsdMFutures, "ETHUSDC"),
        "binance_coinm": VenueCase(binance.CoinMFutures, "ETHUSD_PERP"),
        "bybit_spot": VenueCase(bybit.Spot, "ETHUSDT"),
        "bybit_linear": VenueCase(bybit.Linear, "ETHUSDT"),
        "bybit_inverse": VenueCase(bybit.Inverse, "ETHUSD"),
        "okx": VenueCase(okx.Okx, "ETH-USDT-SWAP"),
        "coinbase": VenueCase(coinbase.AdvancedTrade, "ETH-USD"),
        "hyperliquid": VenueCase(hyperliquid.Hyperliquid, "ETH"),
        "kraken": VenueCase(kraken.Spot, "ETH/USD"),
        "kraken_futures": VenueCase(kraken.Futures, "PF_ETHUSD"),
        "kraken_unified": VenueCase(kraken.Unified, "PF_ETHUSD"),
        "deribit": VenueCase(deribit.Deribit, "ETH-PERPETUAL"),
        "bitget_spot": VenueCase(bitget.Spot, "ETHUSDT"),
        "bitget_futures": VenueCase(bitget.Futures, "ETHUSDT"),
    }
)
"""Every simulated venue, by the name of its exchange."""


def lively_channel(exchange: Any, symbol: str) -> AnyChannel:
    """The channel of an exchange that delivers its first event soonest."""
    for kind in (BestQuote, PartialBook, Trades):
        try:
            exchange.stream(kind(symbol))
        except ConfigError:
            continue
        return kind(symbol)
    raise ValueError(f"{exchange!r} offers neither trades nor quotes")


async def connect(stage: Stage, case: VenueCase) -> None:
    """Connect, without a subscription, and leave."""
    async with adapter_on(stage, _describe(case)) as adapter:
        await adapter.wait_connected()
        stage.turn()


async def stream(stage: Stage, case: VenueCase) -> None:
    """Subscribe and read."""
    async with adapter_on(stage, _describe(case)) as adapter:
        await _read(stage, adapter, lively_channel(adapter.exchange, case.symbol), None)


async def book(stage: Stage, case: VenueCase) -> None:
    """Keep a local book, and compare it with the server's book."""
    truth = stage.exchange.keep_truth(case.symbol, SHOWN_LEVELS)
    async with adapter_on(stage, _describe(case)) as adapter:
        await _read(stage, adapter, OrderBook(case.symbol, SHOWN_LEVELS), truth)


def _describe(case: VenueCase) -> Callable[[Any], Any]:
    return lambda endpoints: case.exchange(endpoints=endpoints)


async def _read(stage: Stage, adapter: Adapter, channel: Any, truth: MarketTruth | None) -> None:
    reader = VenueReader(stage, truth)
    async with adapter.subscribe(channel, gaps=True) as feed:
        while reader.events < _EVENTS or not stage.settled:
            reader.saw(await feed.receive())


class VenueReader:
    """Check what one consumer sees: rising sessions with a gap between, and correct books."""

    def __init__(self, stage: Stage, truth: MarketTruth | None) -> None:
        self._stage = stage
        self._truth = truth
        self._counted = stage.reader(gaps=True)
        self._session = 0

    @property
    def events(self) -> int:
        """How many events the consumer has received; of books, only the synced ones."""
        return self._counted.events

    def saw(self, event: Any) -> None:
        """Check one event that the consumer has received."""
        self._stage.turn()
        if isinstance(event, Gap):
            self._session = 0
            return
        if self._truth is not None:
            if not event.synced:
                return
            self._compare(event, self._truth)
        if self._session and event.session != self._session:
            invariant = "I11" if event.session < self._session else "I8"
            self._stage.find(
                invariant, f"session {event.session} follows {self._session} without a Gap"
            )
        self._session = event.session
        self._counted.events += 1

    def _compare(self, view: BookView, truth: MarketTruth) -> None:
        bids, asks = (
            [(Decimal(str(each.price)), Decimal(str(each.quantity))) for each in side]
            for side in (view.bids, view.asks)
        )
        if truth.find_book(bids, asks) is None:
            self._stage.find("I8", f"a wrong book: {view}")


PROGRAMS: Mapping[str, Callable[..., Awaitable[None]]] = MappingProxyType(
    {"connect": connect, "stream": stream, "book": book}
)


def _scenarios() -> Iterator[Scenario]:
    for name, case in VENUES.items():
        for program_name, program in PROGRAMS.items():
            yield Scenario(
                name=f"{name}_{program_name}",
                program=partial(program, case=case),
                venue=name,
                source=OrderFlow(symbols=(case.symbol,), rate_per_second=RATE_PER_SECOND),
                links=2,
                links_per_route=1,
                most_tasks=14,
                notice_seconds=_NOTICE_SECONDS,
            )


VENUE_SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {scenario.name: scenario for scenario in _scenarios()}
)
"""Scenario by name."""
