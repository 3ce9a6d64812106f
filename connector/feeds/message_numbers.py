"""A number on every message of a connection: a hole in it is a loss in each of its streams.

The data of a message whose number was seen already is dropped. If it is not the last one once more,
something is wrong: what was delivered is in doubt, too. Where that happens again and again, the
numbers are not those of the connection, and nothing is concluded from them any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, TypeAlias

from connector.exchanges.shortcuts import consecutive

_Look: TypeAlias = Literal["follows", "loss", "late", "again"]
"""What a number says: no message is missing before it; one is, or is in doubt; it was missing,
which has been told; it is that of the last message, which comes once more."""

_MOST_DOUBTS = 16
"""A connection on which more messages are out of order does not count all of its messages."""


class MessageNumbers:
    """Counts the messages of one connection; a new connection begins with a new one.

    Args:
        number: of a frame, None if it has none (`connector.exchanges.protocol.Envelope.number`).
    """

    def __init__(self, number: Callable[[bytes], int | None]) -> None:
        self._number = number
        self._last: int | None = None
        self._latest = b""
        self._missing = range(0)
        """Of the last loss that was told."""
        self._doubts = 0
        """Messages that were out of order."""

    def runs(self, payloads: Sequence[bytes], first: int) -> Iterator[tuple[int, int, bool, bool]]:
        """The messages from ``payloads[first]`` on, but for the last one when it comes again.

        `passed` is to be called of each run before the next one is asked for, unless it is late.

        Yields:
            From where to where they belong together; whether others are missing, or in doubt,
            before them; and whether it is one that comes too late: its data is not to be delivered.
        """
        begin = first
        while begin < len(payloads):
            end, found = self._look(payloads, begin)
            if found != "again":
                lost = found == "loss"
                late = found == "late" or (lost and not self._told(payloads, begin))
                yield begin, end, lost, late
            begin = end

    def _look(self, payloads: Sequence[bytes], first: int) -> tuple[int, _Look]:
        """What there is from ``payloads[first]`` on.

        Returns:
            The index behind the messages that belong together, and what the first of them says.
        """
        if self._doubts > _MOST_DOUBTS:
            return len(payloads), "follows"
        last = self._last
        number = self._number(payloads[first])
        if number is not None and last is not None:
            if number == last and payloads[first] == self._latest:
                return first + 1, "again"
            if number <= last:
                told = number in self._missing and self._doubts < _MOST_DOUBTS
                self._doubts += 1
                return first + 1, "late" if told else "loss"
        expected = last if number is None else number
        end = consecutive(self._number, payloads, first + 1, expected)
        jumps = number is not None and last is not None and number > last + 1
        return end, "loss" if jumps else "follows"

    def _told(self, payloads: Sequence[bytes], first: int) -> bool:
        """What is missing or in doubt before ``payloads[first]`` has been told.

        Returns:
            Whether to deliver the message: one that comes too late is not.
        """
        number = self._number(payloads[first])
        assert number is not None
        assert self._last is not None
        if number > self._last:
            self._missing = range(self._last + 1, number)
            self._last = number - 1
            return True
        return self._doubts > _MOST_DOUBTS

    def passed(self, payloads: Sequence[bytes], first: int, end: int) -> None:
        """Take note of ``payloads[first:end]``, which were delivered."""
        for index in range(end - 1, first - 1, -1):
            number = self._number(payloads[index])
            if number is not None:
                self._last, self._latest = number, payloads[index]
                return


__all__ = ["MessageNumbers"]
