"""Bybit's three public markets, each on a connection of its own: `Spot`, `Linear`, `Inverse`.

One connection carries one category: the same symbol exists in several, and frames do not say of
which they are.

Source: bybit §1–§6.
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
from connector.book.rules import BYBIT
from connector.channels import (
    BestQuote,
    BookDeltas,
    Candles,
    Channel,
    Liquidations,
    MarkPrices,
    OrderBook,
    RawStream,
    Tickers,
    Trades,
)
from connector.errors import ConfigError
from connector.events import N_co
from connector.exchanges import parameters, shortcuts
from connector.exchanges.bybit import decode, frames, market_data, rest
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
from connector.exchanges.symbol_form import ANY, JOINED, SymbolForm
from connector.exchanges.venue import Language, Venue
from connector.instruments import Instrument

PRODUCTION = Endpoints("wss://stream.bybit.com", "https://api.bybit.com")
TESTNET = Endpoints("wss://stream-testnet.bybit.com", "https://api-testnet.bybit.com")
DEMO = Endpoints("wss://stream.bybit.com", "https://api-demo.bybit.com")
"""Play money; its public data is that of production. Source: bybit §1."""

ROUTE = "public"

LIVENESS = Liveness(ping=frames.PING, ping_seconds=20.0)
"""Source: bybit §2."""

_LIMITS = Limits(
    # 21,000 bytes of arguments, which are no longer than `frames.LONGEST_TOPIC_BYTES` and quotes.
    streams_per_connection=390,
    # Not documented.
    requests_per_second=5,
    # Not documented but for spot.
    streams_per_request=100,
    connections_per_window=500,
    window_seconds=300,
    # No such limit.
    lifetime_seconds=math.inf,
    # Not documented; a snapshot of 1,000 levels has about 60 kB.
    max_message_bytes=4 * 2**20,
)
"""Source: bybit §2."""

_LEVELS = {20: "50", 100: "200", 200: "1000"}
"""Levels of a book by the milliseconds between its deltas: 200 levels of spot came every 200 ms
until 2026-03-19."""
_QUOTE_SILENCE = 15.0
"""A quote is sent again after 3 s without a change."""
_BOOK_SILENCE = 60.0
_TICKER_SILENCE = 60.0
"""Assumed: long before that time, even a quiet market has moved."""

INTERVALS = MappingProxyType(
    {
        "1m": "1", "3m": "3", "5m": "5", "15m": "15", "30m": "30", "1h": "60", "2h": "120",
        "4h": "240", "6h": "360", "12h": "720", "1d": "D", "1w": "W", "1M": "M",
    }
)  # fmt: skip
"""Intervals as other exchanges write them, and as Bybit does; both can be asked for."""
_SPELLINGS = MappingProxyType({**INTERVALS, **{each: each for each in INTERVALS.values()}})

_COMMON: Mapping[type[Any], Offer] = MappingProxyType(
    {
        Trades: Offer(name="publicTrade.{symbol}", reader=decode.trades),
        BestQuote: Offer(
            name="orderbook.1.{symbol}",
            reader=decode.book,
            fold=decode.best_quote,
            sequence=decode.rising_quote_ids,
            silence_seconds=_QUOTE_SILENCE,
        ),
        BookDeltas: Offer(
            name="orderbook.{interval_ms}.{symbol}",
            reader=decode.book,
            parameters={"interval_ms": _LEVELS},
            sequence=shortcuts.dense(decode.dense_book_ids, "last_update_id"),
            silence_seconds=_BOOK_SILENCE,
        ),
        Candles: Offer(
            name="kline.{interval}.{symbol}",
            reader=decode.candles,
            parameters={"interval": _SPELLINGS},
        ),
        Tickers: Offer(
            name="tickers.{symbol}",
            reader=decode.ticker,
            fold=decode.whole_ticker,
            silence_seconds=_TICKER_SILENCE,
        ),
    }
)
_OF_DERIVATIVES: Mapping[type[Any], Offer] = MappingProxyType(
    {
        **_COMMON,
        MarkPrices: Offer(
            name="tickers.{symbol}",
            reader=decode.ticker,
            fold=decode.mark_price,
            silence_seconds=_TICKER_SILENCE,
        ),
        Liquidations: Offer(name="allLiquidation.{symbol}", reader=decode.liquidations),
    }
)
"""Source: bybit §4."""


def _book(channel: OrderBook, deltas: Stream[Any], numbers: parameters.NumberType) -> BookSource:
    levels = int(_LEVELS[channel.interval_ms])
    if channel.depth is not None and channel.depth > levels:
        raise ConfigError(
            f"bybit: a book of {channel.interval_ms} ms has {levels} levels, not {channel.depth}; "
            "with interval_ms=200 there are 1,000"
        )
    # Whether a level that leaves the depth is deleted is not documented: cutting is right if it
    # is and if it is not.
    return BookSource(deltas, BYBIT, Extent(shown=channel.depth, needed=1, truncated=levels))


def _catalogue(
    name: str, offers: Mapping[type[Any], Offer], symbol_form: SymbolForm = ANY
) -> Catalogue:
    return Catalogue(
        exchange=name,
        symbol_form=symbol_form,
        of_symbol=offers,
        book=_book,
        longest_name_bytes=frames.LONGEST_TOPIC_BYTES,
    )


@attrs.frozen(kw_only=True)
class _Market(Venue[N_co]):
    """What the three have in common."""

    language: ClassVar[Language] = frames
    """How the exchange writes requests and replies."""
    allows = _LIMITS
    lives_by = LIVENESS

    category: ClassVar[str]
    catalogue: ClassVar[Catalogue]

    endpoints: Endpoints = attrs.field(default=PRODUCTION, validator=check_endpoints)
    """The URLs to connect to."""

    def stream(self, channel: Channel[E]) -> Stream[E]:
        """The stream of `channel`.

        Raises:
            ConfigError: the exchange does not offer it; the message lists what it does.
        """
        if isinstance(channel, RawStream):
            name = self.catalogue.check_name(channel.name)
            return raw(channel, name, name.rpartition(".")[2], ROUTE)
        return self.catalogue.stream(channel, self.numbers)

    @property
    def rest(self) -> RestService:
        """The REST service for instruments."""
        return rest.service(self.endpoints.rest)

    def instruments(self) -> RestRequest[Page[Instrument]]:
        """The request for all instruments, a page at a time."""
        return rest.instruments(self.category)

    @property
    def requests(self) -> PublicRequests:
        """The requests that the exchange answers over REST."""
        return market_data.MarketData(self.category, _SPELLINGS).requests(self.numbers)


@attrs.frozen(kw_only=True)
class Spot(_Market[N_co]):
    """Bybit spot.

    Args:
        endpoints: `bybit.TESTNET`, `bybit.DEMO`, or ``bybit.Endpoints.at(stream=…, rest=…)`` of a
            server that speaks as Bybit does; production by default.
        numbers: `float`, or `decimal.Decimal` for prices and quantities to the last digit.
        compression: whether to offer permessage-deflate, which Bybit does not document.

    Channels of one symbol: trades, best quotes, book deltas and order books (50 levels every 20 ms,
    200 levels every 100 ms, 1,000 levels every 200 ms), candles, tickers and raw streams.
    A trade's id is a UUID, read as a number. It does not rise, so a missing trade yields no `Gap`.

    Raises:
        ConfigError: a parameter cannot work.
    """

    category = "spot"
    routes = MappingProxyType({ROUTE: "/v5/public/spot"})
    catalogue = _catalogue("bybit_spot", _COMMON, JOINED)
    allows = attrs.evolve(_LIMITS, streams_per_request=10)


@attrs.frozen(kw_only=True)
class Linear(_Market[N_co]):
    """Bybit perpetuals and futures in USDT and USDC; quantities in the base asset.

    Args:
        endpoints: as in `Spot`.
        numbers: as in `Spot`.
        compression: as in `Spot`.

    The channels of `Spot`, and mark prices and liquidations. Mark prices arrive with the ticker in
    one stream: when they change, up to ten times a second, whatever `interval_ms` is. The price of
    a liquidation is the bankruptcy price.

    Raises:
        ConfigError: a parameter cannot work.
    """

    category = "linear"
    routes = MappingProxyType({ROUTE: "/v5/public/linear"})
    catalogue = _catalogue("bybit_linear", _OF_DERIVATIVES)


@attrs.frozen(kw_only=True)
class Inverse(_Market[N_co]):
    """Bybit perpetuals and futures settled in the base asset; quantities in USD.

    Args:
        endpoints: as in `Spot`.
        numbers: as in `Spot`.
        compression: as in `Spot`.

    The channels of `Linear`. The volume of a ticker is in USD, and its quote volume is in the base
    asset.

    Raises:
        ConfigError: a parameter cannot work.
    """

    category = "inverse"
    routes = MappingProxyType({ROUTE: "/v5/public/inverse"})
    catalogue = _catalogue("bybit_inverse", _OF_DERIVATIVES, SymbolForm("BTCUSD"))
