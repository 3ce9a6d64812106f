"""Bitget's tables: limits, and how numbers are written.

Source: bitget §1, §2, §4. A rule that no source states is marked *assumed*.
"""

from __future__ import annotations

import math
from typing import Any

import attrs

from connector.exchanges.endpoints import Endpoints
from connector.testing.kits.bitget import rest
from connector.testing.kits.bitget.captured import BitgetReader
from connector.testing.kits.bitget.dialect import BitgetDialect
from connector.testing.kits.bitget.names import (
    FUTURES_STREAMS,
    SPOT_STREAMS,
    V2_ROUTE,
    V3_ROUTE,
    Market,
)
from connector.testing.kits.bitget.symbol_topics import Desk
from connector.testing.kits.kit import Ears
from connector.testing.market.audience import Audience
from connector.testing.market.matching import Scale
from connector.testing.market.traders import SymbolFlow
from connector.testing.network.server_websocket import Request
from connector.testing.venues.rules import Rules


@attrs.frozen
class BitgetKit:
    """One of Bitget's markets."""

    market: Market

    @property
    def rules(self) -> Rules:
        """The limits of a connection."""
        spot = self.market == "spot"
        return Rules(
            name="bitget_spot" if spot else "bitget_futures",
            routes=(V3_ROUTE, V2_ROUTE),
            unrouted_serves=V3_ROUTE,
            streams=SPOT_STREAMS if spot else FUTURES_STREAMS,
            messages_per_second=10,  # bitget §2
            streams_per_connection=1000,  # bitget §2
            connections_at_once=100,  # bitget §2
            attempts_per_window=300,  # bitget §2
            window_seconds=300.0,
            attempts_before_ban=20,  # assumed
            ban_seconds=600.0,  # assumed
            ping_seconds=math.inf,  # the client pings; the dialect wants to see it
            pong_timeout_seconds=math.inf,
            lifetime_seconds=86_400.0,  # bitget §2
            announces_shutdown=False,
            shutdown_notice_seconds=0.0,
            signed_ids=False,
            rest_prefix="",
            weight_per_minute=1200,
            depth_weights=((1000, 1),),
        )

    @property
    def scale(self) -> Scale:
        """How numbers are written."""
        return Scale(tick_decimals=2, lot_decimals=3, price_decimals=2, quantity_decimals=3)

    def converse(self, ears: Ears) -> BitgetDialect:
        """The dialect of a new connection."""
        return BitgetDialect(ears, self.market)

    def open_desk(self, flow: SymbolFlow, audience: Audience) -> Desk:
        """The streams of one symbol."""
        return Desk(flow, audience, self.scale, self.market)

    def capture_reader(self) -> BitgetReader:
        """How its messages are read as somebody received them."""
        return BitgetReader()

    def answer(self, request: Request, symbols: tuple[str, ...], market: Any) -> bytes:
        """The complete HTTP response to a REST request."""
        return rest.answer(request, self.market, symbols, market, self.scale)

    def endpoints(self, stream: str, rest: str) -> Endpoints:
        """The addresses of the simulated exchange."""
        return Endpoints.at(stream=stream, rest=rest)
