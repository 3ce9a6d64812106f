"""The environment of an explored program: the network, the exchange, and the planned faults."""

from __future__ import annotations

from collections.abc import Callable

import trio

from connector.testing.exchange.exchange import SimulatedExchange
from connector.testing.explore.numbered import Reader
from connector.testing.explore.operations import ExploredNetwork
from connector.testing.explore.order_judge import OrderJudge
from connector.testing.explore.wall_clock import WallClock
from connector.testing.network.memory_connection import MemoryConnection

SETTLED_EVENTS = 2
"""Number of events after the last fault that proves that the program has recovered."""


class ConsumerFailed(Exception):
    """Raised by the consumer when the plan's fault ``consumer`` strikes."""


class Stage:
    """The argument of a scenario's program: its environment.

    Attributes:
        network: the network to dial over; it is a `connector.transport` dialer.
        exchange: the simulated exchange, already open on `network`.
        scope: the scope around the whole program; the fault ``cancel`` cancels it.
        body: a scope to enter inside the adapter's block; the fault ``leave`` cancels it, so that
            the program leaves the block gracefully.
    """

    def __init__(
        self,
        network: ExploredNetwork,
        exchange: SimulatedExchange,
        wall: WallClock,
        find: Callable[[str, str], None],
        plan_ahead: Callable[[int, str], None],
    ) -> None:
        self.network = network
        self.exchange = exchange
        self.wall = wall
        self.scope = trio.CancelScope()
        self.body = trio.CancelScope()
        self.consumer_error: ConsumerFailed | None = None
        self.leaving_at: float | None = None
        self.find = find
        """Call it with an invariant and a description when the program itself sees a violation."""
        self._plan_ahead = plan_ahead
        self._armed = False
        self._stalled = trio.Event()
        self._stall_seconds = 0.0
        self._readers: list[Reader] = []
        self.judges: list[OrderJudge] = []
        """The judges that `orders_of` has made."""
        self._needed = 0

    def reader(self, *, gaps: bool, merged: bool = False) -> Reader:
        """Make a reader, which checks what one consumer sees."""
        reader = Reader(self.find, gaps=gaps, merged=merged)
        self._readers.append(reader)
        return reader

    def orders_of(self, account: str, symbol: str) -> OrderJudge:
        """Make a judge, which compares an account with the exchange at every step.

        Args:
            account: its name at the exchange.
            symbol: the traded instrument.
        """
        for judge in self.judges:
            if (judge.name, judge.symbol) == (account, symbol):
                return judge
        judge = OrderJudge(self.exchange, account, symbol, self.find)
        self.judges.append(judge)
        return judge

    def look(self) -> None:
        """Let all judges look; the explorer calls this at every step."""
        for judge in self.judges:
            judge.look()

    def strike_in(self, steps: int, fault: str) -> None:
        """Add a fault to those of the plan, this many steps from now."""
        self._plan_ahead(steps, fault)

    def turn(self) -> None:
        """Mark a place where the program's own code runs, and fail if the plan says so."""
        if self._armed and self.consumer_error is None:
            self.consumer_error = ConsumerFailed("the consumer has failed, as planned")
            self.leaving()
            raise self.consumer_error

    def leaving(self) -> None:
        """Note that the program starts to leave the adapter's block gracefully."""
        self.leaving_at = trio.current_time()

    def served(self) -> tuple[MemoryConnection, ...]:
        """The connections whose handshake the exchange has completed."""
        served = {each.memory for each in self.exchange.connections}
        return tuple(each for each in self.network.connections if each in served)

    @property
    def events(self) -> int:
        """The number of events that all consumers have received together."""
        return sum(reader.events for reader in self._readers)

    @property
    def settled(self) -> bool:
        """Whether enough data has arrived after the last fault."""
        return self.events >= self._needed

    # What the plan's faults call.

    def leave(self) -> None:
        """Make the program leave gracefully."""
        self.leaving()
        self.body.cancel()

    def struck(self) -> None:
        """Note that a fault has struck."""
        self._needed = self.events + SETTLED_EVENTS

    def arm_consumer(self) -> None:
        """Let the next `turn` fail."""
        self._armed = True

    def stall(self, seconds: float) -> None:
        """Delay all data for some time."""
        for connection in self.network.connections:
            connection.stall()
        self._stall_seconds = seconds
        self._stalled.set()

    async def end_stalls(self) -> None:
        """End the delays that `stall` began; runs outside of the program under test."""
        while True:
            await self._stalled.wait()
            self._stalled = trio.Event()
            await trio.sleep(self._stall_seconds)
            for connection in self.network.connections:
                connection.resume()
