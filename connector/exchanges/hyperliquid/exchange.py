"""Hyperliquid: one exchange value for perpetuals and spot, one connection for all subscriptions.

Source: hyperliquid §1–§5.
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
from connector.book.rules import HYPERLIQUID
from connector.channels import (
    BestQuote,
    Candles,
    Channel,
    MarkPrices,
    OrderBook,
    PartialBook,
    RawStream,
    Tickers,
    Trades,
)
from connector.errors import ConfigError
from connector.events import N_co
from connector.exchanges import parameters
from connector.exchanges.candles import closed_by_the_next
from connector.exchanges.endpoints import Endpoints, check_endpoints
from connector.exchanges.hyperliquid import decode, frames, market_data, rest
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

PRODUCTION = Endpoints("wss://api.hyperliquid.xyz", "https://api.hyperliquid.xyz")
TESTNET = Endpoints("wss://api.hyperliquid-testnet.xyz", "https://api.hyperliquid-testnet.xyz")
"""Its numbers of assets differ from those of production. Source: hyperliquid §1."""

LIVENESS = Liveness(ping=frames.PING, ping_seconds=30.0)
"""What is sent nothing for 60 s is closed; a pong counts. Source: hyperliquid §3."""

LIMITS = Limits(
    # 1,000 for an address, which has 10 connections.
    streams_per_connection=250,
    # 2,000 a minute for an address.
    requests_per_second=8,
    streams_per_request=1,
    connections_per_window=30,
    window_seconds=60,
    # No end of life is documented.
    lifetime_seconds=math.inf,
    # Not documented; a book has about 2 kB.
    max_message_bytes=4 * 2**20,
)
"""Source: hyperliquid §4."""

FAST_LEVELS, SLOW_LEVELS = 5, 20
_FAST_SILENCE = 15.0
_SLOW_SILENCE = 30.0
"""A slow book comes about every 5 s, whether or not it has changed. Source: hyperliquid §5."""
_CONTEXT_SILENCE = 60.0

_INTERVALS = MappingProxyType(
    {
        each: each
        for each in (
            "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w", "1M",
        )
    }
)  # fmt: skip

_AT_ITS_PACE = MappingProxyType({100: ""})
"""How often a book comes cannot be chosen: what channels ask for by default is taken."""


def _partial(levels: int) -> Offer:
    fast = levels == FAST_LEVELS
    return Offer(
        name=f"{frames.BOOK if fast else frames.SLOW_BOOK}:{{symbol}}",
        reader=decode.fast_book if fast else decode.slow_book,
        parameters={
            "levels": {FAST_LEVELS: "", SLOW_LEVELS: ""},
            "interval_ms": _AT_ITS_PACE,
        },
        sequence=decode.rising_times,
        silence_seconds=_FAST_SILENCE if fast else _SLOW_SILENCE,
    )


_OFFERS: Mapping[type[Any], Offer] = MappingProxyType(
    {
        Trades: Offer(
            name="trades:{symbol}",
            reader=decode.trades,
            fold=decode.each_once,
            repeats=decode.is_seen,
        ),
        BestQuote: Offer(name="bbo:{symbol}", reader=decode.quote, sequence=decode.rising_times),
        # The form depends on the levels: `Hyperliquid.stream` takes the offer of it.
        PartialBook: _partial(FAST_LEVELS),
        Candles: Offer(
            name="candle:{symbol}:{interval}",
            reader=decode.candles,
            parameters={"interval": _INTERVALS},
            fold=lambda _: closed_by_the_next,
        ),
        Tickers: Offer(
            name=f"{frames.CONTEXT}:{{symbol}}",
            reader=decode.ticker,
            silence_seconds=_CONTEXT_SILENCE,
        ),
        MarkPrices: Offer(
            name=f"{frames.CONTEXT}:{{symbol}}",
            reader=decode.mark_price,
            silence_seconds=_CONTEXT_SILENCE,
        ),
    }
)
"""Source: hyperliquid §5."""


def _book(channel: OrderBook, deltas: Stream[Any], numbers: parameters.NumberType) -> BookSource:
    most = SLOW_LEVELS if channel.depth is None else channel.depth
    if most > SLOW_LEVELS:
        raise ConfigError(f"hyperliquid: a book has {SLOW_LEVELS} levels, not {most}")
    return BookSource(deltas, HYPERLIQUID, Extent(shown=channel.depth, needed=1))


def _levels(channel: Channel[Any]) -> int:
    """Of the form of a book that has enough of them."""
    if isinstance(channel, OrderBook):
        return FAST_LEVELS if (channel.depth or SLOW_LEVELS) <= FAST_LEVELS else SLOW_LEVELS
    return channel.levels if isinstance(channel, PartialBook) else FAST_LEVELS


CATALOGUE = Catalogue(
    exchange="hyperliquid",
    of_symbol=_OFFERS,
    book=_book,
    book_from=lambda book: PartialBook(book.symbol, _levels(book), book.interval_ms),
    spell=str,
    symbol_form=SymbolForm("BTC"),
)
_OF_SPOT = attrs.evolve(
    CATALOGUE,
    of_symbol={
        **_OFFERS,
        **{
            kind: attrs.evolve(_OFFERS[kind], name=f"{frames.SPOT_CONTEXT}:{{symbol}}")
            for kind in (Tickers, MarkPrices)
        },
    },
)
"""Contexts of spot come under a name of their own."""


def _catalogue(channel: Any) -> Catalogue:
    """The one that has the names of the streams of `channel`."""
    if isinstance(channel, OrderBook | PartialBook):
        offer = _partial(_levels(channel))
        return attrs.evolve(CATALOGUE, of_symbol={**_OFFERS, PartialBook: offer})
    spot = isinstance(channel, Tickers | MarkPrices) and frames.is_spot(channel.symbol or "")
    return _OF_SPOT if spot else CATALOGUE


@attrs.frozen(kw_only=True)
class Hyperliquid(Venue[N_co]):
    """Hyperliquid perpetuals, those of builders included, and spot.

    Args:
        endpoints: `hyperliquid.TESTNET`, or ``hyperliquid.Endpoints.at(stream=…, rest=…)`` of a
            server that speaks as Hyperliquid does; production by default.
        numbers: `float`, or `decimal.Decimal` for prices and quantities to the last digit.
        compression: whether to offer permessage-deflate, which Hyperliquid does not document.

    Write symbols exactly as Hyperliquid does, in its small and capital letters: ``BTC``, ``kPEPE``,
    ``xyz:GOLD`` of a builder, ``PURR/USDC`` or ``@107`` on spot. `instruments` has the assets of
    ``@107``.

    Channels of one symbol: trades, best quotes, partial books, order books, candles, tickers, mark
    prices, and raw streams, such as ``trades:BTC`` or ``candle:BTC:1m``.

    - **Books** are complete each time, without deltas: 5 levels at each change, or 20 levels about
      every 5 s. `OrderBook` with a ``depth`` of at most 5 uses the fast one.
    - **Trades** begin with some from before your subscription. Each trade is delivered once, also
      after a reconnect. `Trade.trade_id` is a hash that does not rise, so a missing trade yields no
      `Gap`.
    - A **ticker** has the mark price as `last`. Hyperliquid does not send `high` and `low`: they
      are 0. Tickers and **mark prices** of a symbol share one stream, so one adapter can read only
      one of the two. Neither has an exchange time. The funding rate is per hour.
    - A **candle** is `closed` when the next one begins: Hyperliquid does not send it.

    Raises:
        ConfigError: a parameter cannot work.
    """

    catalogue = CATALOGUE
    language: ClassVar[Language] = frames
    """How the exchange writes requests and replies."""
    routes = MappingProxyType({"public": "/ws"})
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
            argument = frames.argument(name)
            if not argument["coin"] or argument["type"] not in frames.TYPES:
                raise ConfigError(
                    f"{self.name}: {name!r} is not a stream; write one of "
                    f"{', '.join(sorted(frames.TYPES))} and the coin, such as 'trades:BTC' or "
                    "'candle:BTC:1m'"
                )
            return raw(channel, frames.name_as_told(argument), argument["coin"], self.default_route)
        return _catalogue(channel).stream(channel, self.numbers)

    @property
    def rest(self) -> RestService:
        """The REST service for instruments."""
        return rest.service(self.endpoints.rest)

    def instruments(self) -> RestRequest[Page[Instrument]]:
        """The request for all instruments: spot, then perpetuals."""
        return rest.instruments()

    @property
    def requests(self) -> PublicRequests:
        """The requests that the exchange answers over REST."""
        return market_data.requests(self.numbers)
