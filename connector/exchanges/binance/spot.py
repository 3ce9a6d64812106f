"""Binance spot: public market data of one connection per 1,024 streams.

Source: binance_spot §1–§5.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import attrs

from connector.book.rules import BINANCE_SPOT
from connector.channels import (
    AggregateTrades,
    BestQuote,
    BookDeltas,
    Candles,
    Channel,
    PartialBook,
    Tickers,
    Trades,
)
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
from connector.exchanges.binance.endpoints import SPOT, Endpoints, Environment, resolve
from connector.exchanges.binance.offers import Catalogue, Offer, table
from connector.exchanges.binance.private import BinanceTrading, spot_trading
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

ROUTE = "stream"
"""The only one: every stream travels on any connection."""

LIMITS = Limits(
    streams_per_connection=1024,
    # 5, of which the pong to the ping of every 20 s needs one now and then.
    requests_per_second=4,
    streams_per_request=frames.STREAMS_PER_REQUEST,
    connections_per_window=300,
    window_seconds=300,
    lifetime_seconds=24 * 3600,
    # Not documented. The largest frame seen has 35 kB; decoding one of 4 MiB keeps the loop for
    # about 0.1 s, one of 20 MiB, which the official SDK accepts, for half a second.
    max_message_bytes=4 * 2**20,
)
"""Source: binance_spot §4."""

LIVENESS = Liveness()
"""Source: binance_spot §4."""

WEIGHT_PER_MINUTE = 6000
"""Of REST requests. Source: binance_spot §8."""

INTERVALS = tuple("1s 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M".split())  # noqa: SIM905
_DEPTH_INTERVALS = {1000: "", 100: "@100ms"}
# A book that changes is sent every interval. Long before these even a quiet pair has moved.
_DEPTH_SILENCE = {100: 10.0, 1000: 30.0}

CATALOGUE = Catalogue(
    exchange="binance_spot",
    of_symbol=table(
        {
            # Trades, quotes, candles and tickers come when something happens: any time can be
            # quiet, so they have no limit to their silence.
            Trades: Offer(
                "{symbol}@trade",
                wire.Trade,
                sequence=shortcuts.dense(sequence.dense_trade_ids, "trade_id"),
            ),
            AggregateTrades: Offer(
                "{symbol}@aggTrade",
                wire.AggregateTrade,
                sequence=shortcuts.dense(sequence.dense_trade_ids, "trade_id"),
            ),
            BestQuote: Offer("{symbol}@bookTicker", wire.Quote, sequence=sequence.rising_quote_ids),
            PartialBook: Offer(
                "{symbol}@depth{levels}{interval_ms}",
                wire.SpotPartialBook,
                make_reader=decode.anonymous,
                parameters={
                    "levels": {5: "5", 10: "10", 20: "20"},
                    "interval_ms": _DEPTH_INTERVALS,
                },
                sequence=sequence.rising_book_ids,
                glance=wire.SpotPartialBookGlance,
                silence_seconds=_DEPTH_SILENCE,
            ),
            BookDeltas: Offer(
                "{symbol}@depth{interval_ms}",
                wire.BookDelta,
                parameters={"interval_ms": _DEPTH_INTERVALS},
                sequence=sequence.dense_delta_ids,
                silence_seconds=_DEPTH_SILENCE,
            ),
            Candles: Offer(
                "{symbol}@kline_{interval}",
                wire.Kline,
                make_reader=decode.nested,
                parameters={"interval": {each: each for each in INTERVALS}},
            ),
            Tickers: Offer("{symbol}@ticker", wire.Ticker),
        }
    ),
    # !bookTicker was retired on 2022-12-07, !ticker@arr on 2026-03-26.
    of_all=table({}),
    route=lambda _: ROUTE,
    books=rest.BookOffer(
        BINANCE_SPOT,
        "/api/v3/depth",
        ((20, 500, 25), (500, 1000, 50), (2500, 5000, 250)),
        whole=1,
    ),
)
"""Source: binance_spot §5, §6."""


def _resolve(given: Endpoints | Environment) -> Endpoints:
    return resolve(given, SPOT)


@attrs.frozen(kw_only=True)
class Spot(Venue[N_co]):
    """Binance spot.

    Args:
        endpoints: `binance.TESTNET`, `binance.DEMO`, or `binance.Endpoints` of a server that
            speaks as Binance does; production by default.
        numbers: `float`, or `decimal.Decimal` for prices and quantities to the last digit, at
            about four times the cost.
        compression: whether to offer permessage-deflate, which Binance does not document.

    Channels of one symbol: trades, aggregate trades, best quotes, partial books (5, 10 or 20
    levels; 100 or 1000 ms), book deltas (100 or 1000 ms), candles, tickers and raw streams. Binance
    removed the tickers of all symbols on 2026-03-26; ``RawStream("!miniTicker@arr")`` remains.

    Raises:
        ConfigError: a parameter cannot work.
    """

    catalogue = CATALOGUE
    language: ClassVar[Language] = frames
    """How the exchange writes requests and replies."""
    routes = MappingProxyType({ROUTE: "/stream"})
    allows = LIMITS
    lives_by = LIVENESS

    endpoints: Endpoints = attrs.field(default=SPOT[Environment.PRODUCTION], converter=_resolve)
    """The URLs to connect to."""

    def stream(self, channel: Channel[E]) -> Stream[E]:
        """The stream of `channel`.

        Raises:
            ConfigError: the exchange does not offer it; the message lists what it does.
        """
        return CATALOGUE.stream(channel, self.numbers)

    @property
    def rest(self) -> RestService:
        """The REST service for snapshots and instruments."""
        return rest.service(self.endpoints.rest, WEIGHT_PER_MINUTE)

    @property
    def trading(self) -> BinanceTrading:
        """The private side: accounts and orders."""
        return spot_trading(orders=self.endpoints.orders, rest=self.endpoints.rest)

    def instruments(self) -> RestRequest[tuple[Instrument, ...]]:
        """The request for all instruments."""
        return rest.instruments("/api/v3/exchangeInfo", 20, futures=False)

    @property
    def requests(self) -> PublicRequests:
        """The requests that the exchange answers over REST."""
        return market_data.SPOT.requests(self.numbers)
