"""Coinbase Advanced Trade: one exchange value, one connection for all channels.

Source: coinbase A1–A6.
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
from connector.book.rules import COINBASE_ADVANCED
from connector.channels import (
    BestQuote,
    BookDeltas,
    Candles,
    Channel,
    OrderBook,
    RawStream,
    Tickers,
    Trades,
)
from connector.errors import ConfigError
from connector.events import N_co
from connector.exchanges import parameters, shortcuts
from connector.exchanges.candles import closed_by_the_next
from connector.exchanges.coinbase import decode, frames, market_data, rest
from connector.exchanges.endpoints import Endpoints, check_endpoints
from connector.exchanges.offers import Catalogue, Offer, raw
from connector.exchanges.protocol import (
    BookSource,
    E,
    Limits,
    Liveness,
    Page,
    PublicRequests,
    RestRequest,
    RestService,
    Stream,
)
from connector.exchanges.symbol_form import SymbolForm
from connector.exchanges.venue import Language, Venue
from connector.instruments import Instrument

PRODUCTION = Endpoints("wss://advanced-trade-ws.coinbase.com", "https://api.coinbase.com")
"""There is no other: the sandbox has no streams. Source: coinbase A1."""

LIVENESS = Liveness(
    greeting=(frames.GREETING,),
    # A heartbeat comes every second.
    silence_seconds=10.0,
    unanswered="omitted",
)
"""Source: coinbase A2, A3. What subscribes to nothing within 5 s is closed; the greeting does."""

LIMITS = Limits(
    # Not documented.
    streams_per_connection=500,
    # 8 per second and address, for all connections.
    requests_per_second=2,
    # Not documented.
    streams_per_request=50,
    connections_per_window=8,
    window_seconds=1,
    # Not documented: silence is all that tells.
    lifetime_seconds=math.inf,
    # A snapshot of BTC-USD has some MB.
    max_message_bytes=32 * 2**20,
)
"""Source: coinbase A2."""

_OFFERS: Mapping[type[Any], Offer] = MappingProxyType(
    {
        Trades: Offer(
            name="market_trades:{symbol}",
            reader=decode.trades,
            usual=decode.new_trades,
            sequence=shortcuts.rising(decode.rising_trade_ids),
            repeats=decode.was_told,
            batch="market_trades",
        ),
        BestQuote: Offer(name="ticker:{symbol}", reader=decode.quote, batch="ticker"),
        BookDeltas: Offer(
            name=f"{frames.BOOK_FRAMES}:{{symbol}}",
            reader=decode.book,
            usual=decode.changes,
            parameters={"interval_ms": {100: ""}},
            batch=frames.BOOK,
        ),
        Candles: Offer(
            name="candles:{symbol}",
            reader=decode.candles,
            parameters={"interval": {decode.CANDLE_INTERVAL: ""}},
            fold=lambda _: closed_by_the_next,
            batch="candles",
        ),
        Tickers: Offer(name="ticker_batch:{symbol}", reader=decode.ticker, batch="ticker_batch"),
    }
)
"""Source: coinbase A4."""


def _book(channel: OrderBook, deltas: Stream[Any], numbers: parameters.NumberType) -> BookSource:
    # The book is whole: nothing runs out.
    return BookSource(deltas, COINBASE_ADVANCED, Extent(shown=channel.depth, needed=1))


CATALOGUE = Catalogue(
    exchange="coinbase",
    of_symbol=_OFFERS,
    book=_book,
    symbol_form=SymbolForm("BTC-USD", "[^/]+-[^/]+", "-"),
    listed_as=decode.listed_as,
)


@attrs.frozen(kw_only=True)
class AdvancedTrade(Venue[N_co]):
    """Coinbase Advanced Trade: spot, and the futures that it lists.

    Args:
        endpoints: ``coinbase.Endpoints.at(stream=…, rest=…)`` of a server that speaks as Coinbase
            does; production by default.
        numbers: `float`, or `decimal.Decimal` for prices and quantities to the last digit.
        compression: whether to offer permessage-deflate, which Coinbase does not document here.

    Channels of one symbol: trades, best quotes, book deltas and order books of all levels, candles
    of 5 minutes, tickers, and raw streams, such as ``status:BTC-USD``.

    - A **best quote** arrives only with a trade, so it may be old. ``OrderBook(symbol, depth=1)``
      yields every change of the best bid and ask.
    - **Trades** begin with the latest ones, up to 100. After a reconnect you get those that you
      missed, after the `Gap`, and no trade twice.
    - A **ticker** arrives every 5 s. Its `open` is computed, and its `quote_volume` is 0.
    - A **candle** is `closed` when the next one begins: Coinbase does not send it.
    - Coinbase numbers the messages of a connection across all channels. Its
      documentation says that each product has numbers of its own; three observers have seen
      otherwise. If a number is missing, every stream has a `Gap`, and every book is subscribed
      again.
    - ``BTC-USDC`` has the data of ``BTC-USD``. Read only one of the two through one adapter.
    - **Quantities** of futures are contracts (`Instrument.base_quantity`).

    Raises:
        ConfigError: a parameter cannot work.
    """

    catalogue = CATALOGUE
    language: ClassVar[Language] = frames
    """How the exchange writes requests and replies."""
    routes = MappingProxyType({"public": ""})
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
        kind, _, product = CATALOGUE.check_name(channel.name).partition(":")
        kind = frames.BOOK_FRAMES if kind == frames.BOOK else kind
        if kind not in frames.CHANNELS or not product:
            raise ConfigError(
                f"{self.name}: {channel.name!r} is not a stream; write one of "
                f"{', '.join(sorted(frames.CHANNELS))} and a product, such as 'status:BTC-USD'"
            )
        name = f"{kind}:{decode.listed_as(product)}"
        asked = frames.BOOK if kind == frames.BOOK_FRAMES else kind
        stream: Stream[Any] = raw(channel, name, product, self.default_route)
        return attrs.evolve(stream, batch=asked, argument=product, symbol=product)

    @property
    def rest(self) -> RestService:
        """The REST service for products."""
        return rest.service(self.endpoints.rest)

    def instruments(self) -> RestRequest[Page[Instrument]]:
        """The request for all instruments, a page at a time."""
        return rest.instruments()

    @property
    def requests(self) -> PublicRequests:
        """The requests that the exchange answers over REST."""
        return market_data.requests(self.numbers)
