"""A number on every message of a connection: a hole in it is a loss in each of its streams."""

from __future__ import annotations

from collections.abc import Callable, Sequence


class MessageNumbers:
    """Counts the messages of one connection; a new connection begins with a new one.

    Args:
        number: of a frame, None if it has none (`connector.exchanges.protocol.Envelope.number`).
    """

    def __init__(self, number: Callable[[bytes], int | None]) -> None:
        self._number = number
        self._last: int | None = None

    def look(self, payloads: Sequence[bytes], first: int) -> tuple[int, bool, bool]:
        """What there is from ``payloads[first]`` on.

        Returns:
            The index behind the messages that belong together, whether some are missing before
            them, and whether it is one that was seen before, or that comes too late.
        """
        last = self._last
        number = self._number(payloads[first])
        missing = late = False
        if number is not None and last is not None:
            missing, late = number > last + 1, number <= last
        if late:
            return first + 1, False, True
        end = first + 1
        expected = last if number is None else number
        while end < len(payloads):
            number = self._number(payloads[end])
            if number is not None:
                if expected is not None and number != expected + 1:
                    break
                expected = number
            end += 1
        return end, missing, False

    def lost(self, payloads: Sequence[bytes], first: int) -> None:
        """What was missing before ``payloads[first]`` has been told."""
        number = self._number(payloads[first])
        assert number is not None
        self._last = number - 1

    def passed(self, payloads: Sequence[bytes], first: int, end: int) -> None:
        """Take note of ``payloads[first:end]``, which were delivered."""
        for payload in payloads[first:end]:
            number = self._number(payload)
            if number is not None:
                self._last = number


__all__ = ["MessageNumbers"]
