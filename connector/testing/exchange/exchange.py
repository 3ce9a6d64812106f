"""A simulated exchange: the stream servers of a venue, as strict as the real ones.

    network = MemoryNetwork()
    async with open_exchange("binance_usdm", network=network) as exchange:
        ...                                        # dial exchange.endpoints over the network
        exchange.publish("ethusdc@depth5@100ms", payload)
        exchange.break_connections("reset")

Without a network it listens on a real loopback socket, plain or with TLS.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import trio

from connector.adapter.runtime import require_trio
from connector.errors import ConfigError
from connector.exchanges.binance import Endpoints
from connector.inputs.blocks import block
from connector.testing.exchange.connection import ServerConnection
from connector.testing.exchange.event_log import Log
from connector.testing.exchange.handshake import Reception, Upgrade
from connector.testing.exchange.rest import rest_server
from connector.testing.exchange.running_plan import RunningPlan
from connector.testing.exchange.statistics import ExchangeStatistics
from connector.testing.exchange.trading.accounts import SimulatedAccount, TradingAccount
from connector.testing.exchange.trading.control import Trading
from connector.testing.exchange.trading.delays import Delays
from connector.testing.exchange.trading.opening import (
    API_PATHS,
    TradingSide,
    TradingTerms,
    open_trading,
)
from connector.testing.exchange.trading.readings import Readings
from connector.testing.faults.faults import HANDSHAKE_KINDS, Fault, FaultKind, FaultPlan
from connector.testing.kits.kit_market import audience_of
from connector.testing.kits.table import KITS, rules_of
from connector.testing.market.sources import Player, Remembering, Silent, Source
from connector.testing.market.truth import MarketTruth
from connector.testing.network import server_websocket
from connector.testing.network.network import MemoryListener, MemoryNetwork
from connector.testing.network.server_end import Wire
from connector.testing.network.world_tasks import WORLD
from connector.testing.venues.rules import AttemptBudget, SimulatedName, Venue, adjusted, venue_of

EPOCH_MS = 1_785_000_000_000
"""The exchange's default time at its opening; fixed, so that runs are reproducible."""

REFUSE: frozenset[FaultKind] = frozenset({"refuse"})
"""A network in memory refuses the dial; on a socket, the fault is a reset."""


