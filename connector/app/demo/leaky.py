"""The original bug beside the adapter: both connect to one exchange, with the same disconnects.

`LeakyConnector` is written as the original was: a loop that reconnects by itself, a flag that says
whether it runs, and a callback that resets the flag when a connection is lost. A supervisor sees
that it does not run, and starts it again. No part of it is wrong by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import msgspec
import trio

from connector import Reconnect, open_adapter
from connector.app.demo.demo import BREAK_EVERY_SECONDS, LOOK_SECONDS, RECOVERY_SECONDS, Options
from connector.app.demo.faults import BREAKS
from connector.app.demo.market import STALE_AFTER_SECONDS
from connector.app.demo.network import Wiring
from connector.app.demo.report import Sample, Span, table
from connector.channels import PartialBook
from connector.errors import ExchangeUnavailable, HandshakeRejected
from connector.exchanges import binance
from connector.exchanges.protocol import Exchange
from connector.link.task_count import count_tasks
from connector.testing import OrderFlow, SimulatedExchange, open_exchange
from connector.transport import Connection, Dialer, open_connection

CHANNEL = PartialBook("ETHUSDC", levels=5, interval_ms=100)
"""The stream of the original bug."""
RECONNECT = Reconnect(initial=0.05, cap=0.5, stable_after=0.5)
PAUSE_SECONDS = 0.2
SUPERVISE_SECONDS = 0.1
UNLIMITED = 1_000_000
"""Attempts to connect that the exchange takes in five minutes: after 50 seconds the bug would have
used up those of both connectors, and the exchange would ban them, as a real one does."""
SILENT = ("half_open", "mute")
LOUD_BREAKS = tuple(
    each for each in BREAKS if each.next_handshakes is None and each.live.kind not in SILENT
)
"""Ways to break that meet both connectors alike: this one has no watchdog either."""


class LeakyConnector:
    """What not to write.

    Args:
        nursery: where its loops run; whatever else the program does runs there, too.
        exchange: how to speak.
        dialer: opens the byte streams.
    """

    def __init__(self, nursery: trio.Nursery, exchange: Exchange, dialer: Dialer) -> None:
        self.started = False
        self.sockets: set[trio.abc.Stream] = set()
        self._nursery = nursery
        self._exchange = exchange
        self._dialer = dialer
        self._stream = exchange.stream(CHANNEL)
        self._connections: set[Connection] = set()
        self._past_bytes = 0

    @property
    def wire_bytes(self) -> int:
        """What all its connections have received."""
        return self._past_bytes + sum(each.wire_bytes for each in self._connections)

    def ensure_started(self) -> None:
        """Start the loop, unless it runs: the flag knows."""
        if not self.started:
            self.started = True
            self._nursery.start_soon(self._keep_connected)

    def on_disconnect(self) -> None:
        """The connection is lost, so it does not run any more: or so one would think."""
        self.started = False

    async def supervise(self) -> None:
        """Look after it: start it whenever it seems not to run."""
        while True:
            self.ensure_started()
            await trio.sleep(SUPERVISE_SECONDS)

    async def _keep_connected(self) -> None:
        while True:
            try:
                async with open_connection(
                    self._exchange.url(self._stream.route),
                    self,
                    dialer=self._dialer,
                    sockets=self.sockets,
                ) as connection:
                    self._connections.add(connection)
                    try:
                        await connection.send(self._exchange.subscribe(1, [self._stream]))
                        await connection.run()
                    finally:
                        self._connections.discard(connection)
                        self._past_bytes += connection.wire_bytes
            except (ExchangeUnavailable, HandshakeRejected):
                pass
            self.on_disconnect()
            await trio.sleep(PAUSE_SECONDS)

    # A sink of messages, which it has no use for here.

    leisurely = False

    def deliver(self, payloads: Sequence[bytes], first: int) -> int:
        """Take them all."""
        return len(payloads)

    async def wait_for_room(self) -> None:
        """There is room."""
        await trio.lowlevel.checkpoint()

    async def rest(self) -> None:
        """Nothing gathers."""
        await trio.lowlevel.checkpoint()


class Curve(msgspec.Struct, frozen=True):
    """One connector over time, in numbers."""

    tasks: Span
    sockets: Span
    bytes_per_second_first: float
    bytes_per_second_last: float

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Curve:
        """The curve through `samples`, of which there are two at least."""
        rates = [rate for _, rate in traffic(samples)]
        return cls(
            tasks=Span.of([sample.tasks for sample in samples]),
            sockets=Span.of([sample.sockets for sample in samples]),
            bytes_per_second_first=round(rates[0]),
            bytes_per_second_last=round(rates[-1]),
        )


@attrs.frozen
class Comparison:
    """Both connectors, looked at in the same moments."""

    breaks: int
    ours: tuple[Sample, ...]
    leaky: tuple[Sample, ...]

    @property
    def is_flat(self) -> bool:
        """Whether ours has not grown."""
        tasks, sockets = (
            Span.of([sample.tasks for sample in self.ours]),
            Span.of([sample.sockets for sample in self.ours]),
        )
        return tasks.last <= tasks.first and sockets.max <= 1

    def to_json(self) -> str:
        """The numbers as one JSON object."""
        found = {"breaks": self.breaks, "ours": Curve.of(self.ours), "leaky": Curve.of(self.leaky)}
        return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()

    def lines(self) -> list[str]:
        """The growing table beside the flat one, and what they mean."""
        ours, leaky = Curve.of(self.ours), Curve.of(self.leaky)
        return [
            f"{'':>8}{'structured':>28}{'with a flag and a callback':>32}",
            f"{'time':>8}" + 2 * f"{'tasks':>8}{'sockets':>9}{'traffic':>12}",
            *(
                f"{time:>8}{tasks:>8}{sockets:>9}{rate:>12}{tasks2:>8}{sockets2:>9}{rate2:>12}"
                for (time, tasks, sockets, rate), (_, tasks2, sockets2, rate2) in zip(
                    table(self.ours), table(self.leaky), strict=True
                )
            ),
            "",
            f"{self.breaks} breaks, the same for both",
            f"structured: {ours.tasks.first} tasks at the beginning, {ours.tasks.last} at the end",
            (
                f"with a flag and a callback: {leaky.tasks.first} tasks at the beginning, "
                f"{leaky.tasks.last} at the end, {leaky.sockets.last} connections for one stream"
            ),
        ]


def traffic(samples: Sequence[Sample]) -> list[tuple[float, float]]:
    """Moments and bytes per second, each over the second before."""
    rates = []
    first = 0
    for sample in samples:
        while sample.seconds - samples[first].seconds > 1.0:
            first += 1
        elapsed = sample.seconds - samples[first].seconds
        if elapsed >= 0.5:
            rates.append(
                (sample.seconds, (sample.wire_bytes - samples[first].wire_bytes) / elapsed)
            )
    return rates or [(0.0, 0.0)]


async def run_comparison(
    options: Options, stop: trio.Event, *, in_memory: bool = False
) -> Comparison:
    """Run both connectors on one exchange until the duration is over or `stop` is set.

    Args:
        options: how long, the seed, TLS or not; the market is always a made-up one.
        stop: set it to end early, with a result.
        in_memory: whether to run on a network in memory instead of loopback sockets.

    Cancellation: everything is closed; there is no result.
    """
    wiring = Wiring.of(in_memory=in_memory, tls=options.tls)
    ours: list[Sample] = []
    leaky: list[Sample] = []
    breaks = 0
    async with open_exchange(
        "binance_usdm",
        source=OrderFlow(seed=options.seed),
        network=wiring.network,
        ssl_context=wiring.server_context,
        attempts_per_window=UNLIMITED,
    ) as exchange:
        description = binance.UsdMFutures(endpoints=exchange.endpoints)
        async with (
            open_adapter(
                description,
                reconnect=RECONNECT,
                stale_after=STALE_AFTER_SECONDS,
                dialer=wiring.dialer,
            ) as adapter,
            trio.open_nursery() as program,
            trio.open_nursery() as loops,
        ):
            connector = LeakyConnector(loops, description, wiring.dialer)

            async def consume() -> None:
                async with adapter.subscribe(CHANNEL) as feed:
                    async for _ in feed:
                        pass

            async def look() -> None:
                while True:
                    seconds = trio.current_time() - began
                    now = adapter.statistics()
                    ours.append(Sample(seconds, now.tasks, now.sockets_open, now.wire_bytes))
                    leaky.append(
                        Sample(
                            seconds,
                            count_tasks(loops),
                            len(connector.sockets),
                            connector.wire_bytes,
                        )
                    )
                    await trio.sleep(LOOK_SECONDS)

            program.start_soon(consume)
            program.start_soon(connector.supervise)
            await _wait_connected(exchange)
            began = trio.current_time()
            program.start_soon(look)
            with trio.move_on_after(options.duration_seconds) as time:
                # To cancel a scope that has ended does nothing.
                program.start_soon(_stop_with, stop, time)  # noqa: ASYNC111
                while True:
                    await trio.sleep(BREAK_EVERY_SECONDS)
                    left = began + options.duration_seconds - trio.current_time()
                    if left > RECOVERY_SECONDS:
                        exchange.break_connections(LOUD_BREAKS[breaks % len(LOUD_BREAKS)].live)
                        breaks += 1
            loops.cancel_scope.cancel()
            program.cancel_scope.cancel()
    return Comparison(breaks, tuple(ours), tuple(leaky))


async def _stop_with(stop: trio.Event, time: trio.CancelScope) -> None:
    await stop.wait()
    time.cancel()


async def _wait_connected(exchange: SimulatedExchange) -> None:
    """Both have their connection, and data flows."""
    while len(exchange.connections) < 2:  # noqa: ASYNC110  # the exchange tells nobody
        await trio.sleep(LOOK_SECONDS)
    await trio.sleep(1.0)
