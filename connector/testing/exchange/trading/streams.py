"""Private streams: which listeners receive an account's events, and in which order.

On spot the listeners are subscriptions of WebSocket API sessions; on USD-M, sockets with a listen
key. The script's faults of events apply here. Source: binance_trading §2, §3, §4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import attrs
import msgspec

from connector.testing.exchange.trading import algo
from connector.testing.exchange.trading.accounts import SimulatedAccount
from connector.testing.exchange.trading.delays import DrawnDelays
from connector.testing.exchange.trading.listen_keys import ListenKeys
from connector.testing.exchange.trading.script import Script


class Listener(Protocol):
    """A socket that receives an account's events."""

    def hear(self, event: bytes, name: str) -> None:
        """Receive an event; `name` is its ``e``."""
        ...


@attrs.define(eq=False)
class Streams:
    """All listeners of one exchange.

    Args:
        later: runs a function after some seconds.
    """

    script: Script
    later: Callable[[float, Callable[[], None]], None]
    keys: ListenKeys
    clock: Callable[[], float]
    """In seconds."""
    delays: DrawnDelays | None = None
    delay_seconds: float = 0.0
    """Delay of every event; the order is kept."""
    told: list[tuple[str, dict[str, Any]]] = attrs.field(factory=list)
    """Every event with its account's name, in order, even those without a listener."""
    _listeners: dict[str, list[Listener]] = attrs.field(factory=dict)
    _due: dict[str, float] = attrs.field(factory=dict)
    _held: list[tuple[str, dict[str, Any]]] | None = None

    def add(self, account: str, listener: Listener) -> None:
        """Send an account's events to a socket from now on."""
        self.script.note("listen", account)
        self._listeners.setdefault(account, []).append(listener)

    def remove(self, account: str, listener: Listener) -> None:
        """Stop sending events to a socket."""
        listeners = self._listeners.get(account, [])
        if listener in listeners:
            listeners.remove(listener)

    def listeners(self, account: str) -> tuple[Listener, ...]:
        """The current listeners of an account."""
        return tuple(self._listeners.get(account, ()))

    def deafen(self, account: str) -> None:
        """Remove all listeners of an account; their sockets stay open and silent (§2.2)."""
        self._listeners.pop(account, None)

    @contextmanager
    def held(self, *, hold: bool) -> Iterator[Callable[[], None]]:
        """Hold events back within the block, if `hold`; yield a function that releases them."""
        if not hold or self._held is not None:
            yield lambda: None
            return
        self._held = []
        try:
            yield self._let_go
        finally:
            self._let_go()

    def _let_go(self) -> None:
        held, self._held = self._held, None
        for account, event in held or ():
            self._send(account, event)

    def tell(self, account: SimulatedAccount, event: dict[str, Any]) -> None:
        """Send an event to all listeners of an account."""
        self.told.append((account.name, event))
        if self._held is not None:
            self._held.append((account.name, event))
        else:
            self._send(account.name, event)

    def end(self, account: SimulatedAccount, event: dict[str, Any]) -> None:
        """Send the last event to an account's listeners, after its delay."""
        last = self.listeners(account.name)
        self.deafen(account.name)
        self.told.append((account.name, event))
        self._send(account.name, event, last)

    def tell_algo(self, account: SimulatedAccount, order: algo.AlgoOrder, ms: int) -> None:
        """``ALGO_UPDATE``."""
        self.tell(account, algo.update(order, ms))

    def _send(
        self, account: str, event: dict[str, Any], to: tuple[Listener, ...] | None = None
    ) -> None:
        for spoilt, seconds in self.script.spoil_event(account, event):
            late = seconds + self._delay(account)
            if late:
                self.later(late, _Sending(self, account, spoilt, to))
            else:
                self._deliver(account, spoilt, to)

    def _delay(self, account: str) -> float:
        """Delay of the next event; it never overtakes an earlier event."""
        drawn = self.delay_seconds + (self.delays.event() if self.delays else 0.0)
        now = self.clock()
        due = max(now + drawn, self._due.get(account, 0.0))
        self._due[account] = due
        return due - now

    def _deliver(
        self, account: str, event: dict[str, Any], to: tuple[Listener, ...] | None
    ) -> None:
        name, data = event["e"], msgspec.json.encode(event)
        for listener in self.listeners(account) if to is None else to:
            listener.hear(data, name)


@attrs.frozen
class _Sending:
    streams: Streams
    account: str
    event: dict[str, Any]
    to: tuple[Listener, ...] | None

    def __call__(self) -> None:
        self.streams._deliver(self.account, self.event, self.to)
