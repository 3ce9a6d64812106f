"""Soak every venue in one program: random faults for any time, and nothing may grow.

An adapter and a simulated exchange for each venue. At random moments a random venue breaks in a
random way. Every book that says `synced` is compared with the states that the exchange's own book
has had. Now and then the breaking stops until all books are back; what the process has then must
be what it had at first (`connector.app.soaking.growth`). The garbage collector is off between
these moments, so that it closes nothing that was left open.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import attrs
import msgspec
import trio

from connector import Reconnect, open_adapter
from connector.app.demo.every_exchange import open_exchanges
from connector.app.soaking.bounded_memory import bound_memory
from connector.app.soaking.growth import Rest, growth
from connector.app.soaking.soak import Log, rss_bytes
from connector.app.soaking.venue_judge import Judged, VenueVerdict
from connector.testing import FaultKind, MemoryNetwork
from connector.testing.explore.venue_scenarios import VENUES, VenueCase
from connector.testing.leaks import Leaked, descriptors, no_leaks
from connector.testing.venues.rules import SimulatedName

FAULTS: tuple[FaultKind, ...] = (
    "reset", "fin", "close", "close_and_hold", "half_open", "mute",
    "bad_mask", "bad_utf8", "bad_opcode", "bad_reserved_bits", "truncated_json",
)  # fmt: skip
"""The faults of live connections."""
PAUSE_SECONDS = 0.2, 1.5
"""Between two breaks of any venue, drawn anew each time."""
RATE_PER_SECOND = 10.0
STALE_SECONDS = 10.0
"""None of these markets is ever silent for so long."""
NOTICE_SECONDS = 1.5 * STALE_SECONDS
"""After a break, until the last link has seen it: that it is mute is not seen at once."""
QUIET_SECONDS = 0.5
REST_SECONDS = 5.0
"""So long the process may take to be as it was at first; then it has grown."""
RECOVERY_SECONDS = 90.0
LOOK_SECONDS = 0.1
RECONNECT = Reconnect(initial=0.1, cap=2.0)


@attrs.frozen(kw_only=True)
class VenuesSoakOptions:
    """The options of the command line."""

    duration_seconds: float = 600.0
    every_seconds: float = 60.0
    """Seconds between two samples."""
    seed: int = 0


class VenuesSoakReport(msgspec.Struct, frozen=True, kw_only=True):
    """One soak of all venues: the object that ``--json`` prints."""

    seconds: float
    seed: int
    breaks: int
    venues: tuple[VenueVerdict, ...]
    samples: tuple[Rest, ...]
    """The samples, each at rest; the first one is the baseline."""
    violations: list[str]
    """The numbers that grew, and the errors. If any, the exit status is 1."""

    def to_json(self) -> str:
        """The report as one JSON object."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode()


async def run_venues_soak(
    options: VenuesSoakOptions,
    log: Log,
    stop: trio.Event,
    *,
    network: MemoryNetwork | None,
    venues: Mapping[SimulatedName, VenueCase] = VENUES,
) -> VenuesSoakReport:
    """Run until the duration is over or `stop` is set.

    Args:
        options: how long, and how.
        log: shows the progress.
        stop: set it to end early, with a result.
        network: a network in memory; None: loopback sockets.
        venues: which; all of them.

    Cancellation: everything is closed; there is no result.
    """
    soak: VenuesSoak | None = None
    left: list[str] = []
    try:
        async with no_leaks(*(() if network is None else (network,))):
            soak = await _soak(options, log, stop, network, venues)
    except Leaked as leaked:
        left = str(leaked).splitlines()
    assert soak is not None
    return VenuesSoakReport(
        seconds=round(soak.seconds, 3),
        seed=options.seed,
        breaks=soak.breaks,
        venues=tuple(each.verdict() for each in soak.judged),
        samples=tuple(soak.samples),
        violations=[
            *growth(soak.samples),
            *(wrong for each in soak.judged for wrong in each.violations()),
            *soak.late,
            *left,
        ],
    )


