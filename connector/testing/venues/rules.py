"""The rules of the simulated venues of Binance, as tables, each with its source.

A rule without a source is marked *assumed*: it is the strictest plausible one.
"""

from __future__ import annotations

import math
import re
from typing import Any, Literal, TypeAlias
from urllib.parse import unquote

import attrs

VenueName: TypeAlias = Literal[
    "spot", "usdm", "binance_coinm", "bybit_spot", "bybit_linear", "bybit_inverse", "okx",
    "deribit", "kraken", "kraken_futures", "kraken_unified", "bitget_spot", "bitget_futures",
    "coinbase", "hyperliquid",
]  # fmt: skip
"""The first three are Binance: spot, USD-M and COIN-M futures."""
SimulatedName: TypeAlias = Literal["binance_spot", "binance_usdm"] | VenueName
"""The name of an exchange, such as ``binance_usdm``. The short names of Binance's are older."""


def venue_of(name: SimulatedName) -> VenueName:
    """The venue that simulates the exchange called `name`."""
    if name == "binance_spot":
        return "spot"
    return "usdm" if name == "binance_usdm" else name


_SPOT_INTERVALS = "1s|1m|3m|5m|15m|30m|1h|2h|4h|6h|8h|12h|1d|3d|1w|1M"
_USDM_INTERVALS = "1m|3m|5m|15m|30m|1h|2h|4h|6h|8h|12h|1d|3d|1w|1M"
_SYMBOL = r"[^@!/\sA-Z]+"

QUOTES = ("USDT", "USDC", "FDUSD", "BTC", "ETH", "BNB", "EUR")
"""What the symbols of a made-up market may end with."""

SPOT_STREAMS = (
    # binance_spot §5
    (rf"{_SYMBOL}@(?:trade|aggTrade|blockTrade|bookTicker)", ""),
    (rf"{_SYMBOL}@depth(?:@(?:100|1000)ms)?", ""),
    (rf"{_SYMBOL}@depth(?:5|10|20)(?:@(?:100|1000)ms)?", ""),
    (rf"{_SYMBOL}@kline_(?:{_SPOT_INTERVALS})(?:@\+08:00)?", ""),
    (rf"{_SYMBOL}@(?:miniTicker|ticker|avgPrice|referencePrice)", ""),
    (rf"{_SYMBOL}@ticker_(?:1h|4h|1d)", ""),
    (r"!miniTicker@arr|!ticker_(?:1h|4h|1d)@arr", ""),
)
"""Names that exist on spot, and their route (there is only one)."""

USDM_STREAMS = (
    # binance_usdm §2, §4; @0ms and @250ms as in captures
    (rf"{_SYMBOL}@bookTicker|!bookTicker", "/public"),
    (rf"{_SYMBOL}@depth(?:@(?:0|100|250|500)ms)?", "/public"),
    (rf"{_SYMBOL}@depth(?:5|10|20)(?:@(?:100|250|500)ms)?", "/public"),
    (rf"{_SYMBOL}@rpiDepth@500ms", "/public"),
    (rf"{_SYMBOL}@(?:aggTrade|trade|miniTicker|ticker|forceOrder|compositeIndex)", "/market"),
    (rf"{_SYMBOL}@markPrice(?:@1s)?|!markPrice@arr(?:@1s)?", "/market"),
    (rf"{_SYMBOL}@kline_(?:{_USDM_INTERVALS})", "/market"),
    (rf"{_SYMBOL}@continuousKline_(?:{_USDM_INTERVALS})", "/market"),
    (r"!(?:miniTicker|ticker|forceOrder|assetIndex)@arr|!contractInfo", "/market"),
    (rf"{_SYMBOL}@assetIndex|tradingSession", "/market"),
)
"""Names that exist on USD-M futures, and the route that carries them."""

