"""Kraken's derivatives over the unified WebSocket: `Unified`.

It succeeds the WebSocket v1 of `connector.exchanges.kraken.futures`, which Kraken switches off on
2027-03-01. Its frames are those of spot's v2. Spot itself is announced for the first quarter of
2027: until then `connector.exchanges.kraken.spot` has it.

Source: kraken §8b, and Kraken's reference of the public channels as it stood in autumn 2026.
"""

# These fields override properties of the base class.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import attrs

from connector.channels import AnyChannel, BestQuote, Channel, Liquidations, MarkPrices
from connector.errors import ConfigError
from connector.events import N_co
from connector.exchanges.endpoints import Endpoints, check_endpoints
from connector.exchanges.kraken import futures_market_data as market_data
from connector.exchanges.kraken import futures_rest as rest
from connector.exchanges.kraken import unified_frames as frames
from connector.exchanges.kraken.futures import REST_URL
from connector.exchanges.kraken.v2_offers import OFFERS, catalogues
from connector.exchanges.kraken.v2_venue import RestInterface, V2Venue
from connector.exchanges.protocol import E, Stream
from connector.exchanges.requests import PublicRequests
from connector.exchanges.symbol_form import SymbolForm
from connector.exchanges.venue import Language

PRODUCTION = Endpoints("wss://uws.kraken.com", REST_URL)
"""Kraken has no test venue for derivatives. Source: kraken §1."""

CATALOGUES = catalogues(
    "kraken_unified", OFFERS, symbol_form=SymbolForm("PF_XBTUSD"), learns_digits=True
)

_UNTIL = "Kraken documents none here; kraken.Futures has them until 2027-03-01"
_REASONS: Mapping[type[AnyChannel], str] = MappingProxyType(
    {
        BestQuote: "Kraken sends its tickers when there is a trade: use OrderBook(symbol, 1)",
        MarkPrices: _UNTIL,
        Liquidations: _UNTIL,
    }
)
"""Why it does not offer what a program may look for."""


@attrs.frozen(kw_only=True)
class Unified(V2Venue[N_co]):
    """Kraken's perpetuals and futures over its unified WebSocket.

    Use it in place of `Futures`, whose interface Kraken switches off on 2027-03-01. Symbols,
    trades, order books and tickers are the same.

    Args:
        endpoints: ``kraken.Endpoints.at(stream=…, rest=…)`` of a server that speaks as Kraken does;
            production by default. Kraken has closed its test venue.
        numbers: `float`, or `decimal.Decimal` for prices and quantities to the last digit.
        compression: whether to offer permessage-deflate, which Kraken does not document.
        book_levels: of book deltas and order books: 10, 25, 100, 500 or 1,000.

    Offers trades, book deltas and order books (in real time), candles, tickers and raw streams
    named as ``trade:PF_XBTUSD``, ``ohlc-5:PF_XBTUSD`` or ``instrument``. `OrderBook` verifies the
    checksum of each change, as it does for `Spot`: ``OrderBook(symbol)`` shows the ten levels that
    the checksum covers; with a `depth` up to `book_levels` it shows more. A candle is closed by the
    first trade of the next interval. Candles without trades are not sent.

    It offers neither mark prices nor liquidations: Kraken does not document that tickers have mark
    prices or funding rates, or that a trade says that it is a liquidation. It does not offer best
    quotes: Kraken sends a ticker when there is a trade, not when the best quote changes. Use
    ``OrderBook(symbol, 1)``.

    It answers depth, candles (whose quote volume and number of trades it does not tell: 0) and
    funding rates, and lists the instruments, over the same REST interface as `Futures`. Kraken
    switches that interface off on 2027-03-01, too, and has named no successor for these requests.
    They fail from then on. The streams do not need them, and ``RawStream("instrument")`` lists the
    products.

    Kraken does not document everything. These are assumptions; each is the one that loses least if
    it is wrong:

    - Limits, heartbeats and the end of connections without subscriptions are as on spot.
    - The changes of a book have no numbers. A book is right as long as its checksum is. The
      checksum is made of the numbers as they are written, as on spot, or with the decimals of the
      product: the first snapshot shows which. Should it be neither, an `OrderBook` is never synced,
      and says so; `BookDeltas` brings the changes all the same.
    - The trades of a product have consecutive numbers: a missing number is a `Gap`.
    - What a ticker leaves out has not changed since the day before.

    Quantities of ``PF_`` and ``FF_`` products are in the base asset, those of ``PI_`` and ``FI_``
    are contracts of one USD (`Instrument.base_quantity`).

    Raises:
        ConfigError: a parameter cannot work.
    """

    catalogues = CATALOGUES
    catalogue = CATALOGUES[100]
    language: ClassVar[Language] = frames
    """How the exchange writes requests and replies."""
    interface: ClassVar[RestInterface] = rest
    routes = MappingProxyType({"public": "/v2/public"})

    endpoints: Endpoints = attrs.field(default=PRODUCTION, validator=check_endpoints)
    """The URLs to connect to."""

    def stream(self, channel: Channel[E]) -> Stream[E]:
        """The stream of `channel`.

        Raises:
            ConfigError: the exchange does not offer it; the message lists what it does.
        """
        try:
            return super().stream(channel)
        except ConfigError as error:
            reason = _REASONS.get(type(channel))
            if reason is None:
                raise
            raise ConfigError(f"{error}. {reason}") from None

    @property
    def requests(self) -> PublicRequests:
        """The requests that the exchange answers over REST."""
        return market_data.requests(self.numbers)
