"""OKX's tables: limits, channels, and how numbers are written.

Source: okx §1, §2, §4. A rule that no source states is marked *assumed*.
"""

from __future__ import annotations

import math
from typing import Any

import attrs

from connector.exchanges.endpoints import Endpoints
from connector.testing.kits.kit import Ears
from connector.testing.kits.okx import rest
from connector.testing.kits.okx.captured import OkxReader
from connector.testing.kits.okx.dialect import OkxDialect
from connector.testing.kits.okx.symbol_topics import Desk
from connector.testing.market.audience import Audience
from connector.testing.market.matching import Scale
from connector.testing.market.traders import SymbolFlow
from connector.testing.network.server_websocket import Request
from connector.testing.venues.rules import Rules

PUBLIC, BUSINESS = "/ws/v5/public", "/ws/v5/business"
_SYMBOL = r"[A-Z0-9_-]+"
_BARS = r"(?:1s|[135]m|15m|30m|[124]H|(?:6|12)H(?:utc)?|[1235]D(?:utc)?|1W(?:utc)?|[13]M(?:utc)?)"
STREAMS = (
    (rf"(?:trades|bbo-tbt|books5|books|tickers|mark-price):{_SYMBOL}", PUBLIC),
    (rf"(?:funding-rate|open-interest|price-limit|index-tickers):{_SYMBOL}", PUBLIC),
    (r"liquidation-orders:(?:SWAP|FUTURES|MARGIN|OPTION)", PUBLIC),
    (rf"(?:trades-all|(?:mark-price-|index-)?candle{_BARS}):{_SYMBOL}", BUSINESS),
)
"""Channels, and the path that carries them; those for VIPs are left out."""


@attrs.frozen
class OkxKit:
    """OKX's public data."""

    @property
    def rules(self) -> Rules:
        """The limits of a connection."""
        return Rules(
            name="okx",
            routes=(PUBLIC, BUSINESS),
            unrouted_serves=PUBLIC,
            streams=STREAMS,
            messages_per_second=20,  # assumed
            streams_per_connection=1000,  # assumed; the bytes of the arguments are limited
            attempts_per_window=3,  # okx §2
            window_seconds=1.0,
            attempts_before_ban=1000,  # assumed: none is told
            ban_seconds=60.0,
            ping_seconds=math.inf,  # the client pings
            pong_timeout_seconds=math.inf,
            lifetime_seconds=math.inf,  # okx §2
            announces_shutdown=False,
            shutdown_notice_seconds=60.0,
            signed_ids=False,
            rest_prefix="",
            weight_per_minute=600,
            depth_weights=((400, 1),),
            client_silence_seconds=30.0,  # okx §2; that data does not help is assumed
        )

    @property
    def scale(self) -> Scale:
        """How numbers are written."""
        return Scale(tick_decimals=2, lot_decimals=3, price_decimals=2, quantity_decimals=3)

    def converse(self, ears: Ears) -> OkxDialect:
        """The dialect of a new connection."""
        return OkxDialect(ears)

    def open_desk(self, flow: SymbolFlow, audience: Audience) -> Desk:
        """The streams of one symbol."""
        return Desk(flow, audience, self.scale)

    def capture_reader(self) -> OkxReader:
        """How its messages are read as somebody received them."""
        return OkxReader()

    def answer(self, request: Request, symbols: tuple[str, ...], market: Any) -> bytes:
        """The complete HTTP response to a REST request."""
        return rest.answer(request, self.scale, symbols, market)

    def endpoints(self, stream: str, rest: str) -> Endpoints:
        """The addresses of the simulated exchange."""
        return Endpoints.at(stream=stream, rest=rest)