async def _soak(
    options: VenuesSoakOptions,
    log: Log,
    stop: trio.Event,
    network: MemoryNetwork | None,
    venues: Mapping[SimulatedName, VenueCase],
) -> VenuesSoak:
    async with (
        open_exchanges(
            venues, seed=options.seed, rate_per_second=RATE_PER_SECOND, network=network
        ) as exchanges,
        AsyncExitStack() as adapters,
    ):
        judged = []
        for name, case in venues.items():
            value = case.exchange(endpoints=exchanges[name].endpoints)
            opened = open_adapter(
                value, dialer=network, reconnect=RECONNECT, stale_after=STALE_SECONDS
            )
            adapter: Any = await adapters.enter_async_context(opened)
            bound_memory(exchanges[name], network)
            judged.append(Judged.of(name, case.symbol, exchanges[name], adapter))
        soak = VenuesSoak(options, judged, log)
        async with trio.open_nursery() as nursery:
            for each in judged:
                nursery.start_soon(each.follow)
            await soak.recovered()
            with trio.CancelScope() as time:
                # To cancel a scope that has ended does nothing.
                nursery.start_soon(_stop_with, stop, time)  # noqa: ASYNC111
                await soak.run()
            await soak.finish()
            nursery.cancel_scope.cancel()
        for each in judged:
            each.keep_statistics()
        return soak


class VenuesSoak:
    """Breaks venues, and takes samples while none is broken."""

    def __init__(self, options: VenuesSoakOptions, judged: list[Judged], log: Log) -> None:
        self.judged = judged
        self.samples: list[Rest] = []
        self.late: list[str] = []
        self._options = options
        self._log = log
        self._began = trio.current_time()
        self._breaks_sampled = -1
        self._bytes, self._sampled_at = 0, 0.0

    @property
    def seconds(self) -> float:
        """Seconds since everything was connected."""
        return trio.current_time() - self._began

    @property
    def breaks(self) -> int:
        """Of all venues."""
        return sum(each.breaks for each in self.judged)

    async def run(self) -> None:
        """Break venues and take samples until the time is over."""
        self._began = trio.current_time()
        self._bytes = self._received()
        await self._sample()
        due = self._options.every_seconds
        for pause, venue, kind in self._troubles():
            if self.seconds >= self._options.duration_seconds:
                return
            await trio.sleep(pause)
            venue.strike(kind)
            self._log.passed(self.seconds, self.breaks)
            if self.seconds >= due:
                await self._sample()
                due = self.seconds + self._options.every_seconds

    async def finish(self) -> None:
        """Take a last sample, unless nothing has happened since the one before."""
        if self.breaks != self._breaks_sampled:
            await self._sample()

    async def recovered(self) -> None:
        """Wait until every venue has brought a right book from now on, for a bounded time."""
        before = {each.name: each.books for each in self.judged}
        for _ in range(round(RECOVERY_SECONDS / LOOK_SECONDS)):
            late = [
                each.name
                for each in self.judged
                if not each.synced or each.books <= before[each.name]
            ]
            if not late:
                return
            await trio.sleep(LOOK_SECONDS)
        self.late.append(f"no book came back of {', '.join(late)} after {self.seconds:.0f} s")

    def _troubles(self) -> Iterator[tuple[float, Judged, FaultKind]]:
        """Endless faults: seconds to wait, then a venue and a fault."""
        draw = random.Random(self._options.seed)
        while True:
            yield draw.uniform(*PAUSE_SECONDS), draw.choice(self.judged), draw.choice(FAULTS)

    async def _sample(self) -> None:
        """Wait until nothing is broken, and take a sample."""
        await trio.sleep(NOTICE_SECONDS if self.breaks else 0.0)
        await self.recovered()
        await trio.sleep(QUIET_SECONDS)
        rest = self._rest()
        for _ in range(round(REST_SECONDS / LOOK_SECONDS)):
            if not self.samples or not growth([self.samples[0], rest]):
                break
            # A server may not have noticed yet that we have left.
            await trio.sleep(LOOK_SECONDS)
            rest = self._rest()
        # Only now: what it closes was counted. What it frees is no leak.
        gc.collect()
        rest = msgspec.structs.replace(rest, rss_bytes=rss_bytes())
        self.samples.append(rest)
        self._breaks_sampled = self.breaks
        self._bytes, self._sampled_at = self._received(), self.seconds
        self._log.sampled(rest)

    def _rest(self) -> Rest:
        seconds = self.seconds
        elapsed = seconds - self._sampled_at
        listed = descriptors()
        return Rest(
            seconds=round(seconds, 3),
            tasks=trio.lowlevel.current_statistics().tasks_living,
            sockets=sum(each.adapter.statistics().sockets_open for each in self.judged),
            descriptors=len(listed) if listed else None,
            rss_bytes=None,
            bytes_per_second=round((self._received() - self._bytes) / elapsed) if elapsed else 0,
        )

    def _received(self) -> int:
        return sum(each.adapter.statistics().wire_bytes for each in self.judged)


async def _stop_with(stop: trio.Event, time: trio.CancelScope) -> None:
    await stop.wait()
    time.cancel()
    # One task less would be a difference to the baseline.
    await trio.sleep_forever()