@block("open_exchange(…) as exchange")
@asynccontextmanager
async def open_exchange(
    venue: SimulatedName,
    *,
    source: Source | None = None,
    faults: FaultPlan | None = None,
    network: MemoryNetwork | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    ssl_context: ssl.SSLContext | None = None,
    epoch_ms: int = EPOCH_MS,
    nested_errors: bool = False,
    trades: str = "market",
    ping_seconds: float | None = None,
    pong_timeout_seconds: float | None = None,
    lifetime_seconds: float | None = None,
    attempts_per_window: int | None = None,
    shutdown_notice_seconds: float = 10.0,
    accounts: Iterable[TradingAccount] = (),
    readings: Readings | None = None,
    delays: Delays | None = None,
) -> AsyncIterator[SimulatedExchange]:
    """Open a simulated exchange for the length of a block. Use it with ``async with``.

    Args:
        venue: the name of the exchange, such as "binance_usdm" or "bybit_linear".
        source: the market data, such as `OrderFlow`. None: only what you `publish`.
        faults: the faults to inject.
        network: the network to listen on. None: a real socket on the loopback interface. With a
            `MemoryNetwork`, pass the same one to `open_adapter` as ``dialer=``.
        host, port: the address to listen on; port 0 is any free port.
        ssl_context: the server's TLS settings. None: plain ``ws://``.
        epoch_ms: the exchange's time at the start, milliseconds since the epoch.
        nested_errors: whether errors are ``{"error": {…}, "id": …}``, as some hosts send them.
        trades: the route of ``<symbol>@trade`` on "binance_usdm", as in `binance.Endpoints`.
        ping_seconds, pong_timeout_seconds, lifetime_seconds, attempts_per_window: replace the
            venue's own values. The last one limits the attempts to connect in five minutes.
        shutdown_notice_seconds: seconds from ``serverShutdown`` to the close, on spot.
        accounts: the accounts that may trade. Without any, there are no private endpoints.
        readings: how the exchange behaves where the documentation is silent.
        delays: the largest delays of requests, events and queries. None: no delays.

    Raises:
        ConfigError: it is called outside trio, or an argument is wrong.
        OSError: the address is in use.
        ValueError: the venue is unknown, accounts cannot trade there, or two have the same name.

    Cancellation: every connection is dropped.
    """
    require_trio("open_exchange")
    accounts = _check(network, source, accounts)
    rules = adjusted(
        rules_of(venue_of(venue), trades, trades_privately=bool(accounts)),
        ping_seconds=ping_seconds,
        pong_timeout_seconds=pong_timeout_seconds,
        lifetime_seconds=lifetime_seconds,
        attempts_per_window=attempts_per_window,
        shutdown_notice_seconds=shutdown_notice_seconds,
    )
    listener: trio.abc.Listener[trio.abc.HalfCloseableStream]
    if network is None:
        try:
            (listener,) = await trio.open_tcp_listeners(port, host=host)
        except OSError as error:
            error.add_note(
                f"open_exchange cannot listen on {host}:{port}; leave out `port` for a free port, "
                "or pass network=MemoryNetwork()"
            )
            raise
        port = listener.socket.getsockname()[1]
    else:
        await trio.lowlevel.checkpoint()
        listener = network.listen(host, port)
        port = listener.port
    exchange = SimulatedExchange(
        Venue(rules, routes_are_paths=venue in KITS),
        listener,
        host=host,
        port=port,
        ssl_context=ssl_context,
        epoch_ms=epoch_ms,
        nested_errors=nested_errors,
        trades=trades,
        source=source or Silent(),
        terms=TradingTerms(tuple(accounts), readings or Readings(), delays),
    )
    error_of_body: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(exchange._serve)
            nursery.start_soon(exchange._play)
            if exchange._trading is not None:
                nursery.start_soon(exchange._trading.run)
            for fault in (faults or FaultPlan()).faults:
                exchange.inject(fault)
            try:
                yield exchange
            except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001 raised below
                error_of_body = error
            nursery.cancel_scope.cancel()
    finally:
        await trio.aclose_forcefully(listener)
    if error_of_body is not None:
        raise error_of_body


def _check(
    network: object, source: object, accounts: Iterable[TradingAccount]
) -> tuple[TradingAccount, ...]:
    """Check the kinds of these arguments, and return the accounts.

    Raises:
        ConfigError: an argument is a class instead of an instance, or has the wrong type.
    """
    if network is not None and not isinstance(network, MemoryNetwork):
        raise ConfigError(
            f"network={network!r}: write an instance, network = MemoryNetwork(), and pass it to "
            "open_adapter(…, dialer=network) as well"
        )
    if source is not None and (isinstance(source, type) or not hasattr(source, "begin")):
        raise ConfigError(f"source={source!r}: write an instance, such as OrderFlow()")
    given = [accounts] if isinstance(accounts, TradingAccount) else list(accounts)
    if isinstance(accounts, TradingAccount) or not all(
        isinstance(each, TradingAccount) for each in given
    ):
        raise ConfigError("accounts: write a list, such as [TradingAccount('me', {'USDC': '1'})]")
    return tuple(given)


