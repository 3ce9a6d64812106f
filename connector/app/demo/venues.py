"""The demo of all venues: an adapter and a fault for each, one coin's prices side by side.

Every venue is broken in a way of its own, one after the other. What is claimed at the end is
measured: no link had two connections, tasks and sockets are what they were, each venue brought a
price again, and no price was shown that the venue's own book never had.
"""

from __future__ import annotations

import itertools
from collections import deque
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Protocol

import attrs
import trio

from connector import Reconnect, open_adapter
from connector.app.demo.demo import leave
from connector.app.demo.every_exchange import open_exchanges
from connector.app.demo.report import Span, violations
from connector.app.demo.venue_follower import Followed
from connector.app.demo.venues_report import VenuesReport, VenuesView
from connector.testing import MemoryNetwork
from connector.testing.explore.venue_scenarios import VENUES

RATE_PER_SECOND = 20.0
STALE_SECONDS = 2.0
"""None of these markets is silent for so long: a price changes several times a second."""
ROUND_SECONDS = 6.0
"""In this time each venue is broken once: seldom enough for the fewest connections that one takes,
which is Kraken's 150 in ten minutes."""
RECOVERY_SECONDS = 4.0
"""No break comes later than this before the end."""
SETTLE_SECONDS = 10.0
LOOK_SECONDS = 0.1
RECONNECT = Reconnect(initial=0.05, cap=0.5, stable_after=0.5)
LINES = 3
"""Number of last events to show."""


@attrs.frozen(kw_only=True)
class VenuesOptions:
    """The options of the command line."""

    duration_seconds: float = 20.0
    seed: int = 0


class VenuesScreen(Protocol):
    """A place to show the venues: a terminal, lines, or nothing."""

    def show(self, view: VenuesView) -> None:
        """Show the current state; called several times a second."""
        ...

    def say(self, text: str) -> None:
        """Report one event."""
        ...


async def run_venues(
    options: VenuesOptions, screen: VenuesScreen, stop: trio.Event
) -> VenuesReport:
    """Follow every venue until the duration is over or `stop` is set; all of it in memory.

    Cancellation: everything is closed; there is no report.
    """
    network = MemoryNetwork()
    async with open_exchanges(
        VENUES, seed=options.seed, rate_per_second=RATE_PER_SECOND, network=network
    ) as exchanges:
        show = Show(screen)
        async with AsyncExitStack() as adapters:
            for name, case in VENUES.items():
                value = case.exchange(endpoints=exchanges[name].endpoints, numbers=Decimal)
                adapter = await adapters.enter_async_context(
                    open_adapter(
                        value, dialer=network, reconnect=RECONNECT, stale_after=STALE_SECONDS
                    )
                )
                truth = exchanges[name].keep_truth(case.symbol, 1)
                show.venues.append(Followed(name, case, exchanges[name], adapter, truth))
            async with trio.open_nursery() as nursery:
                for each in show.venues:
                    nursery.start_soon(each.follow, show.tell)
                await _settle(show)
                show.begin()
                async with trio.open_nursery() as trouble:
                    trouble.start_soon(_look, show)
                    trouble.start_soon(_break, options, show)
                    with trio.move_on_after(options.duration_seconds):
                        await stop.wait()
                    trouble.cancel_scope.cancel()
                await _settle(show)
                show.end()
                nursery.cancel_scope.cancel()
        for exchange in exchanges.values():
            await leave(exchange)
        return show.report(options)


async def _look(show: Show) -> None:
    while True:
        show.look()
        await trio.sleep(LOOK_SECONDS)


async def _break(options: VenuesOptions, show: Show) -> None:
    """Break one venue after the other, with time left to recover."""
    began, each = trio.current_time(), ROUND_SECONDS / len(show.venues)
    for count, venue in enumerate(itertools.cycle(show.venues), 1):
        if count * each + RECOVERY_SECONDS > options.duration_seconds:
            return
        await trio.sleep_until(began + count * each)
        venue.strike()
        show.tell(f"BREAK {venue.name}: {venue.how.title}")


async def _settle(show: Show) -> None:
    """Wait until every venue has brought a price since its last break, for a bounded time."""
    for _ in range(round(SETTLE_SECONDS / LOOK_SECONDS)):
        if all(venue.live for venue in show.venues):
            return
        await trio.sleep(LOOK_SECONDS)


@attrs.define(eq=False)
class Show:
    """The state that the screen and the report need."""

    screen: VenuesScreen
    venues: list[Followed] = attrs.field(factory=list)
    _began: float = attrs.field(factory=trio.current_time)
    _seconds: float = 0.0
    _told: deque[str] = attrs.field(factory=lambda: deque(maxlen=LINES))
    _tasks: list[int] = attrs.field(factory=list)
    _sockets: list[int] = attrs.field(factory=list)
    _dead: list[str] = attrs.field(factory=list)

    @property
    def breaks(self) -> int:
        """Of all venues."""
        return sum(each.breaks for each in self.venues)

    def begin(self) -> None:
        """Everything is connected: time counts from now on."""
        self._began = trio.current_time()
        self._told.clear()
        self.look()

    def tell(self, text: str) -> None:
        """Record an event."""
        line = f"{trio.current_time() - self._began:5.1f} s  {text}"
        self._told.append(line)
        self.screen.say(line)

    def look(self) -> None:
        """Count, and show it."""
        counted = [each.adapter.statistics() for each in self.venues]
        self._tasks.append(sum(each.tasks for each in counted))
        self._sockets.append(sum(each.sockets_open for each in counted))
        self.screen.show(
            VenuesView(
                trio.current_time() - self._began,
                tuple(each.row() for each in self.venues),
                self._tasks[-1],
                self._sockets[-1],
                self.breaks,
                tuple(self._told),
            )
        )

    def end(self) -> None:
        """Everything has had its time to recover; the adapters are about to be left."""
        self.look()
        self._seconds = trio.current_time() - self._began
        self._dead = [
            f"{each.name} brought no price again" for each in self.venues if not each.live
        ]

    def report(self, options: VenuesOptions) -> VenuesReport:
        """The result, after the adapters were left, of which nothing may be there any more."""
        venues = tuple(each.report() for each in self.venues)
        tasks, sockets = Span.of(self._tasks), Span.of(self._sockets)
        after = [each.adapter.statistics() for each in self.venues]
        left_over = {
            "tasks": sum(each.tasks for each in after),
            "sockets": sum(each.sockets_open for each in after),
            "connections": sum(len(each.exchange.connections) for each in self.venues),
        }
        found = violations(
            links=len(venues),
            tasks=tasks,
            sockets=sockets,
            max_concurrent_connections=max(each.max_concurrent_connections for each in venues),
            stalls=[*self._dead, *(each.wrong for each in self.venues if each.wrong)],
            left_over=[f"{count} {what} left over" for what, count in left_over.items() if count],
        )
        return VenuesReport(
            seconds=round(self._seconds, 3),
            seed=options.seed,
            breaks=self.breaks,
            tasks=tasks,
            sockets=sockets,
            venues=venues,
            violations=tuple(found),
        )
