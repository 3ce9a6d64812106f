"""Bybit's tables: limits, topics, and how numbers are written.

Source: bybit §1, §2, §4. A rule that no source states is marked *assumed*.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import attrs

from connector.exchanges.endpoints import Endpoints
from connector.testing.kits.bybit import rest
from connector.testing.kits.bybit.captured import BybitReader
from connector.testing.kits.bybit.dialect import BybitDialect
from connector.testing.kits.bybit.symbol_topics import Desk
from connector.testing.kits.kit import Ears
from connector.testing.market.audience import Audience
from connector.testing.market.matching import Scale
from connector.testing.market.traders import SymbolFlow
from connector.testing.network.server_websocket import Request
from connector.testing.venues.rules import Rules, VenueName

Category: TypeAlias = Literal["spot", "linear", "inverse"]

_SYMBOL = r"[A-Z0-9-]+"
_COMMON = (
    rf"publicTrade\.{_SYMBOL}",
    rf"orderbook\.(?:1|50|200|1000)\.{_SYMBOL}",
    rf"orderbook\.rpi\.{_SYMBOL}",
    rf"tickers\.{_SYMBOL}",
    rf"kline\.(?:1|3|5|15|30|60|120|240|360|720|D|W|M)\.{_SYMBOL}",
)
_OF_DERIVATIVES = (rf"allLiquidation\.{_SYMBOL}", rf"priceLimit\.{_SYMBOL}")
"""Topics. Source: bybit §4; ``orderbook.500`` is gone since 2025-09-11."""

_NAMES: Mapping[Category, VenueName] = MappingProxyType(
    {"spot": "bybit_spot", "linear": "bybit_linear", "inverse": "bybit_inverse"}
)

SCALE = Scale(tick_decimals=2, lot_decimals=3, price_decimals=2, quantity_decimals=3)
INVERSE_SCALE = Scale(tick_decimals=2, lot_decimals=0, price_decimals=2, quantity_decimals=0)
"""Quantities of inverse contracts are whole USD."""


@attrs.frozen
class BybitKit:
    """One category of Bybit."""

    category: Category

    @property
    def rules(self) -> Rules:
        """The limits of a connection."""
        route = f"/v5/public/{self.category}"
        topics = _COMMON if self.category == "spot" else _COMMON + _OF_DERIVATIVES
        return Rules(
            name=_NAMES[self.category],
            routes=(route,),
            unrouted_serves=route,
            streams=tuple((topic, route) for topic in topics),
            messages_per_second=20,  # assumed
            streams_per_connection=1000,  # assumed; the bytes of the arguments are limited
            connections_at_once=1000,  # bybit §2
            attempts_per_window=500,  # bybit §2
            window_seconds=300.0,
            attempts_before_ban=20,  # assumed
            ban_seconds=600.0,  # bybit §2, of REST
            ping_seconds=math.inf,  # the client pings
            pong_timeout_seconds=math.inf,
            lifetime_seconds=math.inf,  # bybit §2
            announces_shutdown=False,
            shutdown_notice_seconds=0.0,
            signed_ids=False,
            rest_prefix="",
            weight_per_minute=7200,
            depth_weights=((1000, 1),),
            client_silence_seconds=600.0,  # bybit §2; that data does not help is assumed
        )

    @property
    def scale(self) -> Scale:
        """How numbers are written."""
        return INVERSE_SCALE if self.category == "inverse" else SCALE

    def converse(self, ears: Ears) -> BybitDialect:
        """The dialect of a new connection."""
        return BybitDialect(ears, self.category)

    def open_desk(self, flow: SymbolFlow, audience: Audience) -> Desk:
        """The streams of one symbol."""
        return Desk(flow, audience, self.scale, derivative=self.category != "spot")

    def capture_reader(self) -> BybitReader:
        """How its messages are read as somebody received them."""
        return BybitReader()

    def answer(self, request: Request, symbols: tuple[str, ...], market: Any) -> bytes:
        """The complete HTTP response to a REST request."""
        return rest.answer(request, self.category, self.scale, symbols, market)

    def endpoints(self, stream: str, rest: str) -> Endpoints:
        """The addresses of the simulated exchange."""
        return Endpoints.at(stream=stream, rest=rest)
