"""Deribit's tables: limits, channels, and how numbers are written.

Source: deribit §1, §4, §5. A rule that no source states is marked *assumed*.
"""

from __future__ import annotations

import math
from typing import Any

import attrs

from connector.exchanges.endpoints import Endpoints
from connector.testing.kits.deribit import rest
from connector.testing.kits.deribit.captured import DeribitReader
from connector.testing.kits.deribit.dialect import DeribitDialect
from connector.testing.kits.deribit.symbol_topics import Desk
from connector.testing.kits.kit import Ears
from connector.testing.market.audience import Audience
from connector.testing.market.matching import Scale
from connector.testing.market.traders import SymbolFlow
from connector.testing.network.server_websocket import Request
from connector.testing.venues.rules import Rules

ROUTE = "/ws/api/v2"
_SYMBOL = r"[A-Z0-9_d-]+"
_INTERVAL = r"(?:100ms|agg2)"
STREAMS = tuple(
    (pattern, ROUTE)
    for pattern in (
        rf"book\.{_SYMBOL}\.{_INTERVAL}",
        rf"book\.{_SYMBOL}\.(?:none|1|2|5|10|25|100|250)\.(?:1|10|20)\.{_INTERVAL}",
        rf"(?:quote|incremental_ticker)\.{_SYMBOL}",
        rf"(?:ticker|trades|perpetual)\.{_SYMBOL}\.{_INTERVAL}",
        rf"trades\.(?:future|option|spot|future_combo|option_combo)\.[A-Z]+\.{_INTERVAL}",
        rf"chart\.trades\.{_SYMBOL}\.(?:1|3|5|10|15|30|60|120|180|360|720|1D)",
        r"(?:deribit_price_index|deribit_volatility_index|estimated_expiration_price)\.[a-z_]+",
        r"markprice\.options\.[a-z_]+",
        r"instrument\.(?:state|creation)\.[a-z_]+\.[A-Za-z]+",
        r"platform_state(?:\.public_methods_state)?|announcements",
    )
)
"""Channels for those who are not logged in, which leaves out what is raw."""


@attrs.frozen
class DeribitKit:
    """Deribit's public data."""

    @property
    def rules(self) -> Rules:
        """The limits of a connection."""
        return Rules(
            name="deribit",
            routes=(ROUTE,),
            unrouted_serves=ROUTE,
            streams=STREAMS,
            messages_per_second=200,  # deribit §4, of a third party; the credits are in the dialect
            streams_per_connection=500,  # assumed: what one call may ask for
            connections_at_once=32,  # deribit §4; those of HTTP are not counted here
            attempts_per_window=100,  # assumed: only open connections are limited
            window_seconds=60.0,
            attempts_before_ban=1000,  # assumed: none is told
            ban_seconds=60.0,
            ping_seconds=math.inf,  # its heartbeats are messages
            pong_timeout_seconds=math.inf,
            lifetime_seconds=math.inf,  # deribit §3
            announces_shutdown=False,
            shutdown_notice_seconds=0.0,
            signed_ids=True,
            rest_prefix="",
            weight_per_minute=1200,
            depth_weights=((10_000, 1),),
        )

    @property
    def scale(self) -> Scale:
        """How numbers are written: amounts are multiples of 10, as of the inverse BTC."""
        return Scale(tick_decimals=2, lot_decimals=-1, price_decimals=2, quantity_decimals=1)

    def converse(self, ears: Ears) -> DeribitDialect:
        """The dialect of a new connection."""
        return DeribitDialect(ears)

    def open_desk(self, flow: SymbolFlow, audience: Audience) -> Desk:
        """The channels of one instrument."""
        return Desk(flow, audience, self.scale)

    def capture_reader(self) -> DeribitReader:
        """How its messages are read as somebody received them."""
        return DeribitReader()

    def answer(self, request: Request, symbols: tuple[str, ...], market: Any) -> bytes:
        """The complete HTTP response to a REST request."""
        return rest.answer(request, self.scale, symbols, market)

    def endpoints(self, stream: str, rest: str) -> Endpoints:
        """The addresses of the simulated exchange."""
        return Endpoints.at(stream=stream, rest=rest)
