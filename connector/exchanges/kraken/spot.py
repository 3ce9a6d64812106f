"""Kraken spot over WebSocket v2: `Spot`.

Source: kraken §1–§4, §7.
"""

# These fields override properties of the base class.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from types import MappingProxyType
from typing import ClassVar

import attrs

from connector.channels import BestQuote, Tickers
from connector.events import N_co
from connector.exchanges.endpoints import Endpoints, check_endpoints
from connector.exchanges.kraken import spot_market_data as market_data
from connector.exchanges.kraken import spot_rest as rest
from connector.exchanges.kraken import v2_decode as decode
from connector.exchanges.kraken import v2_frames as frames
from connector.exchanges.kraken.v2_offers import INTERVALS, OFFERS, SILENCE_SECONDS, catalogues
from connector.exchanges.kraken.v2_venue import RestInterface, V2Venue
from connector.exchanges.offers import Offer
from connector.exchanges.requests import PublicRequests
from connector.exchanges.symbol_form import SymbolForm
from connector.exchanges.venue import Language

PRODUCTION = Endpoints("wss://ws.kraken.com", "https://api.kraken.com")
"""Kraken has no test venue for spot. Source: kraken §1."""

CATALOGUES = catalogues(
    "kraken",
    {
        **OFFERS,
        BestQuote: Offer(
            name="ticker:{symbol}",
            reader=decode.quotes,
            silence_seconds=SILENCE_SECONDS,
            batch="ticker,bbo",
        ),
        # The same stream: it has what both need.
        Tickers: attrs.evolve(OFFERS[Tickers], batch="ticker,bbo"),
    },
    symbol_form=SymbolForm("BTC/USD", "[^/]+/[^/]+", "/"),
)
"""Source: kraken §3."""


@attrs.frozen(kw_only=True)
class Spot(V2Venue[N_co]):
    """Kraken spot.

    Args:
        endpoints: ``kraken.Endpoints.at(stream=…, rest=…)`` of a server that speaks as Kraken does;
            production by default. Kraken has no test venue.
        numbers: `float`, or `decimal.Decimal` for prices and quantities to the last digit.
        compression: whether to offer permessage-deflate, which Kraken does not document.
        book_levels: the levels per side of book deltas and order books: 10, 25, 100, 500 or 1,000.

    Channels of one symbol: trades, best quotes, book deltas and order books (in real time),
    candles, tickers and raw streams, such as ``trade:BTC/USD``, ``ohlc-5:BTC/USD`` or
    ``instrument``. Requests: `depth`, `recent_trades`, and the newest 720 `candles` of an interval.

    - **Best quotes** arrive with the ticker in one stream, when the best bid or ask changes.
    - **Books** have no numbers of changes. With each change Kraken sends a checksum of the best ten
      levels per side, and `OrderBook` verifies it, with floats, too. ``OrderBook(symbol)`` shows
      these ten levels and is never wrong while it is synced. With a larger `depth`, up to
      `book_levels`, a wrong level below the tenth is noticed only when it becomes one of the best
      ten.
    - A **candle** is `closed` by the first trade of the next interval. Intervals without a trade
      have no candle.

    Raises:
        ConfigError: a parameter cannot work.
    """

    catalogues = CATALOGUES
    catalogue = CATALOGUES[100]
    language: ClassVar[Language] = frames
    """How the exchange writes requests and replies."""
    interface: ClassVar[RestInterface] = rest
    routes = MappingProxyType({"public": "/v2"})

    endpoints: Endpoints = attrs.field(default=PRODUCTION, validator=check_endpoints)
    """The URLs to connect to."""

    @property
    def requests(self) -> PublicRequests:
        """The requests that the exchange answers over REST."""
        intervals = {name: int(minutes) for name, minutes in INTERVALS.items()}
        return market_data.requests(self.numbers, intervals)
