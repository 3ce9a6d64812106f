"""Kraken's tables: limits, channels, and how numbers are written.

Source: kraken §1–§3, §8b, kraken_futures_v1. A rule that no source states is marked *assumed*.
"""

from __future__ import annotations

import math
from typing import Any

import attrs

from connector.exchanges.endpoints import Endpoints
from connector.testing.kits.kit import Ears
from connector.testing.kits.kraken import rest
from connector.testing.kits.kraken.captured import FuturesReader, V2Reader
from connector.testing.kits.kraken.futures_desk import FuturesDesk
from connector.testing.kits.kraken.futures_dialect import FEEDS, FuturesDialect
from connector.testing.kits.kraken.v2_desk import V2Desk
from connector.testing.kits.kraken.v2_dialect import (
    DEPTHS,
    DERIVATIVES,
    INTERVALS,
    SPOT,
    V2Dialect,
)
from connector.testing.market.audience import Audience
from connector.testing.market.matching import Scale
from connector.testing.market.traders import SymbolFlow
from connector.testing.network.server_websocket import Request
from connector.testing.venues.rules import Rules

SPOT_ROUTE, FUTURES_ROUTE, UNIFIED_ROUTE = "/v2", "/ws/v1", "/v2/public"
_PAIR = r"[A-Za-z0-9.]+/[A-Za-z0-9.]+"
_PRODUCT = r"(?:P[IF]|F[IF])_[A-Za-z0-9]+(?:_\d{6})?"


def _streams(symbol: str, triggers: str) -> tuple[str, ...]:
    """Channels with their parameters.

    ``-history`` begins with a snapshot of what was before; ``-changes`` does without the snapshot
    of what is.
    """
    return (
        rf"trade(?:-history)?:{symbol}",
        rf"ticker-(?:{triggers})(?:-changes)?:{symbol}",
        rf"book-(?:{'|'.join(map(str, DEPTHS))})(?:-changes)?:{symbol}",
        rf"ohlc-(?:{'|'.join(map(str, INTERVALS))})(?:-history)?:{symbol}",
        r"instrument(?:-changes)?",
    )


SPOT_STREAMS = _streams(_PAIR, "trades|bbo")
UNIFIED_STREAMS = _streams(_PRODUCT, "trades")


def _rules(name: Any, route: str, streams: tuple[str, ...], messages_per_second: int) -> Rules:
    return Rules(
        name=name,
        routes=(route,),
        unrouted_serves=route,
        streams=tuple((stream, route) for stream in streams),
        messages_per_second=messages_per_second,
        streams_per_connection=1000,  # assumed
        attempts_per_window=150,  # kraken §2
        window_seconds=600.0,
        attempts_before_ban=0,  # kraken §2: the ban follows at once
        ban_seconds=600.0,  # kraken §2
        ping_seconds=math.inf,  # the client pings
        pong_timeout_seconds=math.inf,
        lifetime_seconds=math.inf,
        announces_shutdown=False,
        shutdown_notice_seconds=0.0,
        signed_ids=False,
        rest_prefix="",
        weight_per_minute=600,
        depth_weights=((1000, 1),),
    )


@attrs.frozen
class SpotKit:
    """Kraken's spot over WebSocket v2."""

    @property
    def rules(self) -> Rules:
        """The limits of a connection."""
        return _rules("kraken", SPOT_ROUTE, SPOT_STREAMS, 60)  # assumed

    @property
    def scale(self) -> Scale:
        """How numbers are written: of a quantity all eight decimals."""
        return Scale(tick_decimals=2, lot_decimals=3, price_decimals=2, quantity_decimals=8)

    def converse(self, ears: Ears) -> V2Dialect:
        """The dialect of a new connection."""
        return V2Dialect(ears, SPOT)

    def open_desk(self, flow: SymbolFlow, audience: Audience) -> V2Desk:
        """The streams of one symbol."""
        return V2Desk(flow, audience, self.scale)

    def capture_reader(self) -> V2Reader:
        """How its messages are read as somebody received them."""
        return V2Reader()

    def answer(self, request: Request, symbols: tuple[str, ...], market: Any) -> bytes:
        """The complete HTTP response to a REST request."""
        return rest.answer_spot(request, symbols, market, self.scale)

    def endpoints(self, stream: str, rest: str) -> Endpoints:
        """The addresses of the simulated exchange."""
        return Endpoints.at(stream=stream, rest=rest)


@attrs.frozen
class FuturesKit:
    """Kraken's futures over WebSocket v1."""

    @property
    def rules(self) -> Rules:
        """The limits of a connection."""
        streams = tuple(rf"{feed}:{_PRODUCT}" for feed in FEEDS)
        return _rules("kraken_futures", FUTURES_ROUTE, streams, 100)  # kraken_futures_v1

    @property
    def scale(self) -> Scale:
        """How numbers are written: whole contracts, as floats."""
        return Scale(tick_decimals=2, lot_decimals=0, price_decimals=2, quantity_decimals=1)

    def converse(self, ears: Ears) -> FuturesDialect:
        """The dialect of a new connection."""
        return FuturesDialect(ears)

    def open_desk(self, flow: SymbolFlow, audience: Audience) -> FuturesDesk:
        """The streams of one product."""
        return FuturesDesk(flow, audience, self.scale)

    def capture_reader(self) -> FuturesReader:
        """How its messages are read as somebody received them."""
        return FuturesReader()

    def answer(self, request: Request, symbols: tuple[str, ...], market: Any) -> bytes:
        """The complete HTTP response to a REST request."""
        return rest.answer_futures(request, symbols, market, self.scale)

    def endpoints(self, stream: str, rest: str) -> Endpoints:
        """The addresses of the simulated exchange."""
        return Endpoints.at(stream=stream, rest=rest)


@attrs.frozen
class UnifiedKit:
    """Kraken's derivatives over the unified WebSocket: the frames of spot, the REST of futures."""

    @property
    def rules(self) -> Rules:
        """The limits of a connection."""
        return _rules("kraken_unified", UNIFIED_ROUTE, UNIFIED_STREAMS, 60)  # assumed, as of spot

    @property
    def scale(self) -> Scale:
        """How numbers are written: with all decimals, as spot does."""
        return Scale(tick_decimals=2, lot_decimals=3, price_decimals=2, quantity_decimals=4)

    def converse(self, ears: Ears) -> V2Dialect:
        """The dialect of a new connection."""
        return V2Dialect(ears, DERIVATIVES)

    def open_desk(self, flow: SymbolFlow, audience: Audience) -> V2Desk:
        """The streams of one product."""
        return V2Desk(flow, audience, self.scale)

    def capture_reader(self) -> V2Reader:
        """How its messages are read as somebody received them."""
        return V2Reader()

    def answer(self, request: Request, symbols: tuple[str, ...], market: Any) -> bytes:
        """The complete HTTP response to a REST request."""
        return rest.answer_futures(request, symbols, market, self.scale)

    def endpoints(self, stream: str, rest: str) -> Endpoints:
        """The addresses of the simulated exchange."""
        return Endpoints.at(stream=stream, rest=rest)