class SimulatedExchange:
    """A running simulated exchange. `open_exchange` creates it.

    Attributes:
        log: all events of the exchange, in order.
    """

    def __init__(
        self,
        venue: Venue,
        listener: trio.abc.Listener[trio.abc.HalfCloseableStream],
        *,
        host: str,
        port: int,
        ssl_context: ssl.SSLContext | None,
        epoch_ms: int,
        nested_errors: bool,
        trades: str,
        source: Source,
        terms: TradingTerms,
    ) -> None:
        self.rules = venue.rules
        self.host = host
        self.port = port
        self.log = Log()
        self._venue = venue
        self._audience = audience_of(self._venue, epoch_ms)
        self._played = trio.Event()
        self._player = source.begin(self._audience)
        self._listener = listener
        self._ssl_context = ssl_context
        self._nested_errors = nested_errors
        self._trades = trades
        self._plan = RunningPlan(self.log)
        self._trading: TradingSide | None = None
        if terms.accounts:
            self._trading = open_trading(terms, self._audience, self._player)
        self._reception = Reception(
            venue,
            self._plan,
            rest_server(self._audience, self._player, self._trading),
            self.log,
            AttemptBudget(venue.rules),
            lambda: len(self._connections) >= venue.rules.connections_at_once,
            HANDSHAKE_KINDS,
            self._trading,
        )
        if isinstance(listener, MemoryListener):
            listener.gate = self
            self._reception.fault_kinds = HANDSHAKE_KINDS - REFUSE
        self._connections: list[ServerConnection] = []
        self._handshakes = 0
        self._numbered = 0
        self._accepted = 0
        self._max_concurrent: dict[str | None, int] = {}

    # -- for assertions in a test ---------------------------------------------------------------

    @property
    def endpoints(self) -> Any:
        """The addresses, for the ``endpoints=`` of the exchange that it simulates."""
        kit, at = KITS.get(self.rules.name), (self.url, self.rest_url)
        own = Endpoints(*at, trades=self._trades, orders=self.url)
        return own if kit is None else kit.endpoints(*at)

    @property
    def url(self) -> str:
        """The stream server, such as ``ws://127.0.0.1:40000``."""
        return f"{'ws' if self._ssl_context is None else 'wss'}://{self.host}:{self.port}"

    @property
    def rest_url(self) -> str:
        """The REST server, at the same address."""
        return f"{'http' if self._ssl_context is None else 'https'}://{self.host}:{self.port}"

    @property
    def api_url(self) -> str:
        """The WebSocket API, such as ``ws://127.0.0.1:40000/ws-api/v3``."""
        return self.url + API_PATHS[self.rules.name]

    @property
    def accounts(self) -> Mapping[str, SimulatedAccount]:
        """The accounts by name, with their true orders, fills, balances and positions."""
        return {} if self._trading is None else self._trading.control.accounts

    @property
    def trading(self) -> Trading:
        """Controls the accounts; raises `ValueError` if there are none."""
        if self._trading is None:
            raise ValueError(
                "this exchange has no accounts: pass accounts=(TradingAccount(…),) to open_exchange"
            )
        return self._trading.control

    @property
    def connections(self) -> tuple[ServerConnection, ...]:
        """The open WebSocket connections, oldest first, without half-open ones."""
        return tuple(connection for connection in self._connections if connection.live)

    @property
    def max_concurrent(self) -> int:
        """The largest number of WebSocket connections open at once."""
        return self._max_concurrent.get(None, 0)

    @property
    def max_concurrent_by_route(self) -> dict[str, int]:
        """`max_concurrent` by route, such as ``/public``."""
        return {route: most for route, most in self._max_concurrent.items() if route is not None}

    @property
    def accepted(self) -> int:
        """The number of accepted WebSocket connections since the exchange was opened."""
        return self._accepted

    @property
    def handshakes(self) -> int:
        """The number of connections that reached the exchange."""
        return self._handshakes

    def statistics(self) -> ExchangeStatistics:
        """All counts in one value."""
        return ExchangeStatistics(
            handshakes=self._handshakes,
            upgrades=self._reception.upgrades,
            accepted=self._accepted,
            live=len(self.connections),
            max_concurrent=self.max_concurrent,
            messages_published=self._audience.published,
        )

    def keep_truth(self, symbol: str, levels: int = 10) -> MarketTruth:
        """Record the best levels and the trades of a symbol from now on, action by action.

        Raises:
            ValueError: the source is not an `OrderFlow`, or has no such symbol.
        """
        if not isinstance(self._player, Remembering) or symbol not in self._player.symbols:
            raise ValueError(f"there is no order flow of {symbol!r} here")
        return self._player.keep_truth(symbol, levels)

    def keep_history(self, most: int) -> None:
        """Limit the remembered trades and candles, for a long run; the default is 10,000.

        Only an `OrderFlow` remembers trades and candles.
        """
        if isinstance(self._player, Remembering):
            for symbol in self._player.symbols:
                history = self._player.history(symbol)
                assert history is not None
                history.keep_last(most)

    @property
    def player(self) -> Player:
        """The running source of its market."""
        return self._player

    # -- for actions of a test ------------------------------------------------------------------

    def publish(self, stream: str, data: bytes | dict[str, object] | list[object]) -> int:
        """Send a payload to all subscribers of a stream. Returns the number of connections.

        Raises:
            ValueError: the venue has no stream of that name.
        """
        return self._audience.publish(stream, data)

    def break_connections(self, fault: Fault | FaultKind, *, route: str | None = None) -> int:
        """Inject a fault into all open connections. Returns the number of connections.

        Raises:
            ValueError: it is a fault of handshakes: `inject` it.
        """
        if isinstance(fault, str):
            fault = Fault(fault)
        if fault.is_handshake_fault:
            raise ValueError(f"{fault} cannot strike a live connection; use inject()")
        struck = [c for c in self.connections if route in (None, c.route)]
        for connection in struck:
            connection.strike(fault)
        return len(struck)

    def inject(self, fault: Fault | FaultKind) -> None:
        """Add a fault to the plan, for new connections and for open ones that match.

        `When.seconds` counts from the opening of the exchange; a past time strikes at once.
        """
        planned = self._plan.add(Fault(fault) if isinstance(fault, str) else fault)
        fault = planned.fault
        if not fault.is_handshake_fault and fault.when.seconds is None:
            for connection in self.connections:
                if planned.strike(connection.number, connection.route):
                    connection.plan(fault)

    def mend(self) -> None:
        """Remove all planned faults. Faults of open connections remain."""
        self._plan.clear()

    async def wait_played(self) -> None:
        """Wait until the source has ended. An `OrderFlow` never ends."""
        await self._played.wait()

    # -- serving --------------------------------------------------------------------------------

    async def _play(self) -> None:
        WORLD.set(True)
        await self._player.play()
        self._played.set()

    async def _serve(self) -> None:
        WORLD.set(True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._strike_timed)
            while True:
                raw = await self._listener.accept()
                self._handshakes += 1
                self._numbered += 1
                nursery.start_soon(self._attend, raw, self._numbered)

    def refuses_dial(self) -> bool:
        """Whether the plan refuses the present dial; called by the network."""
        fault = self._plan.handshake_fault(self._numbered + 1, REFUSE)
        if fault is not None:
            self._numbered += 1
            self.log.note(self._numbered, "fault", str(fault))
        return fault is not None

    async def _attend(self, raw: trio.abc.HalfCloseableStream, number: int) -> None:
        wire = Wire(raw, self._ssl_context)
        self.log.note(number, "attempt")
        try:
            upgrade = await self._reception.meet(wire, number)
            if upgrade is not None:
                await self._serve_connection(wire, number, upgrade)
        except server_websocket.ProtocolViolation as violation:
            self.log.note(number, "violation", str(violation))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.log.note(number, "disconnected", "before the upgrade was complete")
        finally:
            await wire.aclose()

    async def _serve_connection(self, wire: Wire, number: int, upgrade: Upgrade) -> None:
        connection = ServerConnection(
            number,
            upgrade.request.target,
            upgrade.path,
            wire,
            venue=self._venue,
            audience=self._audience,
            log=self.log,
            nested_errors=self._nested_errors,
            trading=self._trading,
        )
        self._register(connection)
        try:
            await wire.stream.send_all(upgrade.answer)
            for fault in self._plan.of_new_connection(number, connection.route):
                connection.plan(fault)
            await connection.run(upgrade.request.rest)
        finally:
            connection.live = False
            self._connections.remove(connection)

    def _register(self, connection: ServerConnection) -> None:
        self._accepted += 1
        self._connections.append(connection)
        self.log.note(connection.number, "connected", connection.path)
        live = self.connections
        on_route = sum(other.route == connection.route for other in live)
        for key, count in ((None, len(live)), (connection.route, on_route)):
            self._max_concurrent[key] = max(count, self._max_concurrent.get(key, 0))

    async def _strike_timed(self) -> None:
        while True:
            for planned in self._plan.take_due():
                for connection in self.connections:
                    if planned.strike(connection.number, connection.route):
                        connection.strike(planned.fault)
            await self._plan.wait_change(until=self._plan.next_moment())
