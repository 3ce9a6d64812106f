"""Open trading at a simulated exchange: build everything that accounts need.

`connector.testing.exchange.exchange` gives it a market, a clock and connections.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

import attrs
import msgspec
import trio

from connector.testing.exchange.trading.accounts import TradingAccount
from connector.testing.exchange.trading.coinm.table import CoinmMethods
from connector.testing.exchange.trading.control import Trading
from connector.testing.exchange.trading.conversation import Conversation, Port
from connector.testing.exchange.trading.delays import Delays, DrawnDelays
from connector.testing.exchange.trading.dispatch import FUNDING_MS, Desk
from connector.testing.exchange.trading.exchange_state import (
    House,
    VenueName,
    build,
    running_accounts,
)
from connector.testing.exchange.trading.gateway import Gateway
from connector.testing.exchange.trading.instruments import Instrument
from connector.testing.exchange.trading.limits import (
    COINM_ORDER_LIMITS,
    SPOT_ORDER_LIMITS,
    USDM_ORDER_LIMITS,
    OrderCounts,
    OrderLimit,
    Weights,
)
from connector.testing.exchange.trading.listen_keys import ListenKeys
from connector.testing.exchange.trading.market_access import Floor
from connector.testing.exchange.trading.methods import Call, Method, Methods
from connector.testing.exchange.trading.private_stream import ROUTE, PrivateStream, Socket
from connector.testing.exchange.trading.readings import Readings
from connector.testing.exchange.trading.refusals import refusal
from connector.testing.exchange.trading.rest_door import RestDoor
from connector.testing.exchange.trading.script import Script
from connector.testing.exchange.trading.spot.clearing import SpotClearing
from connector.testing.exchange.trading.spot.queries import SpotMethods
from connector.testing.exchange.trading.spot.reports import SpotReports
from connector.testing.exchange.trading.streams import Streams
from connector.testing.exchange.trading.usdm.clearing import UsdmClearing
from connector.testing.exchange.trading.usdm.reports import UsdmReports
from connector.testing.exchange.trading.usdm.table import UsdmMethods
from connector.testing.market.audience import Audience
from connector.testing.market.coinm_payloads import contract_dollars, pair_of
from connector.testing.market.sources import Player
from connector.testing.network.timers import Timers
from connector.testing.network.world_tasks import WORLD
from connector.testing.venues.rules import QUOTES, StreamPath

API_ROUTE = "/ws-api"
"""The route by which faults name connections of the WebSocket API, on both venues."""
API_PATHS = {"spot": "/ws-api/v3", "usdm": "/ws-fapi/v1", "binance_coinm": "/ws-dapi/v1"}
HANDSHAKE_WEIGHTS = {"spot": 2, "usdm": 5, "binance_coinm": 5}
PRIVATE_ROUTES = {"spot": None, "usdm": ROUTE, "binance_coinm": ""}
"""The route whose connections may use a listen key; COIN-M has one route for everything."""
ORDER_LIMITS: Mapping[str, tuple[OrderLimit, ...]] = {
    "spot": SPOT_ORDER_LIMITS, "usdm": USDM_ORDER_LIMITS, "binance_coinm": COINM_ORDER_LIMITS
}  # fmt: skip
MOST_CONTRACTS = Decimal(1_000_000)
DEPTH_WEIGHT = 5


def instrument_of(symbol: str, floor: Floor) -> Instrument:
    """Make up the rules of a symbol; those of COIN-M if the market's quantities are whole."""
    if floor.scale.lot_decimals == 0:
        return Instrument(
            symbol=symbol,
            base=pair_of(symbol).removesuffix("USD"),
            quote="USD",
            scale=floor.scale,
            min_quantity=Decimal(1),
            max_quantity=MOST_CONTRACTS,
            max_market_quantity=MOST_CONTRACTS,
            min_notional=Decimal(0),
            contract_size=Decimal(contract_dollars(symbol)),
        )
    quote = next((each for each in QUOTES if symbol.endswith(each) and symbol != each), symbol[-3:])
    return Instrument(
        symbol=symbol, base=symbol.removesuffix(quote), quote=quote, scale=floor.scale
    )


@attrs.frozen(eq=False)
class TradingSide:
    """The trading side of one exchange, as its connections use it."""

    control: Trading
    desk: Desk
    timers: Timers
    rest: RestDoor
    audience: Audience

    async def run(self) -> None:
        """Run the timed actions of accounts, until cancelled."""
        WORLD.set(True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.timers.run)
            nursery.start_soon(self.desk.watch)

    @property
    def house(self) -> House:
        return self.desk.house

    @property
    def weights(self) -> Weights:
        """The request weights, shared with the public REST interface of the same host."""
        return self.house.weights

    def api_path(self, target: str) -> StreamPath | None:
        """The request target, if it is the WebSocket API's."""
        path, _, _ = target.partition("?")
        if path.rstrip("/") != API_PATHS[self.house.venue]:
            return None
        return StreamPath(API_ROUTE, combined=False, streams=())

    def charge_handshake(self) -> None:
        """Charge the weight of a connection of the WebSocket API.

        Raises:
            Refused: -1003.
        """
        self.desk.gateway.charge(HANDSHAKE_WEIGHTS[self.house.venue])

    def converse(self, port: Port, target: str) -> Conversation:
        """Begin the conversation of a connection of the WebSocket API."""
        return Conversation(self.desk, port, rate_limits="returnRateLimits=false" not in target)

    def listen(self, socket: Socket, route: str) -> PrivateStream | None:
        """Begin the private stream of a connection; None if its route is not private."""
        if route != PRIVATE_ROUTES[self.house.venue]:
            return None
        return PrivateStream(self.house, socket)

    def exchange_info(self) -> dict[str, Any]:
        """``exchangeInfo``, with all filters."""
        return _exchange_info(self.house)


