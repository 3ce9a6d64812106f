"""Kraken futures over WebSocket v1: `Futures`.

Kraken switches this interface off on 2027-03-01. `connector.exchanges.kraken.unified` is its
successor.

Source: kraken_futures_v1.
"""

# These fields override properties of the base class.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import attrs

from connector.book import Extent
from connector.book.rules import KRAKEN_FUTURES
from connector.channels import (
    BookDeltas,
    Channel,
    Liquidations,
    MarkPrices,
    OrderBook,
    RawStream,
    Tickers,
    Trades,
)
from connector.events import N_co
from connector.exchanges import parameters, shortcuts
from connector.exchanges.endpoints import Endpoints, check_endpoints
from connector.exchanges.kraken import futures_decode as decode
from connector.exchanges.kraken import futures_frames as frames
from connector.exchanges.kraken import futures_market_data as market_data
from connector.exchanges.kraken import futures_rest as rest
from connector.exchanges.kraken.spot_rest import spell
from connector.exchanges.kraken.v2_decode import dense_trade_ids
from connector.exchanges.offers import Catalogue, Offer, raw
from connector.exchanges.protocol import (
    BookSource,
    E,
    Limits,
    Liveness,
    RestRequest,
    RestService,
    Stream,
)
from connector.exchanges.requests import PublicRequests
from connector.exchanges.symbol_form import SymbolForm
from connector.exchanges.venue import Language, Venue
from connector.instruments import Instrument

REST_URL = "https://futures.kraken.com"
PRODUCTION = Endpoints("wss://futures.kraken.com", REST_URL)
"""The test venue was closed on 2026-07-14."""

_NOTICE = (
    "Kraken switches off the interface of kraken.Futures (futures WebSocket v1 and REST) on "
    "2027-03-01: use kraken.Unified, on the command line kraken_unified"
)
"""Source: kraken §1."""

LIVENESS = Liveness(
    greeting=(frames.HEARTBEATS,),
    ping=frames.PING,
    ping_seconds=30.0,
    also_websocket_ping=True,
)
"""Kraken wants to see a ping every 60 s: a WebSocket ping by its documentation, a message by its
own command line program. Heartbeats are a feed."""

LIMITS = Limits(
    # Not documented.
    streams_per_connection=400,
    # 100 are documented.
    requests_per_second=10,
    # A refusal names nothing, and each of several would be answered by itself.
    streams_per_request=1,
    # As of spot, which has the same host before it.
    connections_per_window=150,
    window_seconds=600,
    # No such limit.
    lifetime_seconds=math.inf,
    # Not documented.
    max_message_bytes=16 * 2**20,
)

_NO_TRADES = (
    f'{market_data.NO_TRADES}; the first message of RawStream("trade:…") has the newest trades'
)
_BOOK_SILENCE = 180.0
"""Assumed: long before that time, the book of a product that is traded has changed."""
_TICKER_SILENCE = 60.0
"""A ticker comes about once a second."""

_REAL_TIME = MappingProxyType({0: "", 100: ""})
"""Only real time exists; 100 is the default of a program that does not choose."""

_OFFERS: Mapping[type[Any], Offer] = MappingProxyType(
    {
        Trades: Offer(
            name="trade:{symbol}",
            reader=decode.trades,
            usual=decode.new_trades,
            sequence=shortcuts.dense(dense_trade_ids, "trade_id"),
            batch="trade",
        ),
        BookDeltas: Offer(
            name="book:{symbol}",
            reader=decode.book,
            parameters={"interval_ms": _REAL_TIME},
            usual=decode.changes,
            sequence=shortcuts.dense(decode.dense_book_ids, "last_update_id"),
            silence_seconds=_BOOK_SILENCE,
            batch="book",
        ),
        Tickers: Offer(
            name="ticker:{symbol}",
            reader=decode.ticker,
            silence_seconds=_TICKER_SILENCE,
            batch="ticker",
        ),
        MarkPrices: Offer(
            name="ticker:{symbol}",
            reader=decode.mark_price,
            silence_seconds=_TICKER_SILENCE,
            batch="ticker",
        ),
        Liquidations: Offer(name="trade:{symbol}", reader=decode.liquidations, batch="trade"),
    }
)


def _book(channel: OrderBook, deltas: Stream[Any], _: parameters.NumberType) -> BookSource:
    return BookSource(deltas, KRAKEN_FUTURES, Extent(shown=channel.depth, needed=1))


CATALOGUE = Catalogue(
    exchange="kraken_futures",
    json_numbers=True,
    of_symbol=_OFFERS,
    spell=spell,
    book=_book,
    symbol_form=SymbolForm("PF_XBTUSD", "[^-/]+_[^-/]+"),
)


@attrs.frozen(kw_only=True)
class Futures(Venue[N_co]):
    """Kraken's perpetuals and futures, over the interface that ends on 2027-03-01.

    Kraken switches this interface off on that day. Its successor is `Unified`: write
    ``kraken.Unified()`` in place of ``kraken.Futures()``, and on the command line and in
    configuration files ``kraken_unified`` in place of ``kraken_futures``. Trades, order books and
    tickers stay the same; mark prices and liquidations are offered only here. Until then, a warning
    is logged each time an adapter to Kraken's own server is opened.

    Args:
        endpoints: ``kraken.Endpoints.at(stream=…, rest=…)`` of a server that speaks as Kraken does;
            production by default. Kraken has closed its test venue.
        numbers: `float`, or `decimal.Decimal` for prices and quantities to the last digit.
        compression: whether to offer permessage-deflate, which Kraken does not document.

    Channels of one symbol: trades, book deltas and whole order books (in real time), tickers, mark
    prices, liquidations and raw streams, such as ``ticker_lite:PF_XBTUSD``. Requests: `depth`,
    `candles` (their quote volume is 0, because Kraken does not send it) and `funding_rates`.

    - **Mark prices** arrive with the ticker in one stream, about once a second, whatever
      `interval_ms` is. Their funding rate is per hour.
    - **Liquidations** arrive with the trades: each is a trade of a liquidation order.
    - **Trades**: `Trade.trade_id` is the number in Kraken's feed. Trades from before your
      subscription, which Kraken sends first, are left out.
    - **Quantities** of ``PF_`` and ``FF_`` products are in the base asset. Those of ``PI_`` and
      ``FI_`` are contracts of one USD (`Instrument.base_quantity`).

    Raises:
        ConfigError: a parameter cannot work.
    """

    catalogue = CATALOGUE
    language: ClassVar[Language] = frames
    """How the exchange writes requests and replies."""
    routes = MappingProxyType({"public": "/ws/v1"})
    allows = LIMITS
    lives_by = LIVENESS

    endpoints: Endpoints = attrs.field(default=PRODUCTION, validator=check_endpoints)
    """The URLs to connect to."""

    def stream(self, channel: Channel[E]) -> Stream[E]:
        """The stream of `channel`.

        Raises:
            ConfigError: the exchange does not offer it; the message lists what it does.
        """
        if not isinstance(channel, RawStream):
            return CATALOGUE.stream(channel, self.numbers)
        name = CATALOGUE.check_name(channel.name)
        feed, _, symbol = name.partition(":")
        return attrs.evolve(raw(channel, name, symbol, self.default_route), batch=feed)

    @property
    def notice(self) -> str | None:
        """That the interface ends, if `endpoints` are Kraken's own."""
        return _NOTICE if self.endpoints == PRODUCTION else None

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
        return market_data.requests(self.numbers, no_trades=_NO_TRADES)
