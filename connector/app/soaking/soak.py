"""Look for the original bug: hours of random faults, during which nothing may grow.

The demo's adapter on the demo's exchange, over real sockets. Its connections break at random
moments in random ways; every half a minute the breaking stops until every link brings data again,
and what the process has then is compared with what it had at first
(`connector.app.soaking.growth`).
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import attrs
import msgspec
import trio

from connector import Adapter, open_adapter
from connector.app.demo import faults
from connector.app.demo.demo import LOOK_SECONDS, RECONNECT, consume, leave, settle
from connector.app.demo.leaky import LeakyConnector
from connector.app.demo.market import STALE_AFTER_SECONDS, Market, market_of
from connector.app.demo.network import Wiring
from connector.app.demo.observations import Watch
from connector.app.demo.report import Report
from connector.app.soaking.bounded_memory import bound_memory
from connector.app.soaking.growth import Rest, growth
from connector.exchanges.protocol import Exchange
from connector.testing import SimulatedExchange, open_exchange
from connector.testing.leaks import descriptors

PAUSE_SECONDS = (1.0, 7.0)
"""How long it is between two breaks, drawn anew each time: in the long run the exchange's budget
of connections (300 in 5 minutes, binance_usdm §2) must be enough for two links."""
NOTICE_SECONDS = 1.5 * STALE_AFTER_SECONDS
"""After a break, until the last link has seen it: that it is mute is not seen at once."""
QUIET_SECONDS = 0.3
"""After the last link has recovered."""
REST_SECONDS = 5.0
"""So long the process may take to be as it was at first; then it has grown."""
PAGE_BYTES_FILE = Path("/proc/self/statm")


@attrs.frozen(kw_only=True)
class Options:
    """The options of the command line."""

    duration_seconds: float = 600.0
    every_seconds: float = 30.0
    """Seconds between two samples."""
    seed: int = 0
    tls: bool = False
    leaky: bool = False
    """Whether the bug runs beside the adapter, so that there is something to be found."""

    def market(self) -> Market:
        """The simulated market of the seed."""
        return market_of(None, seed=self.seed, duration_seconds=self.duration_seconds)


class SoakReport(msgspec.Struct, frozen=True, kw_only=True):
    """One soak: the object that ``--json`` prints."""

    run: Report
    """The report of the demo; its violations are among `violations`."""
    samples: tuple[Rest, ...]
    """The samples, each at rest; the first one is the baseline."""
    violations: list[str]
    """The numbers that grew, and the broken invariants. If any, the exit status is 1."""

    def to_json(self) -> str:
        """The report as one JSON object."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode()


class Log(Protocol):
    """Shows the progress of a soak."""

    def sampled(self, sample: Rest) -> None:
        """Show one more sample."""

    def passed(self, seconds: float, breaks: int) -> None:
        """Show the passed time; called several times a second."""


