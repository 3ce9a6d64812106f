"""One private socket of futures: the listen keys and events that it delivers.

A socket on an unrouted path connects but stays silent; by default, so does one with the key in its
path. On COIN-M the key is in the path. Source: binance_trading §2.2, §12.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol
from urllib.parse import parse_qsl

import attrs

from connector.testing.exchange.trading.exchange_state import House

ROUTE = "/private"


class Socket(Protocol):
    """The connection, as a private stream uses it."""

    def deliver(self, stream: str, data: bytes) -> bool: ...


@attrs.define(eq=False)
class PrivateStream:
    """The private events on one socket."""

    house: House
    socket: Socket
    _heard: list[_Heard] = attrs.field(factory=list)

    def begin(self, path: str, query: str) -> None:
        """Read the keys in the URL."""
        if self.house.venue == "binance_coinm":
            # In the second documented form the query repeats it (§12).
            self.attach(path.removeprefix("/ws/"))
            return
        for key, events in _keys_of(query):
            self.attach(key, events)
        in_path = path.removeprefix(f"{ROUTE}/ws/")
        if in_path != path and self.house.readings.key_in_path:
            self.attach(in_path)

    def attach(self, key: str, events: frozenset[str] = frozenset()) -> None:
        """Deliver the events of a listen key from now on; ignore an invalid key silently."""
        account = self.house.streams.keys.account_of(key, self.house.clock_ms())
        if account is None or any(heard.key == key for heard in self._heard):
            return
        heard = _Heard(self.socket, account, key, events)
        self._heard.append(heard)
        self.house.streams.add(account, heard)

    def end(self) -> None:
        """Stop delivering: the connection is over."""
        for heard in self._heard:
            self.house.streams.remove(heard.account, heard)
        self._heard.clear()


@attrs.frozen(eq=False)
class _Heard:
    socket: Socket
    account: str
    key: str
    events: frozenset[str]
    """Names of the selected events; empty means all."""

    def hear(self, event: bytes, name: str) -> None:
        if not self.events or _selected_as(name) in self.events:
            self.socket.deliver(self.key, event)


def _selected_as(name: str) -> str:
    """The name of an event in ``events``, where ``ALGO_UPDATE`` differs (binance_usdm §6)."""
    return "ALGO_ORDER_UPDATE" if name == "ALGO_UPDATE" else name


def _keys_of(query: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Listen keys of a query with their events: ``listenKey=K&events=A/B&listenKey=L``."""
    key, events = None, frozenset[str]()
    for name, value in parse_qsl(query):
        if name == "listenKey":
            if key is not None:
                yield key, events
            key, events = value, frozenset()
        elif name == "events":
            events = frozenset(value.split("/"))
    if key is not None:
        yield key, events
