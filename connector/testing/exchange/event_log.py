"""What happened at a simulated exchange, in order, for a test to assert on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Literal, TypeAlias

import attrs
import trio

MAX_ENTRIES = 20_000

What: TypeAlias = Literal[
    "attempt", "rejected", "connected", "request", "reply", "fault", "ping", "pong", "violation",
    "disconnected",
]  # fmt: skip


@attrs.frozen
class LogEntry:
    """One event at the exchange."""

    seconds: float
    """Since the exchange was opened."""
    connection: int
    """Number of the connection: 1, 2, 3 …; 0 for what concerns none."""
    what: What
    """The kind of event."""
    detail: str = ""
    """Details in words."""

    def __str__(self) -> str:
        return f"{self.seconds:10.3f}s #{self.connection} {self.what} {self.detail}".rstrip()


class Log:
    """The last 20,000 entries; older ones are forgotten."""

    def __init__(self) -> None:
        self._entries: deque[LogEntry] = deque(maxlen=MAX_ENTRIES)
        self.started = trio.current_time()
        """When the exchange was opened, as `trio.current_time()`."""

    def note(self, connection: int, what: What, detail: str = "") -> None:
        self._entries.append(LogEntry(self.seconds, connection, what, detail))

    def keep_last(self, most: int) -> None:
        """Keep only this many entries, for a long run."""
        self._entries = deque(self._entries, maxlen=most)

    @property
    def seconds(self) -> float:
        """Time since the exchange was opened."""
        return trio.current_time() - self.started

    def of(self, what: What, connection: int | None = None) -> list[LogEntry]:
        """Entries of one kind, of one connection or of all."""
        return [
            entry
            for entry in self._entries
            if entry.what == what and connection in (None, entry.connection)
        ]

    def __iter__(self) -> Iterator[LogEntry]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def __str__(self) -> str:
        return "\n".join(map(str, self._entries))
