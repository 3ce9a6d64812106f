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
"""So many events after the last fault show that the program has recovered from it."""


class ConsumerFailed(Exception):
    """What the consumer raises when the plan says ``consumer``."""


class Stage:
    """What a scenario's program is given.

    Attributes:
        network: dial over it; it is a `connector.transport` dialer.
        exchange: the simulated exchange, already open on `network`.
        scope: around the whole program; the fault ``cancel`` cancels it.
        body: enter it inside the adapter's block; the fault ``leave`` cancels it, so that the
            program leaves in its own, polite way.
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
        """Call it with an invariant and words when the program itself sees that it is broken."""
        self._plan_ahead = plan_ahead
        self._armed = False
        self._stalled = trio.Event()
        self._stall_seconds = 0.0
        self._readers: list[Reader] = []
        self.judges: list[OrderJudge] = []
        """Those that `orders_of` has made."""
        self._needed = 0

    def reader(self, *, gaps: bool, merged: bool = False) -> Reader:
        """Somebody who checks what one consumer sees."""
        reader = Reader(self.find, gaps=gaps, merged=merged)
        self._readers.append(reader)
        return reader

    def orders_of(self, account: str, symbol: str) -> OrderJudge:
        """Somebody who holds an account against what the exchange knows, at every step.

        Args:
            account: its name at the exchange.
            symbol: the instrument that is traded.
        """
        for judge in self.judges:
            if (judge.name, judge.symbol) == (account, symbol):
                return judge
        judge = OrderJudge(self.exchange, account, symbol, self.find)
        self.judges.append(judge)
        return judge

    def look(self) -> None:
        """Let the judges look; the explorer calls it at every step."""
        for judge in self.judges:
            judge.look()

    def strike_in(self, steps: int, fault: str) -> None:
        """Let a fault happen so many steps from now, besides those of the plan."""
        self._plan_ahead(steps, fault)

    def turn(self) -> None:
        """Where the program's own code runs: here it fails, if the plan says so."""
        if self._armed and self.consumer_error is None:
            self.consumer_error = ConsumerFailed("the consumer has failed, as planned")
            self.leaving()
            raise self.consumer_error

    def leaving(self) -> None:
        """The program begins to leave the adapter's block, politely."""
        self.leaving_at = trio.current_time()

    def served(self) -> tuple[MemoryConnection, ...]:
        """The connections whose handshake the exchange has completed."""
        served = {each.memory for each in self.exchange.connections}
        return tuple(each for each in self.network.connections if each in served)

    @property
    def events(self) -> int:
        """Events that all consumers together have seen."""
        return sum(reader.events for reader in self._readers)

    @property
    def settled(self) -> bool:
        """Whether there was data after the last fault."""
        return self.events >= self._needed

    # What the plan does.

    def leave(self) -> None:
        """Tell the program to leave in its own way."""
        self.leaving()
        self.body.cancel()

    def struck(self) -> None:
        """A fault has happened."""
        self._needed = self.events + SETTLED_EVENTS

    def arm_consumer(self) -> None:
        """Let the next `turn` fail."""
        self._armed = True

    def stall(self, seconds: float) -> None:
        """Let nothing arrive for some time."""
        for connection in self.network.connections:
            connection.stall()
        self._stall_seconds = seconds
        self._stalled.set()

    async def end_stalls(self) -> None:
        """Ends what `stall` began; runs in the world."""
        while True:
            await self._stalled.wait()
            self._stalled = trio.Event()
            await trio.sleep(self._stall_seconds)
            for connection in self.network.connections:
                connection.resume()
