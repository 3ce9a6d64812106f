"""What a network saw: every dial and every connection, without asking the code under test."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Literal, TypeAlias

import attrs

MAX_RECORDS = 100_000
"""Past this, the oldest records of ended connections are forgotten; the counts stay exact."""

DialState: TypeAlias = Literal["dialing", "open", "closed", "failed"]


@attrs.define(eq=False, kw_only=True)
class DialRecord:
    """One dial and the connection it became. Times are `trio.current_time()`, in seconds.

    `began_order` and `ended_order` count all begins and ends of the network: of two events at the
    same virtual time they tell which was first.
    """

    number: int
    """1, 2, 3 … in the order of dials."""
    host: str
    """The host that was dialled."""
    port: int
    """The port that was dialled."""
    began: float
    """Time of the dial."""
    began_order: int
    """The order of the dial among all begins and ends."""
    established: float | None = None
    """Time at which the connection opened; None if it did not."""
    ended: float | None = None
    """Time at which it closed; None while it is open."""
    ended_order: int | None = None
    """The order of the end among all begins and ends."""
    state: DialState = "dialing"
    """The current state."""


@attrs.define(eq=False)
class _Count:
    now: int = 0
    highest: int = 0

    def up(self) -> None:
        self.now += 1
        self.highest = max(self.highest, self.now)


class Ledger:
    """Counts the client ends of a network: a dial in progress counts as much as a connection.

    An end counts as closed when its owner has closed it, or when its dial has failed; what the
    server knows or believes plays no part. Iterating gives the records in the order of dialling.
    """

    def __init__(self) -> None:
        self._ended: deque[DialRecord] = deque(maxlen=MAX_RECORDS)
        self._open: dict[DialRecord, None] = {}
        self._order = 0
        self._dials = 0
        self._all = _Count()
        self._by_address: dict[tuple[str, int], _Count] = {}

    def __iter__(self) -> Iterator[DialRecord]:
        return iter(sorted((*self._ended, *self._open), key=lambda record: record.number))

    def __len__(self) -> int:
        """How many dials there were, failed ones too."""
        return self._dials

    def keep_last(self, most: int) -> None:
        """Keep only this many records of ended connections, for a long run."""
        self._ended = deque(self._ended, maxlen=most)

    def open_now(self, host: str | None = None, port: int | None = None) -> int:
        """Ends open or being opened now, of one address or (both None) of all."""
        return self._count(host, port).now

    def max_open(self, host: str | None = None, port: int | None = None) -> int:
        """The most that were open or being opened at once."""
        return self._count(host, port).highest

    def begin(self, host: str, port: int, now: float) -> DialRecord:
        """Notes that a dial has begun; for implementations of a network."""
        self._order += 1
        self._dials += 1
        record = DialRecord(
            number=self._dials, host=host, port=port, began=now, began_order=self._order
        )
        self._open[record] = None
        self._all.up()
        self._by_address.setdefault((host, port), _Count()).up()
        return record

    def establish(self, record: DialRecord, now: float) -> None:
        """Notes that the dial has become a connection."""
        record.established = now
        record.state = "open"

    def end(self, record: DialRecord, now: float) -> None:
        """Notes that the dial has failed, or that its owner has closed the connection."""
        if record.ended is not None:
            return
        self._order += 1
        record.ended = now
        record.ended_order = self._order
        record.state = "failed" if record.established is None else "closed"
        del self._open[record]
        self._ended.append(record)
        self._all.now -= 1
        self._by_address[record.host, record.port].now -= 1

    def _count(self, host: str | None, port: int | None) -> _Count:
        if (host is None) != (port is None):
            raise ValueError("give both host and port, or neither")
        if host is None or port is None:
            return self._all
        return self._by_address.get((host, port), _Count())
