"""Bitget's public markets: `Spot`, and `Futures` in USDT, USDC and coins, each on its connections.

Source: bitget §1–§6.
"""

# These fields override properties of the base class.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar

import attrs

from connector.book import Extent
from connector.book.rules import BITGET
from connector.channels import (
    BestQuote,
    BookDeltas,
    Candles,
    Channel,
    Liquidations,
    MarkPrices,
    OrderBook,
    PartialBook,
    RawStream,
    Tickers,
    Trades,
)
from connector.errors import ConfigError
from connector.events import N_co
from connector.exchanges import parameters, shortcuts
from connector.exchanges.bitget import decode, frames, market_data, rest
from connector.exchanges.bitget.frames import V2, V3, Market
from connector.exchanges.candles import closed_by_the_next
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
from connector.exchanges.symbol_form import JOINED
from connector.exchanges.venue import Venue
from connector.instruments import Instrument

PRODUCTION = Endpoints("wss://ws.bitget.com", "https://api.bitget.com")
DEMO = Endpoints("wss://wspap.bitget.com", "https://api.bitget.com")
"""Play money. Source: bitget §1."""

LIVENESS = Liveness(ping=frames.PING, ping_seconds=25.0)
"""Source: bitget §2. Without a ping the connection is cut though data flows."""

LIMITS = Limits(
    # 1,000 at most; 50 are advised.
    streams_per_connection=50,
    # 10, pings included; requests for books were cut that did not leave a second between them.
    requests_per_second=1,
    streams_per_request=10,
    connections_per_window=300,
    window_seconds=300,
    lifetime_seconds=86_400,
    # Not documented; a snapshot of 1,000 levels has 54 kB.
    max_message_bytes=16 * 2**20,
    requests_per_hour=240,
    bytes_per_request=4096,
)
"""Source: bitget §2."""

_LEVELS, _CLASSIC_LEVELS = 1000, 500
_CLASSIC_MS = 150
"""Between the deltas of v2."""
_QUOTE_SILENCE = _BOOK_SILENCE = _TICKER_SILENCE = 120.0
"""Assumed: nothing is sent again without a change, but a symbol in the wrong market is accepted
and stays silent."""

_INTERVALS = MappingProxyType(
    {
        **{each: each for each in (*decode.INTERVAL_MS, *decode.CLASSIC_INTERVAL_MS)},
        "1h": "1H", "2h": "2H", "4h": "4H", "6h": "6Hutc", "12h": "12Hutc", "1d": "1Dutc",
        "3d": "3Dutc", "1w": "1Wutc",
    }
)  # fmt: skip
"""Intervals as Bitget writes them, and as other exchanges do, whose days begin at 0:00 UTC."""


def _of_interval(interval: str) -> Offer:
    classic = interval in decode.CLASSIC_INTERVAL_MS
    return Offer(
        name=f"v2.candle{interval}:{{symbol}}" if classic else f"kline:{{symbol}}:{interval}",
        reader=decode.candles_of(interval),
        route=V2 if classic else V3,
        fold=lambda _: closed_by_the_next,
    )


_DELTAS = Offer(
    name="books:{symbol}",
    reader=decode.book,
    # 50 ms; 100 is what other exchanges have.
    parameters={"interval_ms": {100: "", 50: "", _CLASSIC_MS: ""}},
    sequence=shortcuts.chained(decode.chained_book_ids),
    silence_seconds=_BOOK_SILENCE,
    route=V3,
)
_CLASSIC_DELTAS = attrs.evolve(
    _DELTAS, name="v2.books:{symbol}", reader=decode.classic_book, route=V2
)
_PARTIAL = Offer(
    name="books{levels}:{symbol}",
    reader=decode.whole_book,
    # As often as it changes: 10 and 20 ms; 100 is what other exchanges have.
    parameters={
        "levels": {5: "5", 15: "15", 50: "50"},
        "interval_ms": {100: "", 20: "", 10: ""},
    },
    silence_seconds=_BOOK_SILENCE,
    route=V3,
)
_CLASSIC_PARTIAL = attrs.evolve(
    _PARTIAL, name="v2.books{levels}:{symbol}", reader=decode.classic_whole_book, route=V2
)

_OFFERS: Mapping[type[Any], Offer] = MappingProxyType(
    {
        Trades: Offer(
            name="publicTrade:{symbol}",
            reader=decode.trades,
            usual=decode.new_trades,
            sequence=shortcuts.rising(decode.other_trade_ids),
            route=V3,
        ),
        BestQuote: Offer(
            name="books1:{symbol}",
            reader=decode.quote,
            silence_seconds=_QUOTE_SILENCE,
            route=V3,
        ),
        PartialBook: _PARTIAL,
        BookDeltas: _DELTAS,
        # The reader depends on the interval: `_Market.stream` takes the offer of it.
        Candles: attrs.evolve(
            _of_interval("1m"),
            name="kline:{symbol}:{interval}",
            parameters={"interval": _INTERVALS},
        ),
        Tickers: Offer(
            name="ticker:{symbol}",
            reader=decode.ticker,
            silence_seconds=_TICKER_SILENCE,
            route=V3,
        ),
    }
)
_OF_FUTURES: Mapping[type[Any], Offer] = MappingProxyType(
    {
        **_OFFERS,
        MarkPrices: Offer(
            name="ticker:{symbol}",
            reader=decode.mark_price,
            silence_seconds=_TICKER_SILENCE,
            route=V3,
        ),
    }
)
_OF_ALL_FUTURES: Mapping[type[Any], Offer] = MappingProxyType(
    {Liquidations: Offer(name="liquidation:usdt-futures", reader=decode.liquidations, route=V3)}
)
"""Source: bitget §4."""