@attrs.frozen
class TradingTerms:
    """The accounts, and how the exchange behaves towards them."""

    accounts: tuple[TradingAccount, ...]
    readings: Readings
    delays: Delays | None


def open_trading(terms: TradingTerms, audience: Audience, player: Player) -> TradingSide:
    """Let accounts trade on the market of a player.

    Raises:
        ValueError: the market has no books, or two accounts have the same name or key.
    """
    if not hasattr(player, "attend"):
        raise ValueError("accounts need a market to trade on: open_exchange(source=OrderFlow(…))")
    floor = cast("Floor", player)
    readings, rules, clock_ms = terms.readings, audience.venue.rules, audience.now_ms
    instruments = {symbol: instrument_of(symbol, floor) for symbol in floor.symbols}
    timers, script = Timers(), Script()
    drawn = None if terms.delays is None else DrawnDelays(terms.delays)
    streams = Streams(script, timers.after, ListenKeys(), lambda: audience.seconds, drawn)
    counts: dict[str, OrderCounts] = {}
    spot = rules.name == "spot"
    venue = cast("VenueName", rules.name)
    coinm = venue == "binance_coinm"
    reports: SpotReports | UsdmReports
    if spot:
        reports = SpotReports(
            streams, instruments, clock_ms, counts, balances_first=readings.balances_first
        )
    else:
        reports = UsdmReports(
            streams,
            instruments,
            floor.mark,
            clock_ms,
            lite_last=readings.lite_last,
            sends_lite=not coinm,
        )
    house = build(
        venue,
        floor=floor,
        accounts=running_accounts(terms.accounts, clock_ms()),
        instruments=instruments,
        clearing=(
            SpotClearing(instruments)
            if spot
            else UsdmClearing(instruments, floor.mark, takes_fee_asset=not coinm)
        ),
        reports=reports,
        streams=streams,
        weights=Weights(rules.weight_per_minute, rules.attempts_before_ban, rules.ban_seconds),
        order_limits=ORDER_LIMITS[venue],
        readings=readings,
        clock_ms=clock_ms,
        counts=counts,
    )
    methods: SpotMethods | UsdmMethods | CoinmMethods = (
        SpotMethods(house) if spot else CoinmMethods(house) if coinm else UsdmMethods(house)
    )
    methods.table = {**methods.table, **_public_methods(house, player)}
    gateway = Gateway(house, methods, lambda: audience.seconds)
    desk = Desk(house, gateway, script, timers, delays=drawn)
    waiting = methods.conditional if isinstance(methods, UsdmMethods) else methods.waiting
    desk.trigger_due, desk.has_conditional = waiting.trigger_due, waiting.wait
    if isinstance(reports, UsdmReports):
        desk.usdm_reports = reports
        desk.funding_ms = clock_ms() - clock_ms() % FUNDING_MS + FUNDING_MS
    prefix = rules.rest_prefix if spot else rules.rest_prefix.removesuffix("/v1")
    door = RestDoor(desk, cast("Methods", methods), prefix)
    return TradingSide(Trading(desk, reports, audience), desk, timers, door, audience)


def _public_methods(house: House, player: Player) -> Mapping[str, Method]:
    """The methods of the WebSocket API that need no key."""

    def depth(call: Call) -> Any:
        limit = call.params.get("limit", "100")
        if not limit.isdecimal():
            raise refusal("illegal", "limit", "^[0-9]{1,5}$")
        body = player.snapshot(call.params.get("symbol", ""), int(limit))
        if body is None:
            raise refusal("symbol")
        return msgspec.Raw(body)

    return {
        "ping": Method(act=lambda call: {}, security="none"),
        "time": Method(act=lambda call: {"serverTime": house.clock_ms()}, security="none"),
        "exchangeInfo": Method(
            act=lambda call: _exchange_info(house), security="none",
            weight=20 if house.venue == "spot" else 1,
        ),
        "depth": Method(act=depth, security="none", weight=DEPTH_WEIGHT),
    }  # fmt: skip


def _exchange_info(house: House) -> dict[str, Any]:
    weight = {
        "rateLimitType": "REQUEST_WEIGHT",
        "interval": "MINUTE",
        "intervalNum": 1,
        "limit": house.weights.most,
    }
    limits = [weight, *(limit.described() for limit in house.order_limits)]
    describe = {
        "spot": Instrument.describe_spot,
        "usdm": Instrument.describe_usdm,
        "binance_coinm": Instrument.describe_coinm,
    }[house.venue]
    described = map(describe, house.instruments.values())
    return {
        "timezone": "UTC",
        "serverTime": house.clock_ms(),
        "rateLimits": limits,
        "exchangeFilters": [],
        "symbols": list(described),
    }
