"""Numbered market data, and a reader that detects missed messages by their numbers.

The exchange numbers what it publishes from the moment at which it was opened, whether or not
anybody listens. A reader therefore sees, without asking the adapter, what was lost (a number is
skipped), and what came late or twice (a number does not rise).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs
import trio

from connector.events import BookView, Gap
from connector.testing.market.audience import Audience


@attrs.frozen
class Numbered:
    """Every stream that somebody listens to brings one message per period, numbered."""

    every_seconds: float = 0.5

    def begin(self, audience: Audience) -> NumberedPlayer:
        """Begins to count."""
        return NumberedPlayer(self.every_seconds, audience)


@attrs.frozen
class NumberedPlayer:
    """`Numbered` at work."""

    every_seconds: float
    audience: Audience
    symbols: tuple[str, ...] = ()

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        """There are no snapshots."""
        return None

    async def play(self) -> None:
        """Publishes for ever."""
        audience = self.audience
        number = 0
        while True:
            await trio.sleep(self.every_seconds)
            number += 1
            for stream in audience.streams:
                symbol, _, kind = stream.partition("@")
                for prefix, payload in _PAYLOADS:
                    if kind.startswith(prefix):
                        audience.publish(stream, payload(symbol.upper(), number, audience))


def _partial_book(symbol: str, number: int, audience: Audience) -> dict[str, object]:
    # binance_usdm §4, binance_spot §5
    levels: dict[str, Any] = {"bids": [["3000.1", "1"]], "asks": [["3000.2", "2"]]}
    if audience.venue.rules.name == "spot":
        return {"lastUpdateId": number, **levels}
    now = audience.now_ms()
    return {
        "e": "depthUpdate", "E": now, "T": now, "s": symbol, "U": number, "u": number,
        "pu": number - 1, "b": levels["bids"], "a": levels["asks"],
    }  # fmt: skip


def _trade(symbol: str, number: int, audience: Audience) -> dict[str, object]:
    now = audience.now_ms()
    return {
        "e": "trade", "E": now, "T": now, "s": symbol, "t": number,
        "p": "3000.1", "q": "1", "X": "MARKET", "m": False, "M": True,
    }  # fmt: skip


def _quote(symbol: str, number: int, audience: Audience) -> dict[str, object]:
    now = audience.now_ms()
    return {
        "e": "bookTicker", "u": number, "s": symbol, "b": "3000.1", "B": "1",
        "a": "3000.2", "A": "2", "T": now, "E": now,
    }  # fmt: skip


_PAYLOADS: tuple[tuple[str, Callable[[str, int, Audience], dict[str, object]]], ...] = (
    ("depth5", _partial_book),
    ("trade", _trade),
    ("bookTicker", _quote),
)


class Reader:
    """Checks what one consumer sees.

    Args:
        find: told which invariant broke, and how.
        gaps: whether the consumer asked for gaps.
        merged: whether what it sees comes by several connections at once.
    """

    def __init__(
        self, find: Callable[[str, str], None], *, gaps: bool, merged: bool = False
    ) -> None:
        self._find = find
        self._gaps = gaps
        self._merged = merged
        self.numbers: dict[tuple[str, str], int] = {}
        """The last number of each kind of event and symbol."""
        self._sessions: dict[tuple[str, str], int] = {}
        self._excused: set[tuple[str, str]] = set()
        self._left: Counter[str] = Counter()
        self._missed: Counter[tuple[str, str]] = Counter()
        self.events = 0

    def left(self, symbol: str) -> None:
        """The consumer itself discards a channel: what it misses then, once, is not lost."""
        self._left[symbol] += 1

    def saw(self, event: object) -> None:
        """Take what the consumer has received."""
        if isinstance(event, Gap):
            self._excused.update(self.numbers)
            return
        if isinstance(event, BookView):
            # It may skip numbers: whether it is right is to be checked by itself.
            self.events += event.synced
            return
        self.events += 1
        key = (type(event).__name__, getattr(event, "symbol", ""))
        number = _number(event)
        last = self.numbers.get(key)
        session = getattr(event, "session", 0)
        before = self._sessions.get(key, session)
        self.numbers[key] = number
        self._sessions[key] = session
        excused = key in self._excused
        self._excused.discard(key)
        name = " of ".join(key)
        if session < before and not self._merged:
            self._find("I11", f"{name} {number} of session {session} came after session {before}")
        elif last is not None and number <= last:
            self._find("I11", f"{name} {number} came after {last}")
        elif last is not None and number > last + 1 and self._gaps and not excused:
            if self._missed[key] < self._left[key[1]]:
                self._missed[key] += 1
                return
            self._find("I8", f"{name} {last} was followed by {number} without a Gap between")


def _number(event: object) -> int:
    for field in ("update_id", "trade_id", "last_update_id"):
        if (number := getattr(event, field, None)) is not None:
            return int(number)
    raise TypeError(f"{event!r} has no number")
