"""Deribit: one exchange value for perpetuals, futures, options and spot, on one connection.

Source: deribit §1–§6.
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
from connector.book.rules import DERIBIT
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
from connector.events import N_co
from connector.exchanges import parameters, shortcuts
from connector.exchanges.candles import closed_by_the_next
from connector.exchanges.deribit import decode, frames, market_data, rest
from connector.exchanges.endpoints import Endpoints, check_endpoints
from connector.exchanges.offers import Catalogue, Offer, raw
from connector.exchanges.protocol import (
    BookSource,
    E,
    Limits,
    Liveness,
    PublicRequests,
    RestRequest,
    RestService,
    Stream,
)
from connector.exchanges.symbol_form import SymbolForm
from connector.exchanges.venue import Language, Venue
from connector.instruments import Instrument

PRODUCTION = Endpoints("wss://www.deribit.com", "https://www.deribit.com")
STREAMS = Endpoints("wss://streams.deribit.com", "https://www.deribit.com")
"""Production, by the host for market data alone."""
TESTNET = Endpoints("wss://test.deribit.com", "https://test.deribit.com")
"""Source: deribit §1."""

LIVENESS = Liveness(
    greeting=(frames.GREETING,),
    ping=frames.PING,
    silence_seconds=2.0 * frames.HEARTBEAT_SECONDS + 10.0,
)
"""Something comes in every interval of heartbeats, which the greeting asks for. Source: deribit §3.
"""

LIMITS = Limits(
    # Not documented for a connection; 500 for a call.
    streams_per_connection=500,
    # About 3.3 subscriptions a second, 10 in a row.
    requests_per_second=3,
    streams_per_request=200,
    # 32 at once; how often is not documented.
    connections_per_window=30,
    window_seconds=60,
    # No such limit.
    lifetime_seconds=math.inf,
    # Not documented; the snapshot of a deep book has about 200 kB.
    max_message_bytes=16 * 2**20,
)
"""Source: deribit §4."""

_INTERVALS = MappingProxyType({100: "100ms", 1000: "agg2"})
_RESOLUTIONS = MappingProxyType(
    {
        **{resolution: resolution for resolution in decode.RESOLUTION_MS},
        "1m": "1", "3m": "3", "5m": "5", "10m": "10", "15m": "15", "30m": "30", "1h": "60",
        "2h": "120", "3h": "180", "6h": "360", "12h": "720", "1d": "1D",
    }
)  # fmt: skip
"""Resolutions as Deribit writes them, and as other exchanges do."""
_BOOK_SILENCE = 900.0
"""Assumed: a subscription begins with a snapshot, so that it can have been accepted for nothing
only for so long; the book of an option may well be quiet for hours.
"""
_MARK_SILENCE = 120.0
"""Assumed: long before the mark price, which follows an index, has moved."""


def _of_resolution(resolution: str) -> Offer:
    return Offer(
        name=f"chart.trades.{{symbol}}.{resolution}",
        reader=decode.candles_of(resolution),
        fold=lambda _: closed_by_the_next,
    )


_OFFERS: Mapping[type[Any], Offer] = MappingProxyType(
    {
        Trades: Offer(
            name="trades.{symbol}.100ms",
            reader=decode.trades,
            sequence=shortcuts.dense(decode.dense_trade_ids, "trade_id"),
        ),
        BestQuote: Offer(name="quote.{symbol}", reader=decode.quote),
        PartialBook: Offer(
            name="book.{symbol}.none.{levels}.{interval_ms}",
            reader=decode.whole_book,
            parameters={
                "levels": {1: "1", 5: "10", 10: "10", 20: "20"},
                "interval_ms": _INTERVALS,
            },
        ),
        BookDeltas: Offer(
            name="book.{symbol}.{interval_ms}",
            reader=decode.book,
            parameters={"interval_ms": _INTERVALS},
            sequence=shortcuts.chained(decode.chained_book_ids),
            silence_seconds=_BOOK_SILENCE,
        ),
        # The reader depends on the interval: `Deribit.stream` takes the offer of it.
        Candles: attrs.evolve(
            _of_resolution("1"),
            name="chart.trades.{symbol}.{interval}",
            parameters={"interval": _RESOLUTIONS},
        ),
        Tickers: Offer(
            name="ticker.{symbol}.100ms", reader=decode.ticker, silence_seconds=_MARK_SILENCE
        ),
        MarkPrices: Offer(
            name="ticker.{symbol}.{interval_ms}",
            reader=decode.mark_price,
            parameters={"interval_ms": _INTERVALS},
            silence_seconds=_MARK_SILENCE,
        ),
        Liquidations: Offer(name="trades.{symbol}.100ms", reader=decode.liquidations),
    }
)
"""Source: deribit §5. What is ``raw`` is only for those who are logged in."""


_FEW_LEVELS = attrs.evolve(_OFFERS[PartialBook], reader=decode.few_levels, reading="few levels")


def _book(channel: OrderBook, deltas: Stream[Any], numbers: parameters.NumberType) -> BookSource:
    return BookSource(deltas, DERIBIT, Extent(shown=channel.depth, needed=1))


CATALOGUE = Catalogue(
    exchange="deribit",
    of_symbol=_OFFERS,
    spell=frames.spell,
    book=_book,
    symbol_form=SymbolForm("BTC-PERPETUAL", "[^/]+[-_][^/]+", "_"),
)


@attrs.frozen(kw_only=True)
class Deribit(Venue[N_co]):
    """Deribit perpetuals, futures, options and spot.

    Args:
        endpoints: `deribit.TESTNET`, `deribit.STREAMS`, or ``deribit.Endpoints.at(stream=…,
            rest=…)`` of a server that speaks as Deribit does; production by default.
        numbers: `float`, or `decimal.Decimal` for prices and quantities to the last digit.
        compression: whether to offer permessage-deflate, which Deribit does not document.

    Channels of one symbol: trades, best quotes, partial books (1, 5, 10 or 20 levels), book deltas
    and whole order books (100 ms, or 1000 for about a second), candles, tickers, mark prices
    (100 ms, or a second by default), liquidations and raw streams, such as
    ``perpetual.BTC-PERPETUAL.100ms``. Deribit's interval ``raw`` needs a login; it is refused.

    - **Trades** are numbered per instrument, so a missing one yields a `Gap`. Block trades and legs
      of combos are `off_book`. **Liquidations** are the trades that liquidated somebody.
    - A **candle** is `closed` when the next one begins.
    - A **ticker** of Deribit contains only the change in percent: `open` and `price_change` are
      computed from it, as exactly as it allows. A price is 0 if there was no trade.
    - **Volumes** are in the base asset. **Quantities** of inverse perpetuals and futures are in USD
      (`Instrument.base_quantity`), all others in the base asset.
    - **Funding** accrues continuously; `funding_rates` yields the rate of each hour.

    Raises:
        ConfigError: a parameter cannot work.
    """

    catalogue = CATALOGUE
    language: ClassVar[Language] = frames
    """How the exchange writes requests and replies."""
    routes = MappingProxyType({"public": "/ws/api/v2"})
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
            _, symbol, *_ = [*name.removeprefix("chart.").split("."), ""]
            return raw(channel, name, symbol, self.default_route)
        offers, interval = _OFFERS, str(getattr(channel, "interval", ""))
        if interval in _RESOLUTIONS:
            offers = {**_OFFERS, Candles: _of_resolution(_RESOLUTIONS[interval])}
        elif (type(channel), getattr(channel, "levels", None)) == (PartialBook, decode.FEW_LEVELS):
            offers = {**_OFFERS, PartialBook: _FEW_LEVELS}
        return attrs.evolve(CATALOGUE, of_symbol=offers).stream(channel, self.numbers)

    @property
    def rest(self) -> RestService:
        """The REST service for instruments."""
        return rest.service(self.endpoints.rest)

    def instruments(self) -> RestRequest[tuple[Instrument, ...]]:
        """The request for all instruments; combos are left out."""
        return rest.instruments()

    @property
    def requests(self) -> PublicRequests:
        """The requests that the exchange answers over REST."""
        return market_data.requests(self.numbers, _RESOLUTIONS)
