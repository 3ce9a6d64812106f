"""Coinbase's tables: limits, channels, and how numbers are written.

Source: coinbase A1, A2, A4. A rule that no source states is marked *assumed*.
"""

from __future__ import annotations

import math
from typing import Any, cast

import attrs

from connector.exchanges.endpoints import Endpoints
from connector.testing.kits.coinbase import rest
from connector.testing.kits.coinbase.captured import CoinbaseReader
from connector.testing.kits.coinbase.dialect import CoinbaseDialect
from connector.testing.kits.coinbase.symbol_topics import Desk
from connector.testing.kits.kit import Ears, PromptEars
from connector.testing.market.audience import Audience
from connector.testing.market.matching import Scale
from connector.testing.market.traders import SymbolFlow
from connector.testing.network.server_websocket import Request
from connector.testing.venues.rules import Rules

PUBLIC = "/"
_PRODUCT = r"[A-Z0-9-]+"
STREAMS = (
    (rf"(?:l2_data|market_trades|ticker|ticker_batch|candles|status):{_PRODUCT}", PUBLIC),
)  # fmt: skip
"""Channels by the names that their messages have."""


@attrs.frozen
class CoinbaseKit:
    """Coinbase's public data."""

    @property
    def rules(self) -> Rules:
        """The limits of a connection."""
        return Rules(
            name="coinbase",
            routes=(PUBLIC,),
            unrouted_serves=PUBLIC,
            streams=STREAMS,
            messages_per_second=8,  # coinbase A2, of an address
            streams_per_connection=1000,  # assumed
            attempts_per_window=8,  # coinbase A2
            window_seconds=1.0,
            attempts_before_ban=1000,  # assumed: none is told
            ban_seconds=60.0,
            ping_seconds=math.inf,  # not documented
            pong_timeout_seconds=math.inf,
            lifetime_seconds=math.inf,  # not documented
            announces_shutdown=False,
            shutdown_notice_seconds=0.0,
            signed_ids=False,
            rest_prefix="",
            weight_per_minute=600,
            depth_weights=((1000, 1),),
        )

    @property
    def scale(self) -> Scale:
        """How numbers are written."""
        return Scale(tick_decimals=2, lot_decimals=3, price_decimals=2, quantity_decimals=8)

    def converse(self, ears: Ears) -> CoinbaseDialect:
        """The dialect of a new connection."""
        return CoinbaseDialect(cast("PromptEars", ears))

    def open_desk(self, flow: SymbolFlow, audience: Audience) -> Desk:
        """The channels of one product."""
        return Desk(flow, audience, self.scale)

    def capture_reader(self) -> CoinbaseReader:
        """How its messages are read as somebody received them."""
        return CoinbaseReader()

    def answer(self, request: Request, symbols: tuple[str, ...], market: Any) -> bytes:
        """The complete HTTP response to a REST request."""
        return rest.answer(request, symbols, market)

    def endpoints(self, stream: str, rest: str) -> Endpoints:
        """The addresses of the simulated exchange."""
        return Endpoints.at(stream=stream, rest=rest)
