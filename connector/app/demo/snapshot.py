"""The values that the demo shows at one moment, from the adapter's and the exchange's counters."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Protocol

import attrs

from connector.adapter.statistics import AdapterStatistics
from connector.events import Number

RATE_WINDOW_SECONDS = 1.0


@attrs.frozen
class LinkView:
    """One line of the dashboard."""

    name: str
    state: str
    session: int
    sockets: int
    tasks: int
    messages_per_second: float
    wire_bytes_per_second: float
    reconnects: Mapping[str, int]
    gaps: int


@attrs.frozen
class TopOfBook:
    """Best bid and ask of a symbol."""

    symbol: str
    bid_price: Number
    bid_quantity: Number
    ask_price: Number
    ask_quantity: Number


@attrs.frozen
class View:
    """The whole dashboard."""

    seconds: float
    links: tuple[LinkView, ...]
    tasks: int
    sockets: int
    server_connections: int
    """As the exchange counts them."""
    messages: int
    wire_bytes: int
    gaps: int
    top: TopOfBook | None


class Screen(Protocol):
    """Where the demo is shown: a terminal, plain lines, or nowhere."""

    def show(self, view: View) -> None:
        """Show the current state; called several times a second."""
        ...

    def say(self, seconds: float, text: str) -> None:
        """Report one event."""
        ...


class Rates:
    """Messages and bytes per second of every link, over the last second."""

    def __init__(self) -> None:
        self._history: dict[str, deque[tuple[float, int, int]]] = {}

    def update(self, seconds: float, statistics: AdapterStatistics) -> None:
        """Take the counts of a new moment."""
        for link in statistics.links:
            history = self._history.setdefault(link.name, deque())
            history.append((seconds, link.messages, link.wire_bytes))
            while seconds - history[0][0] > RATE_WINDOW_SECONDS and len(history) > 2:
                history.popleft()

    def of(self, link: str) -> tuple[float, float]:
        """Messages and wire bytes per second."""
        history = self._history[link]
        (began, messages, size), (now, messages_now, size_now) = history[0], history[-1]
        elapsed = now - began
        if elapsed <= 0:
            return 0.0, 0.0
        return (messages_now - messages) / elapsed, (size_now - size) / elapsed
