"""Hyperliquid's tables: limits, subscriptions, and how numbers are written.

Source: hyperliquid §1, §3, §4, §5, §9. A rule that no source states is marked *assumed*.
"""

from __future__ import annotations

import math
from typing import Any

import attrs

from connector.exchanges.endpoints import Endpoints
from connector.testing.kits.hyperliquid import info
from connector.testing.kits.hyperliquid.captured import HyperliquidReader
from connector.testing.kits.hyperliquid.dialect import HyperliquidDialect
from connector.testing.kits.hyperliquid.names import INTERVALS
from connector.testing.kits.hyperliquid.symbol_topics import Desk
from connector.testing.kits.kit import Ears
from connector.testing.market.audience import Audience
from connector.testing.market.matching import Scale
from connector.testing.market.traders import SymbolFlow
from connector.testing.network.server_websocket import Request
from connector.testing.venues.rules import Rules

ROUTE = "/ws"
_PERPETUAL, _SPOT = r"(?:\w+:)?\w+", r"(?:@\d+|\w+/\w+)"
_COIN = rf"(?:{_PERPETUAL}|{_SPOT})"
STREAMS = (
    (rf"(?:trades|bbo|l2Book|l2Book\.slow):{_COIN}", ROUTE),
    (rf"candle:{_COIN}:(?:{INTERVALS})", ROUTE),
    (rf"activeAssetCtx:{_PERPETUAL}|activeSpotAssetCtx:{_SPOT}", ROUTE),
)
"""Subscriptions by the names that `names.stream_of` gives them."""


@attrs.frozen
class HyperliquidKit:
    """Hyperliquid's public data."""

    @property
    def rules(self) -> Rules:
        """The limits of a connection."""
        return Rules(
            name="hyperliquid",
            routes=(ROUTE,),
            unrouted_serves=ROUTE,
            streams=STREAMS,
            messages_per_second=33,  # hyperliquid §4: 2,000 a minute, of an address
            streams_per_connection=1000,  # hyperliquid §4, of an address
            connections_at_once=10,  # hyperliquid §4
            attempts_per_window=30,  # hyperliquid §4
            window_seconds=60.0,
            attempts_before_ban=1000,  # assumed: none is told
            ban_seconds=60.0,
            ping_seconds=math.inf,  # the client pings
            pong_timeout_seconds=math.inf,
            lifetime_seconds=math.inf,  # hyperliquid §3
            announces_shutdown=False,
            shutdown_notice_seconds=0.0,
            signed_ids=False,
            rest_prefix="",
            weight_per_minute=1200,
            depth_weights=((20, 2),),
        )

    @property
    def scale(self) -> Scale:
        """How numbers are written."""
        return Scale(tick_decimals=2, lot_decimals=3, price_decimals=2, quantity_decimals=3)

    def converse(self, ears: Ears) -> HyperliquidDialect:
        """The dialect of a new connection."""
        return HyperliquidDialect(ears)

    def open_desk(self, flow: SymbolFlow, audience: Audience) -> Desk:
        """The subscriptions of one coin."""
        return Desk(flow, audience, self.scale)

    def capture_reader(self) -> HyperliquidReader:
        """How its messages are read as somebody received them."""
        return HyperliquidReader()

    def answer(self, request: Request, symbols: tuple[str, ...], market: Any) -> bytes:
        """The complete HTTP response to a request."""
        return info.answer(request, symbols, market)

    def endpoints(self, stream: str, rest: str) -> Endpoints:
        """The addresses of the simulated exchange."""
        return Endpoints.at(stream=stream, rest=rest)
