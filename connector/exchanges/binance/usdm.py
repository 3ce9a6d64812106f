"""Binance USDⓈ-M futures: public market data, on one connection per route.

Since 2026-04-23 the streams are split by path. A stream asked for on the wrong path is
acknowledged and then silent, so every stream is routed by its name, raw ones too:

.. code-block:: text

    /public   the book: bookTicker, depth, depth5|10|20, rpiDepth
    /market   everything else that is market data; but see `Endpoints.trades`
    /private  user data, by listen key: not offered by this version

Source: binance_usdm §1–§4.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import attrs

from connector.book.rules import BINANCE_FUTURES
from connector.channels import (
    AggregateTrades,
    BestQuote,
    BookDeltas,
    Candles,
    Channel,
    Liquidations,
    MarkPrices,
    PartialBook,
    Tickers,
    Trades,
)
from connector.errors import ConfigError
from connector.events import N_co
from connector.exchanges import shortcuts
from connector.exchanges.binance import (
    decode,
    frames,
    market_data,
    rest,
    sequence,
    wire,
)
from connector.exchanges.binance.endpoints import USDM_FUTURES, Endpoints, Environment, resolve
from connector.exchanges.binance.offers import Catalogue, Offer, table
from connector.exchanges.binance.private import BinanceTrading, usdm_trading
from connector.exchanges.protocol import (
    E,
    Limits,
    Liveness,
    PublicRequests,
    RestRequest,
    RestService,
    Stream,
)
from connector.exchanges.venue import Language, Venue
from connector.instruments import Instrument

if TYPE_CHECKING:
    pass

PUBLIC = "public"
MARKET = "market"

_ROUTES = (
    (PUBLIC, re.compile(r"[^@]+@bookTicker|!bookTicker")),
    (PUBLIC, re.compile(r"[^@]+@depth(5|10|20)?(@\d+ms)?")),
    (PUBLIC, re.compile(r"[^@]+@rpiDepth(@\d+ms)?")),
    (MARKET, re.compile(r"[^@]+@(aggTrade|trade|miniTicker|ticker|forceOrder|compositeIndex)")),
    (MARKET, re.compile(r"[^@]+@markPrice(@1s)?|!markPrice@arr(@1s)?")),
    (MARKET, re.compile(r"[^@]+@(kline|continuousKline)_\w+")),
    (MARKET, re.compile(r"!(miniTicker|ticker|forceOrder)@arr|!contractInfo")),
    (MARKET, re.compile(r"!assetIndex@arr|[^@]+@assetIndex|tradingSession")),
    # A name that is not documented: whatever is not the book is called market data.
    (MARKET, re.compile(r"[^@]*@.+|!.+")),
)
"""Route by the whole name of a stream, the first that matches. Source: binance_usdm §2."""
_TRADES = re.compile(r"[^@]+@trade")

LIMITS = Limits(
    streams_per_connection=1024,
    # 10, of which pongs need some.
    requests_per_second=8,
    streams_per_request=frames.STREAMS_PER_REQUEST,
    # Not documented for futures; that of spot.
    connections_per_window=300,
    window_seconds=300,
    lifetime_seconds=24 * 3600,
    # Not documented; the official SDK accepts this, and the largest frame seen has 26 kB.
    max_message_bytes=4 * 2**20,
)
"""Source: binance_usdm §3, binance_spot §4."""

LIVENESS = Liveness()
"""Source: binance_usdm §3."""

WEIGHT_PER_MINUTE = 2400
"""Of REST requests. Source: binance_usdm §7."""

INTERVALS = tuple("1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M".split())  # noqa: SIM905
_DEPTH_INTERVALS = {100: "@100ms", 250: "", 500: "@500ms"}
# A book that changes is sent every interval. Long before these even a quiet pair has moved.
_DEPTH_SILENCE = {0: 10.0, 100: 10.0, 250: 15.0, 500: 15.0}
_MARK_PRICE_INTERVALS = {1000: "@1s", 3000: ""}
# Sent by the clock, also when nothing changes.
_MARK_PRICE_SILENCE = {1000: 10.0, 3000: 15.0}


def route_of(name: str) -> str:
    """The route of the stream `name`.

    Raises:
        ConfigError: it is no market data.
    """
    for route, pattern in _ROUTES:
        if pattern.fullmatch(name):
            return route
    raise ConfigError(
        f"binance_usdm has no market data stream {name!r}: it would belong to /private, which is "
        'not offered by this version; write a name such as "ethusdc@depth5@100ms"'
    )


CATALOGUE = Catalogue(
    exchange="binance_usdm",
    of_symbol=table(
        {
            # Trades, quotes, candles, tickers and liquidations come when something happens: any
            # time can be quiet, so they have no limit to their silence.
            Trades: Offer(
                "{symbol}@trade",
                wire.FuturesTrade,
                sequence=shortcuts.dense(
                    sequence.dense_ids_of_trades_and_blanks, "trade_id", "quantity"
                ),
                blank_id=sequence.blank_id,
            ),
            AggregateTrades: Offer(
                "{symbol}@aggTrade",
                wire.AggregateTrade,
                sequence=shortcuts.dense(sequence.dense_trade_ids, "trade_id"),
            ),
            BestQuote: Offer(
                "{symbol}@bookTicker", wire.TimedQuote, sequence=sequence.rising_quote_ids
            ),
            PartialBook: Offer(
                "{symbol}@depth{levels}{interval_ms}",
                wire.PartialBook,
                parameters={
                    "levels": {5: "5", 10: "10", 20: "20"},
                    "interval_ms": _DEPTH_INTERVALS,
                },
                sequence=sequence.rising_book_ids,
                glance=wire.PartialBookGlance,
                silence_seconds=_DEPTH_SILENCE,
            ),
            BookDeltas: Offer(
                "{symbol}@depth{interval_ms}",
                wire.ChainedBookDelta,
                # 0 is real time: not documented, but served.
                parameters={"interval_ms": {0: "@0ms", **_DEPTH_INTERVALS}},
                sequence=sequence.chained_delta_ids,
                silence_seconds=_DEPTH_SILENCE,
            ),
            Candles: Offer(
                "{symbol}@kline_{interval}",
                wire.Kline,
                make_reader=decode.nested,
                parameters={"interval": {each: each for each in INTERVALS}},
            ),
            Tickers: Offer("{symbol}@ticker", wire.Ticker),
            MarkPrices: Offer(
                "{symbol}@markPrice{interval_ms}",
                wire.MarkPrice,
                make_reader=decode.funded,
                parameters={"interval_ms": _MARK_PRICE_INTERVALS},
                silence_seconds=_MARK_PRICE_SILENCE,
            ),
            Liquidations: Offer("{symbol}@forceOrder", wire.ForceOrder, make_reader=decode.nested),
        }
    ),
    of_all=table(
        {
            Tickers: Offer(
                "!ticker@arr",
                wire.Ticker,
                make_reader=decode.all_of(decode.plain),
                # Every second those that changed: of hundreds of symbols some always did.
                silence_seconds=30.0,
            ),
            MarkPrices: Offer(
                "!markPrice@arr{interval_ms}",
                wire.MarkPrice,
                make_reader=decode.all_of(decode.funded),
                parameters={"interval_ms": _MARK_PRICE_INTERVALS},
                silence_seconds=_MARK_PRICE_SILENCE,
            ),
            Liquidations: Offer(
                "!forceOrder@arr",
                wire.ForceOrder,
                make_reader=decode.all_of(decode.nested),
            ),
        }
    ),
    route=route_of,
    books=rest.BookOffer(
        BINANCE_FUTURES,
        "/fapi/v1/depth",
        ((20, 500, 10), (500, 1000, 20)),
        whole=1,
    ),
)
"""Source: binance_usdm §4, §5."""


def _resolve(given: Endpoints | Environment) -> Endpoints:
    return resolve(given, USDM_FUTURES)


@attrs.frozen(kw_only=True)
class UsdMFutures(Venue[N_co]):
    """Binance USDⓈ-M futures.

    Args:
        endpoints: `binance.TESTNET`, `binance.DEMO`, or `binance.Endpoints` of a server that
            speaks as Binance does; production by default.
        numbers: `float`, or `decimal.Decimal` for prices and quantities to the last digit, at
            about four times the cost.
        compression: whether to offer permessage-deflate. Some hosts of Binance futures have sent
            malformed answers to the offer (binance_usdm §3).

    Channels of one symbol: trades, aggregate trades, best quotes, partial books (5, 10 or 20
    levels; 100, 250 or 500 ms), book deltas (100, 250 or 500 ms; 0 is real time), candles, tickers,
    mark prices (1000 or 3000 ms), liquidations and raw streams.
    Tickers, mark prices and liquidations also exist for all symbols. Binance mixes those of the
    COIN-M market into them; the feed leaves them out.

    Raises:
        ConfigError: a parameter cannot work.
    """

    catalogue = CATALOGUE
    language: ClassVar[Language] = frames
    """How the exchange writes requests and replies."""
    routes = MappingProxyType({PUBLIC: f"/{PUBLIC}/stream", MARKET: f"/{MARKET}/stream"})
    allows = LIMITS
    lives_by = LIVENESS

    endpoints: Endpoints = attrs.field(
        default=USDM_FUTURES[Environment.PRODUCTION], converter=_resolve
    )
    """The URLs to connect to."""

    def stream(self, channel: Channel[E]) -> Stream[E]:
        """The stream of `channel`.

        Raises:
            ConfigError: the exchange does not offer it; the message lists what it does.
        """
        stream = CATALOGUE.stream(channel, self.numbers)
        if _TRADES.fullmatch(stream.name):
            return attrs.evolve(stream, route=self.endpoints.trades)
        return stream

    @property
    def rest(self) -> RestService:
        """The REST service for snapshots and instruments."""
        return rest.service(self.endpoints.rest, WEIGHT_PER_MINUTE)

    @property
    def trading(self) -> BinanceTrading:
        """The private side: accounts and orders."""
        return usdm_trading(
            stream_base=self.endpoints.stream,
            orders=self.endpoints.orders,
            rest=self.endpoints.rest,
        )

    def instruments(self) -> RestRequest[tuple[Instrument, ...]]:
        """The request for all instruments."""
        return rest.instruments("/fapi/v1/exchangeInfo", 1, futures=True)

    @property
    def requests(self) -> PublicRequests:
        """The requests that the exchange answers over REST."""
        return market_data.USDM.requests(self.numbers)
