"""Kraken spot over WebSocket v2: `Spot`.

Source: kraken §1–§4, §7.
"""

# These fields override properties of the base class.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import math
from types import MappingProxyType
from typing import ClassVar

import attrs

from connector.channels import BestQuote, Channel, RawStream, Tickers
from connector.events import N_co
from connector.exchanges.endpoints import Endpoints, check_endpoints
from connector.exchanges.kraken import spot_market_data as market_data
from connector.exchanges.kraken import spot_rest as rest
from connector.exchanges.kraken import v2_decode as decode
from connector.exchanges.kraken import v2_frames as frames
from connector.exchanges.kraken.v2_offers import (
    INTERVALS,
    OFFERS,
    SILENCE_SECONDS,
    catalogues,
    check_levels,
    raw_stream,
)
from connector.exchanges.offers import Offer
from connector.exchanges.protocol import E, Limits, Liveness, RestRequest, RestService, Stream
from connector.exchanges.requests import PublicRequests
from connector.exchanges.symbol_form import SymbolForm
from connector.exchanges.venue import Language, Venue
from connector.instruments import Instrument

PRODUCTION = Endpoints("wss://ws.kraken.com", "https://api.kraken.com")
"""Kraken has no test venue for spot. Source: kraken §1."""

LIVENESS = Liveness(ping=frames.PING, ping_seconds=5.0, silence_seconds=10.0, idle_seconds=60.0)
"""A heartbeat comes every second while there is no other data, once something is subscribed. Pings
make sure that something comes before that, too. Kraken's own advice is to reconnect after 5 s of
complete silence. Source: kraken §2."""

LIMITS = Limits(
    # Not documented.
    streams_per_connection=400,
    # Dynamic, and not documented.
    requests_per_second=5,
    streams_per_request=50,
    connections_per_window=150,
    window_seconds=600,
    # No such limit.
    lifetime_seconds=math.inf,
    # Not documented; the list of all instruments has 400 kB, a snapshot of 1,000 levels 100 kB.
    max_message_bytes=16 * 2**20,
)
"""Source: kraken §2."""

_CATALOGUES = catalogues(
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
class Spot(Venue[N_co]):
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

    catalogue = _CATALOGUES[100]
    language: ClassVar[Language] = frames
    """How the exchange writes requests and replies."""
    routes = MappingProxyType({"public": "/v2"})
    allows = LIMITS
    lives_by = LIVENESS

    endpoints: Endpoints = attrs.field(default=PRODUCTION, validator=check_endpoints)
    """The URLs to connect to."""
    book_levels: int = attrs.field(default=100, validator=check_levels)
    """How many levels per side the exchange sends of a book."""

    def stream(self, channel: Channel[E]) -> Stream[E]:
        """The stream of `channel`.

        Raises:
            ConfigError: the exchange does not offer it; the message lists what it does.
        """
        catalogue = _CATALOGUES[self.book_levels]
        if not isinstance(channel, RawStream):
            return catalogue.stream(channel, self.numbers)
        return raw_stream(catalogue, channel, self.book_levels, self.default_route)

    @property
    def rest(self) -> RestService:
        """The REST service for instruments."""
        return rest.service(self.endpoints.rest)

    def instruments(self) -> RestRequest[tuple[Instrument, ...]]:
        """The request for all instruments."""
        return rest.instruments()

    @property
    def requests(self) -> PublicRequests:
        """The requests that the exchange answers over REST."""
        intervals = {name: int(minutes) for name, minutes in INTERVALS.items()}
        return market_data.requests(self.numbers, intervals)
