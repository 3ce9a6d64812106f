"""Binance COIN-M futures: contracts that are settled in the coin.

They differ from USD-M futures only in this:

.. code-block:: text

    one route       dstream is not split into /public and /market
    quantities      are numbers of contracts; `Instrument.contract_size` has the dollars of one
    turnover        (`quote_volume` of candles and tickers) is an amount of the base asset
    mark prices     are of one symbol: no stream has those of all

A symbol is BTCUSD_PERP (perpetual) or BTCUSD_260925 (delivery). Source: binance_coinm §1–§5.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import attrs

from connector.channels import Channel, Liquidations, Tickers
from connector.events import N_co
from connector.exchanges.binance import decode, frames, market_data, rest, usdm, wire
from connector.exchanges.binance.endpoints import COINM_FUTURES, Endpoints, Environment, resolve
from connector.exchanges.binance.offers import Catalogue, Offer, table
from connector.exchanges.binance.private import BinanceTrading, coinm_trading
from connector.exchanges.protocol import (
    E,
    PublicRequests,
    RestRequest,
    RestService,
    Stream,
)
from connector.exchanges.symbol_form import SymbolForm
from connector.exchanges.venue import Language, Venue
from connector.instruments import Instrument

if TYPE_CHECKING:
    pass

ROUTE = "stream"

WEIGHT_PER_MINUTE = 2400
"""Weight of REST requests per minute. The documentation refers to ``exchangeInfo``, whose example
says 6000 (binance_coinm §2). This is the limit of USD-M, which is lower."""

CATALOGUE = Catalogue(
    exchange="binance_coinm",
    symbol_form=SymbolForm("BTCUSD_PERP", "[^-/]+_[^-/]+"),
    of_symbol=usdm.CATALOGUE.of_symbol,
    of_all=table(
        {
            Tickers: Offer(
                "!ticker@arr",
                wire.Ticker,
                make_reader=decode.all_of(decode.plain, coin_margined=True),
                silence_seconds=30.0,
            ),
            Liquidations: Offer(
                "!forceOrder@arr",
                wire.ForceOrder,
                make_reader=decode.all_of(decode.nested, coin_margined=True),
            ),
        }
    ),
    route=lambda _: ROUTE,
    books=attrs.evolve(usdm.CATALOGUE.books, path="/dapi/v1/depth"),
)
"""Source: binance_coinm §3, §4."""


def _resolve(given: Endpoints | Environment) -> Endpoints:
    return resolve(given, COINM_FUTURES)


@attrs.frozen(kw_only=True)
class CoinMFutures(Venue[N_co]):
    """Binance COIN-M futures.

    Args:
        endpoints: `binance.TESTNET`, `binance.DEMO`, or `binance.Endpoints` of a server that
            speaks as Binance does; production by default.
        numbers: `float`, or `decimal.Decimal` for prices and quantities to the last digit, at
            about four times the cost.
        compression: whether to offer permessage-deflate. Some hosts of Binance futures have sent
            malformed answers to the offer (binance_usdm §3).

    The channels of `binance.UsdMFutures`, without mark prices of all symbols. Binance mixes the
    USD-M market into the streams of all symbols; the feed leaves it out.
    Quantities are numbers of contracts: `Instrument.base_quantity` converts them.

    Raises:
        ConfigError: a parameter cannot work.
    """

    catalogue = CATALOGUE
    language: ClassVar[Language] = frames
    """How the exchange writes requests and replies."""
    routes = MappingProxyType({ROUTE: "/stream"})
    allows = usdm.LIMITS
    lives_by = usdm.LIVENESS

    endpoints: Endpoints = attrs.field(
        default=COINM_FUTURES[Environment.PRODUCTION], converter=_resolve
    )
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
        return coinm_trading(
            stream_base=self.endpoints.stream,
            orders=self.endpoints.orders,
            rest=self.endpoints.rest,
        )

    def instruments(self) -> RestRequest[tuple[Instrument, ...]]:
        """The request for all instruments."""
        return rest.instruments("/dapi/v1/exchangeInfo", 1, futures=True)

    @property
    def requests(self) -> PublicRequests:
        """The requests that the exchange answers over REST."""
        return market_data.COINM.requests(self.numbers)