COINM_STREAMS = (
    # binance_coinm §3; @0ms and @250ms as on USD-M
    (rf"{_SYMBOL}@bookTicker|!bookTicker", ""),
    (rf"{_SYMBOL}@depth(?:@(?:0|100|250|500)ms)?", ""),
    (rf"{_SYMBOL}@depth(?:5|10|20)(?:@(?:100|250|500)ms)?", ""),
    (rf"{_SYMBOL}@(?:aggTrade|trade|miniTicker|ticker|forceOrder)", ""),
    (rf"{_SYMBOL}@(?:markPrice|indexPrice)(?:@1s)?", ""),
    (rf"{_SYMBOL}@(?:kline|indexPriceKline|markPriceKline)_(?:{_USDM_INTERVALS})", ""),
    (rf"{_SYMBOL}@continuousKline_(?:{_USDM_INTERVALS})", ""),
    (r"!(?:miniTicker|ticker|forceOrder)@arr|!contractInfo", ""),
)
"""Names that exist on COIN-M futures, on the only route."""


@attrs.frozen(kw_only=True)
class Rules:
    """The limits of one venue. Times in seconds."""

    name: VenueName
    routes: tuple[str, ...]
    """Path prefixes; the empty one is the unrouted form."""
    unrouted_serves: str
    """The route whose streams the unrouted URLs carry."""
    streams: tuple[tuple[str, str], ...]
    messages_per_second: int
    streams_per_connection: int
    attempts_per_window: int
    window_seconds: float
    attempts_before_ban: int
    """Attempts answered 429 before 418 follows (assumed)."""
    ban_seconds: float
    ping_seconds: float
    pong_timeout_seconds: float
    lifetime_seconds: float
    announces_shutdown: bool
    shutdown_notice_seconds: float
    """How long before the end of a connection's life its announcement comes (assumed)."""
    signed_ids: bool
    """Whether request ids may be negative or null; strings may be used on both."""
    rest_prefix: str
    weight_per_minute: int
    depth_weights: tuple[tuple[int, int], ...]
    """(largest limit, weight) of a REST depth snapshot."""
    client_silence_seconds: float = math.inf
    """A client that sends nothing for this time is disconnected."""
    connections_at_once: float = math.inf
    """How many may be open; one more is answered 429."""


SPOT = Rules(
    name="spot",
    routes=("",),
    unrouted_serves="",
    streams=SPOT_STREAMS,
    messages_per_second=5,  # binance_spot §4
    streams_per_connection=1024,  # binance_spot §4
    attempts_per_window=300,  # binance_spot §4
    window_seconds=300.0,
    attempts_before_ban=20,
    ban_seconds=120.0,  # binance_usdm §8: bans last from 2 minutes
    ping_seconds=20.0,  # binance_spot §4
    pong_timeout_seconds=60.0,  # binance_spot §4
    lifetime_seconds=86_400.0,  # binance_spot §4
    announces_shutdown=True,  # binance_spot §4
    shutdown_notice_seconds=10.0,
    signed_ids=True,  # binance_spot §3
    rest_prefix="/api/v3",
    weight_per_minute=6000,  # binance_spot §8
    depth_weights=((100, 5), (500, 25), (1000, 50), (5000, 250)),  # binance_spot §6
)

USDM = Rules(
    name="usdm",
    routes=("/public", "/market", "/private", ""),
    unrouted_serves="/public",  # binance_usdm §2
    streams=USDM_STREAMS,
    messages_per_second=10,  # binance_usdm §3
    streams_per_connection=1024,  # binance_usdm §3
    attempts_per_window=300,  # assumed as on spot, binance_usdm §3
    window_seconds=300.0,
    attempts_before_ban=20,
    ban_seconds=120.0,
    ping_seconds=180.0,  # binance_usdm §3
    pong_timeout_seconds=600.0,  # binance_usdm §3
    lifetime_seconds=86_400.0,  # binance_usdm §3
    announces_shutdown=False,  # binance_usdm §3
    shutdown_notice_seconds=10.0,
    signed_ids=False,  # binance_usdm §3
    rest_prefix="/fapi/v1",
    weight_per_minute=2400,  # binance_usdm §7
    depth_weights=((50, 2), (100, 5), (500, 10), (1000, 20)),  # binance_usdm §5
)

