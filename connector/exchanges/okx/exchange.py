"""OKX: one exchange value for spot, swaps and futures, on one connection per route.

Source: okx §1–§6.
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
from connector.book.rules import OKX, OKX_REST
from connector.channels import (
    AggregateTrades,
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
from connector.exchanges.endpoints import Endpoints, check_endpoints
from connector.exchanges.offers import Catalogue, Offer, raw
from connector.exchanges.okx import decode, frames, market_data, rest
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

PRODUCTION = Endpoints("wss://ws.okx.com:8443", "https://openapi.okx.com")
EEA = Endpoints("wss://wseea.okx.com:8443", "https://eea.okx.com")
US = Endpoints("wss://wsus.okx.com:8443", "https://us.okx.com")
"""Production of other regions. Source: okx §1."""

_SIMULATED = {"x-simulated-trading": "1"}
DEMO = Endpoints.at(
    stream="wss://wspap.okx.com:8443", rest="https://openapi.okx.com", headers=_SIMULATED
)
DEMO_EEA = Endpoints.at(
    stream="wss://wseeapap.okx.com:8443", rest="https://eea.okx.com", headers=_SIMULATED
)
DEMO_US = Endpoints.at(
    stream="wss://wsuspap.okx.com:8443", rest="https://us.okx.com", headers=_SIMULATED
)
"""Play money, by a header in every handshake and request. Source: okx §1."""

PUBLIC, BUSINESS = "public", "business"

LIVENESS = Liveness(ping=frames.PING, ping_seconds=20.0, idle_seconds=30.0)
"""Source: okx §2. The exchange closes what is silent for 30 s."""

LIMITS = Limits(
    # 64 kB of arguments, which have fewer than 100 bytes.
    streams_per_connection=600,
    # Not documented.
    requests_per_second=3,
    streams_per_request=40,
    connections_per_window=3,
    window_seconds=1,
    # No such limit.
    lifetime_seconds=math.inf,
    # Not documented; a snapshot of 400 levels has about 30 kB.
    max_message_bytes=4 * 2**20,
    requests_per_hour=480,
)
"""Source: okx §2."""

_QUOTE_SILENCE = 180.0
_BOOK_SILENCE = 180.0
"""An unchanged quote or book is sent again after about a minute."""
_MARK_SILENCE = 60.0
"""A mark price comes every 10 s even without a change."""

_BARS = MappingProxyType(
    {
        **{bar: bar for bar in decode.BAR_MS},
        "1h": "1H", "2h": "2H", "4h": "4H", "6h": "6Hutc", "12h": "12Hutc", "1d": "1Dutc",
        "1w": "1Wutc",
    }
)  # fmt: skip
"""Bars as OKX writes them, and as other exchanges do, whose days begin at 0:00 UTC."""


def _of_interval(bar: str) -> Offer:
    return Offer(name=f"candle{bar}:{{symbol}}", reader=decode.candles_of(bar), route=BUSINESS)


_OFFERS: Mapping[type[Any], Offer] = MappingProxyType(
    {
        Trades: Offer(
            name="trades-all:{symbol}",
            reader=decode.trades,
            route=BUSINESS,
            sequence=shortcuts.rising(decode.rising_trade_ids),
        ),
        AggregateTrades: Offer(
            name="trades:{symbol}",
            reader=decode.trades,
            sequence=shortcuts.rising(decode.rising_trade_ids),
        ),
        BestQuote: Offer(
            name="bbo-tbt:{symbol}",
            reader=decode.quote,
            sequence=decode.rising_ids,
            silence_seconds=_QUOTE_SILENCE,
        ),
        PartialBook: Offer(
            name="books{levels}:{symbol}",
            reader=decode.whole_book,
            parameters={"levels": {5: "5"}, "interval_ms": {100: ""}},
            sequence=decode.rising_ids,
            silence_seconds=_BOOK_SILENCE,
        ),
        BookDeltas: Offer(
            name="books:{symbol}",
            reader=decode.book,
            parameters={"interval_ms": {100: ""}},
            sequence=shortcuts.chained(decode.chained_book_ids),
            silence_seconds=_BOOK_SILENCE,
        ),
        # The reader depends on the interval: `Okx.stream` takes the offer of it.
        Candles: Offer(
            name="candle{interval}:{symbol}",
            reader=decode.candles_of("1m"),
            parameters={"interval": _BARS},
            route=BUSINESS,
        ),
        Tickers: Offer(name="tickers:{symbol}", reader=decode.ticker),
        MarkPrices: Offer(
            name="mark-price:{symbol}", reader=decode.mark_price, silence_seconds=_MARK_SILENCE
        ),
    }
)
_OF_ALL: Mapping[type[Any], Offer] = MappingProxyType(
    {Liquidations: Offer(name="liquidation-orders:SWAP", reader=decode.liquidations)}
)
"""Source: okx §4."""


def _book(channel: OrderBook, deltas: Stream[Any], numbers: parameters.NumberType) -> BookSource:
    if channel.depth is not None and channel.depth > rest.BOOK_LEVELS:
        raise ConfigError(f"okx: a book has {rest.BOOK_LEVELS} levels, not {channel.depth}")
    symbol = deltas.name.partition(":")[2]
    return BookSource(
        deltas,
        attrs.evolve(OKX, read_digits=decode.digits),
        Extent(shown=channel.depth, needed=1, truncated=rest.BOOK_LEVELS),
        snapshot=rest.book(symbol, numbers),
        fallback=attrs.evolve(OKX_REST, read_digits=decode.digits),
    )


CATALOGUE = Catalogue(
    exchange="okx",
    of_symbol=_OFFERS,
    of_all=_OF_ALL,
    book=_book,
    symbol_form=SymbolForm("BTC-USDT", "[^/]+-[^/]+", "-"),
)


@attrs.frozen(kw_only=True)
class Okx(Venue[N_co]):
    """OKX spot, swaps and futures.

    Args:
        endpoints: `okx.EEA`, `okx.US`, `okx.DEMO`, `okx.DEMO_EEA`, `okx.DEMO_US`, or
            ``okx.Endpoints.at(stream=…, rest=…)`` of a server that speaks as OKX does; production
            by default.
        numbers: `float`, or `decimal.Decimal` for prices and quantities to the last digit.
        compression: whether to offer permessage-deflate.

    Channels of one symbol: trades, aggregate trades, best quotes, partial books of 5 levels, book
    deltas and order books of 400 levels (100 ms), candles, tickers, mark prices and raw streams,
    such as ``funding-rate:BTC-USDT-SWAP``. Liquidations are those of all swaps; OKX
    documents that they are incomplete and in no order. Quantities of derivatives are contracts
    (`Instrument.base_quantity`). Mark prices have neither index price nor funding, which OKX sends
    in other streams. OKX has announced that its books
    will begin without a snapshot; they work either way.

    Raises:
        ConfigError: a parameter cannot work.
    """

    catalogue = CATALOGUE
    language: ClassVar[Language] = frames
    """How the exchange writes requests and replies."""
    routes = MappingProxyType({PUBLIC: "/ws/v5/public", BUSINESS: "/ws/v5/business"})
    allows = LIMITS
    lives_by = LIVENESS

    endpoints: Endpoints = attrs.field(default=PRODUCTION, validator=check_endpoints)
    """The URLs to connect to."""

    def stream(self, channel: Channel[E]) -> Stream[E]:
        """The stream of `channel`.

        Raises:
            ConfigError: the exchange does not offer it; the message lists what it does.
        """
        if isinstance(channel, RawStream):
            name = CATALOGUE.check_name(channel.name)
            kind, _, symbol = name.partition(":")
            business = kind.startswith(("candle", "trades-all", "mark-price-candle"))
            return raw(channel, name, symbol, BUSINESS if business else PUBLIC)
        catalogue, interval = CATALOGUE, str(getattr(channel, "interval", ""))
        if interval in _BARS:
            offer = _of_interval(_BARS[interval])
            catalogue = attrs.evolve(CATALOGUE, of_symbol={**_OFFERS, Candles: offer})
        return catalogue.stream(channel, self.numbers)

    @property
    def rest(self) -> RestService:
        """The REST service for books and instruments."""
        return rest.service(self.endpoints)

    def instruments(self) -> RestRequest[Page[Instrument]]:
        """The request for all instruments, a kind at a time; options are left out."""
        return rest.instruments()

    @property
    def requests(self) -> PublicRequests:
        """The requests that the exchange answers over REST."""
        return market_data.requests(self.numbers, _BARS)