async def run_soak(
    options: Options, market: Market, log: Log, stop: trio.Event, *, in_memory: bool = False
) -> SoakReport:
    """Run until the duration is over or `stop` is set.

    Args:
        options: how long, and how.
        market: what the exchange plays.
        log: shows the progress.
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
        bound_memory(exchange, wiring.network)
        description = market.describe(exchange.endpoints)
        async with (
            open_adapter(
                description,
                reconnect=RECONNECT,
                stale_after=market.stale_after_seconds,
                dialer=wiring.dialer,
            ) as adapter,
            trio.open_nursery() as nursery,
        ):
            watch = Watch(market.channels, description, adapter, exchange)
            for channel in market.channels:
                nursery.start_soon(consume, adapter, channel, watch)
            await settle(watch)
            watch.begin()
            soak = Soak(options, adapter, exchange, watch, log)
            if options.leaky:
                soak.add_leak(nursery, description, wiring)
            with trio.CancelScope() as time:
                nursery.start_soon(soak.look)
                # To cancel a scope that has ended does nothing.
                nursery.start_soon(_stop_with, stop, time)  # noqa: ASYNC111
                await soak.run()
            await soak.finish()
            await settle(watch)
            watch.end()
            nursery.cancel_scope.cancel()
        await leave(exchange)
    report = watch.report(seed=options.seed)
    return SoakReport(
        run=report,
        samples=tuple(soak.samples),
        violations=[*growth(soak.samples), *report.violations],
    )


class Soak:
    """Breaks connections, and takes samples while none is broken."""

    def __init__(
        self,
        options: Options,
        adapter: Adapter,
        exchange: SimulatedExchange,
        watch: Watch,
        log: Log,
    ) -> None:
        self.samples: list[Rest] = []
        self._options = options
        self._adapter = adapter
        self._exchange = exchange
        self._watch = watch
        self._log = log
        self._random = random.Random(options.seed)
        self._trouble = faults.endless(options.seed)
        self._other_bytes: Callable[[], int] = lambda: 0
        self._bytes = self._received()
        self._sampled_at = watch.seconds
        self._breaks_sampled = -1

    def add_leak(self, nursery: trio.Nursery, description: Exchange, wiring: Wiring) -> None:
        """Run the original bug beside the adapter."""
        connector = LeakyConnector(nursery, description, wiring.dialer)
        self._other_bytes = lambda: connector.wire_bytes
        nursery.start_soon(connector.supervise)

    async def run(self) -> None:
        """Break connections and take samples until the time is over."""
        options, watch = self._options, self._watch
        await self.sample()
        due = watch.seconds + options.every_seconds
        while watch.seconds < options.duration_seconds:
            await trio.sleep(self._random.uniform(*PAUSE_SECONDS))
            faults.strike(self._exchange, next(self._trouble), links=watch.links)
            watch.breaks += 1
            if watch.seconds >= due:
                await self.sample()
                due = watch.seconds + options.every_seconds

    async def look(self) -> None:
        """Watch what happens in between, without keeping all of it."""
        while True:
            self._watch.look()
            samples = self._watch.samples
            most = max(samples[1:], key=lambda sample: (sample.sockets, sample.tasks), default=None)
            if most is not None:
                samples[1:] = [most, samples[-1]]
            self._log.passed(self._watch.seconds, self._watch.breaks)
            await trio.sleep(LOOK_SECONDS)

    async def sample(self) -> None:
        """Wait until nothing is broken, and take a sample."""
        await trio.sleep(NOTICE_SECONDS if self._watch.breaks else 0.0)
        await settle(self._watch)
        await trio.sleep(QUIET_SECONDS)
        rest = self._rest()
        for _ in range(round(REST_SECONDS / LOOK_SECONDS)):
            if not self.samples or not growth([self.samples[0], rest]):
                break
            # A server may not have noticed yet that we have left.
            await trio.sleep(LOOK_SECONDS)
            rest = self._rest()
        self.samples.append(rest)
        self._breaks_sampled = self._watch.breaks
        self._bytes, self._sampled_at = self._received(), self._watch.seconds
        self._log.sampled(rest)

    async def finish(self) -> None:
        """Take a last sample, unless nothing has happened since the one before."""
        if self._watch.breaks != self._breaks_sampled:
            await self.sample()

    def _rest(self) -> Rest:
        seconds = self._watch.seconds
        elapsed = seconds - self._sampled_at
        if elapsed >= self._options.every_seconds / 2:
            rate = (self._received() - self._bytes) / elapsed
        else:
            rate = self.samples[-1].bytes_per_second if self.samples else 0.0
        listed = descriptors()
        return Rest(
            seconds=round(seconds, 3),
            tasks=trio.lowlevel.current_statistics().tasks_living,
            sockets=self._adapter.statistics().sockets_open,
            descriptors=len(listed) if listed else None,
            rss_bytes=rss_bytes(),
            bytes_per_second=round(rate),
        )

    def _received(self) -> int:
        return self._adapter.statistics().wire_bytes + self._other_bytes()


def rss_bytes() -> int | None:
    """The memory of this process in bytes, on Linux."""
    try:
        pages = int(PAGE_BYTES_FILE.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


async def _stop_with(stop: trio.Event, time: trio.CancelScope) -> None:
    await stop.wait()
    time.cancel()
    # One task less would be a difference to the baseline.
    await trio.sleep_forever()