COINM = attrs.evolve(
    USDM,
    name="binance_coinm",
    routes=("",),  # binance_coinm §1
    unrouted_serves="",
    streams=COINM_STREAMS,
    rest_prefix="/dapi/v1",
    # binance_coinm §2 has a sample of 6000; what USD-M allows is the stricter.
    weight_per_minute=2400,
    depth_weights=((50, 2), (100, 5), (500, 10), (1000, 20)),  # binance_coinm §5
)
"""Liveness and rates are those of USD-M. Source: binance_coinm §1."""

VENUES: dict[VenueName, Rules] = {"spot": SPOT, "usdm": USDM, "binance_coinm": COINM}


def routed(rules: Rules, trades: str) -> Rules:
    """`rules`, with ``<symbol>@trade`` on the route "public" or "market" where there are routes.

    Raises:
        ValueError: there is no such route.
    """
    route = f"/{trades}"
    if rules.name != "usdm":
        return rules
    if route not in rules.routes[:2]:
        raise ValueError(f"trades={trades!r} is not a route; write 'public' or 'market'")
    return attrs.evolve(rules, streams=((rf"{_SYMBOL}@trade", route), *rules.streams))


def adjusted(rules: Rules, **instead: float | None) -> Rules:
    """`rules`, with other numbers in place of the venue's; None leaves the venue's."""
    changes: dict[str, Any] = {name: n for name, n in instead.items() if n is not None}
    return attrs.evolve(rules, **changes)


@attrs.frozen
class StreamPath:
    """A WebSocket URL path, understood."""

    route: str
    combined: bool
    streams: tuple[str, ...]


class Venue:
    """The rules of one venue with its stream names compiled."""

    def __init__(self, rules: Rules, *, routes_are_paths: bool = False) -> None:
        self.rules = rules
        self._routes_are_paths = routes_are_paths
        self._patterns = tuple((re.compile(pattern), route) for pattern, route in rules.streams)
        self._routes: dict[str, str | None] = {}

    def route_of(self, stream: str) -> str | None:
        """The route that carries a stream; None: no stream of that name exists."""
        if stream not in self._routes:
            self._routes[stream] = next(
                (route for pattern, route in self._patterns if pattern.fullmatch(stream)), None
            )
        return self._routes[stream]

    def serves(self, route: str, stream: str) -> bool:
        """Whether a connection on `route` gets the data of a stream that it subscribed to."""
        carried_by = self.route_of(stream)
        return carried_by is not None and carried_by == (route or self.rules.unrouted_serves)

    def parse_path(self, target: str) -> StreamPath | None:
        """A request target as the venue understands it; None is a 404."""
        path, _, query = target.partition("?")
        if self._routes_are_paths:
            known = path in self.rules.routes
            return StreamPath(path, combined=False, streams=()) if known else None
        for route in self.rules.routes:
            rest = path.removeprefix(route)
            if not path.startswith(route) or not rest.startswith(("/ws", "/stream")):
                continue
            if rest in ("/stream", "/stream/"):
                pairs = (pair.partition("=") for pair in query.split("&"))
                named = [value for key, _, value in pairs if key == "streams"]
                return StreamPath(route, combined=True, streams=_names("/".join(named)))
            if rest == "/ws" or rest.startswith("/ws/"):
                names = _names(rest.removeprefix("/ws"))
                return StreamPath(route, combined=False, streams=names)
        return None


def _names(joined: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in unquote(joined).split("/") if name))


class AttemptBudget:
    """Connection attempts in a sliding window: 429 when there are too many, then 418."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._attempts: list[float] = []
        self._refused = 0
        self._banned_until = 0.0

    def refuse(self, now: float) -> tuple[int, float] | None:
        """Count an attempt at `now`; return status and Retry-After if there are too many."""
        rules = self._rules
        if now < self._banned_until:
            return 418, self._banned_until - now
        horizon = now - rules.window_seconds
        self._attempts = [moment for moment in self._attempts if moment > horizon]
        if len(self._attempts) < rules.attempts_per_window:
            self._attempts.append(now)
            self._refused = 0
            return None
        self._refused += 1
        if self._refused > rules.attempts_before_ban:
            self._refused = 0
            self._banned_until = now + rules.ban_seconds
            return 418, rules.ban_seconds
        return 429, self._attempts[0] + rules.window_seconds - now