def _book(channel: OrderBook, deltas: Stream[Any], numbers: parameters.NumberType) -> BookSource:
    levels = _CLASSIC_LEVELS if deltas.route == V2 else _LEVELS
    if channel.depth is not None and channel.depth > levels:
        raise ConfigError(f"bitget: a book has {levels} levels, not {channel.depth}")
    # Since 2026 there are no checksums; those of older recordings are made of digits that a float
    # has lost.
    checksum = BITGET.checksum if numbers is Decimal else None
    return BookSource(
        deltas,
        attrs.evolve(BITGET, checksum=checksum),
        # Whether a level that leaves the depth is deleted is not documented: cutting is right if
        # it is and if it is not.
        Extent(shown=channel.depth, needed=1, truncated=levels),
    )


@attrs.frozen(kw_only=True)
class _Markets(Venue[N_co]):
    """What the two have in common."""

    routes = MappingProxyType({V3: f"/{V3}/ws/public", V2: f"/{V2}/ws/public"})
    allows = LIMITS
    lives_by = LIVENESS

    market: ClassVar[Market]
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
            route = V2 if name.startswith(frames.CLASSIC) else V3
            return raw(channel, name, name.partition(":")[2].partition(":")[0], route)
        offers = dict(self.catalogue.of_symbol)
        interval = str(getattr(channel, "interval", ""))
        if interval in _INTERVALS:
            offers[Candles] = _of_interval(_INTERVALS[interval])
        if getattr(channel, "interval_ms", None) == _CLASSIC_MS:
            offers[BookDeltas] = _CLASSIC_DELTAS
        if getattr(channel, "levels", None) == 15:
            offers[PartialBook] = _CLASSIC_PARTIAL
        return attrs.evolve(self.catalogue, of_symbol=offers).stream(channel, self.numbers)

    @property
    def rest(self) -> RestService:
        """The REST service for instruments."""
        return rest.service(self.endpoints.rest)

    def instruments(self) -> RestRequest[Page[Instrument]]:
        """The request for all instruments, a category at a time."""
        return rest.instruments(self.market)

    @property
    def requests(self) -> PublicRequests:
        """The requests that the exchange answers over REST."""
        return market_data.requests(self.market, self.numbers, _INTERVALS)


@attrs.frozen(kw_only=True)
class Spot(_Markets[N_co]):
    """Bitget spot.

    Args:
        endpoints: `bitget.DEMO`, or ``bitget.Endpoints.at(stream=…, rest=…)`` of a server that
            speaks as Bitget does; production by default.
        numbers: `float`, or `decimal.Decimal` for prices and quantities to the last digit.
        compression: whether to offer permessage-deflate, which Bitget does not document.

    Channels of one symbol: trades, best quotes, partial books (5, 15 or 50 levels), book deltas and
    order books of 1,000 levels, candles, tickers and raw streams, such as ``rpi-books:BTCUSDT`` or
    ``v2.ticker:BTCUSDT``. Requests: `depth` (without an update id), `recent_trades` and `candles`.

    - **Intervals** are Bitget's own, whichever you write: deltas arrive every 50 ms, partial books
      of 5 levels every 10 ms, those of 50 levels every 20 ms.
    - **Version 2** of Bitget's API serves, over its own connection: 15 levels, deltas with
      ``interval_ms=150`` (a book of 500 levels), candles of 2 hours, and of 6 hours and more.
    - **Trades** from before your subscription are left out. Their ids jump, so a missing trade
      yields no `Gap`.
    - A **candle** is `closed` when the next one begins.

    Raises:
        ConfigError: a parameter cannot work.
    """

    market = "spot"
    language = frames.Language("spot")
    catalogue = Catalogue(exchange="bitget_spot", symbol_form=JOINED, of_symbol=_OFFERS, book=_book)


@attrs.frozen(kw_only=True)
class Futures(_Markets[N_co]):
    """Bitget perpetuals and futures in USDT, USDC and coins.

    Args:
        endpoints: as in `Spot`.
        numbers: as in `Spot`.
        compression: as in `Spot`.

    The channels and requests of `Spot`, and mark prices, liquidations of all USDT futures (the
    largest of each second) and `funding_rates` (we assume the form of their answer).

    - The name of a **symbol** shows its market: ``BTCUSDT``, ``BTCPERP`` (USDC), ``BTCUSD_CM``
      (coin).
    - The **side** of a liquidation is taken to be that of its order, which Bitget does not
      document.
    - **Quantities** are in the base asset. Those of coin futures are in the quote asset; that is
      an assumption.
    - **Mark prices** arrive with the ticker in one stream, whatever `interval_ms` is.

    Raises:
        ConfigError: a parameter cannot work.
    """

    market = "futures"
    language = frames.Language("futures")
    catalogue = Catalogue(
        exchange="bitget_futures", of_symbol=_OF_FUTURES, of_all=_OF_ALL_FUTURES, book=_book
    )
