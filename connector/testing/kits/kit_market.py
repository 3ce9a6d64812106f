"""The order flow at a venue that has a kit: the same traders, told as the venue tells it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from heapq import heapify, heapreplace

import trio

from connector.testing.kits.kit import Kit, VenueDesk
from connector.testing.kits.table import KITS
from connector.testing.market.audience import Audience
from connector.testing.market.captured import CaptureReader
from connector.testing.market.history import History
from connector.testing.market.traders import SymbolFlow, UpdateIdSource
from connector.testing.market.truth import MarketTruth
from connector.testing.venues.rules import Venue

FIRST_UPDATE_ID = 5_000_000_000
QUANTUM_SECONDS = 0.001
BOUNDARY_MS = 50


class KitAudience(Audience):
    """The audience of a venue with a kit.

    Args:
        venue: whose stream names there are.
        epoch_ms: the exchange's time when it is opened.
        kit: of the venue.
    """

    def __init__(self, venue: Venue, epoch_ms: int, kit: Kit) -> None:
        super().__init__(venue, epoch_ms)
        self._kit = kit

    shows_states = True

    def capture_reader(self) -> CaptureReader:
        """Reads messages as the kit does."""
        return self._kit.capture_reader()

    def open_market(
        self, start_ticks: Mapping[str, int], seed: int, rate_per_second: float
    ) -> VenueMarket:
        """Plays the order flow in the format of the kit."""
        market = VenueMarket(
            self, self._kit, start_ticks, seed=seed, rate_per_second=rate_per_second
        )
        self.listing = market
        return market


def audience_of(venue: Venue, epoch_ms: int) -> Audience:
    """The audience of a venue, with a kit or without."""
    kit = KITS.get(venue.rules.name)
    return Audience(venue, epoch_ms) if kit is None else KitAudience(venue, epoch_ms, kit)


class VenueMarket:
    """A running order flow of one exchange with a kit.

    Args:
        audience: who listens.
        kit: how the venue writes.
        start_ticks: the symbols, and the price at which each begins.
        seed: decides everything that happens.
        rate_per_second: actions of traders per symbol.
    """

    def __init__(
        self,
        audience: Audience,
        kit: Kit,
        start_ticks: Mapping[str, int],
        *,
        seed: int,
        rate_per_second: float,
    ) -> None:
        self._audience = audience
        self._opened_ms = opened_ms = audience.opened_ms
        self._boundary_ms = opened_ms - opened_ms % BOUNDARY_MS + BOUNDARY_MS
        self.desks: dict[str, VenueDesk] = {
            symbol: kit.open_desk(
                SymbolFlow(
                    symbol,
                    seed=seed,
                    rate_per_second=rate_per_second,
                    start_ticks=ticks,
                    scale=kit.scale,
                    ids=UpdateIdSource(dense=True, last=FIRST_UPDATE_ID),
                    now_ms=opened_ms,
                ),
                audience,
            )
            for symbol, ticks in start_ticks.items()
        }
        self._next = [
            (desk.flow.pause(), number, desk) for number, desk in enumerate(self.desks.values())
        ]
        heapify(self._next)
        self._requests: dict[str, deque[float]] = {}
        self._banned_until: dict[str, float] = {}

    @property
    def symbols(self) -> tuple[str, ...]:
        """Those of the order flow."""
        return tuple(self.desks)

    def keep_truth(self, symbol: str, levels: int) -> MarketTruth:
        """Keeps what happens to a symbol from now on."""
        return self.desks[symbol].flow.keep_truth(levels)

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        """None: the kit answers REST requests, from the desks."""
        return None

    @property
    def now_ms(self) -> int:
        """The exchange's time."""
        return self._audience.now_ms()

    def takes(
        self, what: str, most: int, seconds: float, *, weight: int = 1, ban_seconds: float = 0.0
    ) -> bool:
        """Count a request of `what`; False if that makes more than `most` in the last `seconds`.

        Args:
            what: the kind of request.
            most: how much there may be of it.
            seconds: in which time.
            weight: how many requests it counts as.
            ban_seconds: for how long every other is refused after one that was.
        """
        now, taken = self._audience.seconds, self._requests.setdefault(what, deque())
        while taken and taken[0] <= now - seconds:
            taken.popleft()
        if now < self._banned_until.get(what, 0.0):
            return False
        if len(taken) + weight > most:
            self._banned_until[what] = now + ban_seconds
            return False
        taken.extend([now] * weight)
        return True

    def history(self, symbol: str) -> History | None:
        """The current history of a symbol's market; None without such a symbol."""
        self.advance()
        desk = self.desks.get(symbol)
        return None if desk is None else desk.flow.history

    def first(self, stream: str) -> Iterable[bytes]:
        """The first messages to a new subscriber of a stream."""
        self.advance()
        return [each for desk in self.desks.values() for each in desk.first(stream)]

    async def play(self) -> None:
        """Advances the market with the time, and sends its events to the subscribers."""
        while True:
            if self._audience.streams:
                self.advance()
                soonest = self._audience.seconds + QUANTUM_SECONDS
                await trio.sleep_until(self._audience.opened + max(soonest, self._next_seconds()))
            else:
                await self._audience.wait_change()
                # What was before somebody came has happened when they came (`first`).
                self.advance(quietly=not self._audience.streams)

    def _next_seconds(self) -> float:
        action = self._next[0][0] if self._next else float("inf")
        return min(action, (self._boundary_ms - self._opened_ms) / 1000)

    def advance(self, *, quietly: bool = False) -> None:
        """Does all that has happened by now; `quietly` sends nothing of it."""
        now = self._audience.seconds
        with self._audience.silenced(quietly):
            while (moment := self._next_seconds()) <= now:
                if self._next and self._next[0][0] <= moment:
                    when, number, desk = self._next[0]
                    heapreplace(self._next, (when + desk.flow.pause(), number, desk))
                    desk.show(desk.flow.act(self._opened_ms + round(when * 1000)))
                else:
                    for desk in self.desks.values():
                        desk.pass_boundary(self._boundary_ms)
                    self._boundary_ms += BOUNDARY_MS
