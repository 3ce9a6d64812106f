"""The demo: an adapter on a simulated exchange that breaks its connections every two seconds.

Everything runs in one `trio.run`, on loopback: the exchange, the adapter that does not know that
it is simulated, the consumers, and the one who breaks things. What is measured are the adapter's
own statistics, which come from the real task tree and the real sockets, and the exchange's count
of connections; `connector.app.demo.report` says what must be true of them.
"""

from __future__ import annotations

from pathlib import Path

import attrs
import trio

from connector import Adapter, Reconnect, open_adapter
from connector.app.demo import faults
from connector.app.demo.market import Market, market_of
from connector.app.demo.network import Wiring
from connector.app.demo.observations import Watch
from connector.app.demo.report import Report, Sample
from connector.app.demo.snapshot import Screen
from connector.channels import AnyChannel
from connector.lifecycle import Connected, Disconnected
from connector.testing import SimulatedExchange, open_exchange

LOOK_SECONDS = 0.1
LEAVE_LOOKS = 10
BREAK_EVERY_SECONDS = 2.0
LONG_SECONDS = 200.0
"""Of a longer run the breaks are further apart: the exchange takes 300 connections in five minutes,
and a break costs two of them, or four."""
LONG_BREAK_EVERY_SECONDS = 3.0
RECOVERY_SECONDS = 1.0
"""No break comes later than this before the end."""
SETTLE_SECONDS = 8.0
"""When all is over each link has so long to be connected again."""
RECONNECT = Reconnect(initial=0.05, cap=0.5, stable_after=0.5)


@attrs.frozen(kw_only=True)
class Options:
    """What was asked for on the command line."""

    duration_seconds: float = 20.0
    seed: int = 0
    tls: bool = False
    capture: Path | None = None

    def market(self) -> Market:
        """A made-up market from the seed, or the recorded one.

        Raises:
            ConfigError: the capture holds nothing that can be subscribed to.
            OSError: the capture cannot be read.
        """
        return market_of(self.capture, seed=self.seed, duration_seconds=self.duration_seconds)


@attrs.frozen
class Result:
    """How a run ended."""

    report: Report
    samples: tuple[Sample, ...]


async def run_demo(
    options: Options, market: Market, screen: Screen, stop: trio.Event, *, in_memory: bool = False
) -> Result:
    """Run until the duration is over or `stop` is set.

    Args:
        options: how long, and how.
        market: what the exchange plays.
        screen: shows the run.
        stop: set it to end early, with a result.
        in_memory: whether to run on a network in memory instead of loopback sockets.

    Cancellation: everything is closed; there is no result.
    """
    wiring = Wiring.of(in_memory=in_memory, tls=options.tls)
    async with open_exchange(
        market.venue,
        source=market.source,
        network=wiring.network,
        ssl_context=wiring.server_context,
    ) as exchange:
        description = market.describe(exchange.endpoints)
        async with open_adapter(
            description,
            reconnect=RECONNECT,
            stale_after=market.stale_after_seconds,
            dialer=wiring.dialer,
        ) as adapter:
            watch = Watch(market.channels, description, adapter, exchange)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_tell, adapter, watch, screen)
                for channel in market.channels:
                    nursery.start_soon(consume, adapter, channel, watch)
                await settle(watch)
                watch.begin()
                async with trio.open_nursery() as trouble:
                    trouble.start_soon(_look, watch, screen)
                    trouble.start_soon(_break, options, watch, exchange, screen)
                    with trio.move_on_after(options.duration_seconds):
                        await stop.wait()
                    trouble.cancel_scope.cancel()
                await settle(watch)
                watch.end()
                nursery.cancel_scope.cancel()
        await leave(exchange)
    return Result(watch.report(seed=options.seed), tuple(watch.samples))


async def consume(adapter: Adapter, channel: AnyChannel, watch: Watch) -> None:
    """Read one channel, as a user's strategy would."""
    async with adapter.subscribe(channel, gaps=True) as feed:
        async for event in feed:
            watch.see(event)


async def _tell(adapter: Adapter, watch: Watch, screen: Screen) -> None:
    """Say what happens to the connections."""
    async with adapter.lifecycle() as events:
        async for event in events:
            match event:
                case Connected():
                    screen.say(watch.seconds, f"{event.link}: session {event.session} connected")
                case Disconnected():
                    screen.say(
                        watch.seconds,
                        f"{event.link}: session {event.session} over, socket closed: "
                        f"{event.reason}",
                    )


async def _look(watch: Watch, screen: Screen) -> None:
    """Take a sample, and show it, some times a second."""
    while True:
        screen.show(watch.look())
        await trio.sleep(LOOK_SECONDS)


async def _break(
    options: Options, watch: Watch, exchange: SimulatedExchange, screen: Screen
) -> None:
    """Break all connections, each time in a different way, with time left to recover."""
    began = trio.current_time()
    long = options.duration_seconds > LONG_SECONDS
    every = LONG_BREAK_EVERY_SECONDS if long else BREAK_EVERY_SECONDS
    for count, trouble in enumerate(faults.endless(options.seed), 1):
        moment = count * every
        if moment + RECOVERY_SECONDS > options.duration_seconds:
            return
        await trio.sleep_until(began + moment)
        screen.say(watch.seconds, f"BREAK {count}: {trouble.title}")
        faults.strike(exchange, trouble, links=watch.links)
        watch.breaks = count


async def settle(watch: Watch) -> None:
    """Wait until every link is connected and brings data, for a bounded time."""
    for _ in range(round(SETTLE_SECONDS / LOOK_SECONDS)):
        watch.look()
        if watch.is_settled():
            return
        await trio.sleep(LOOK_SECONDS)


async def leave(exchange: SimulatedExchange) -> None:
    """Let the exchange notice that the adapter has gone."""
    for _ in range(LEAVE_LOOKS):
        if not exchange.connections:
            return
        await trio.sleep(LOOK_SECONDS / LEAVE_LOOKS)
