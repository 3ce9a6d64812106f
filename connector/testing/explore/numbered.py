"""Numbered market data, and a reader that detects missed messages by their numbers.

The exchange numbers its messages from the moment at which it opens, whether or not there are
subscribers. A reader therefore detects by itself, without asking the adapter, a lost message (a
number is skipped) and a late or duplicate message (a number does not rise).
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
    """Every subscribed stream sends one numbered message per period."""

    every_seconds: float = 0.5

    def begin(self, audience: Audience) -> NumberedPlayer:
        """Start to count."""
        return NumberedPlayer(self.every_seconds, audience)


@attrs.frozen
class NumberedPlayer:
    """A running `Numbered` market."""

    every_seconds: float
    audience: Audience
    symbols: tuple[str, ...] = ()

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        """Return no snapshot: this market has none."""
        return None

    async def play(self) -> None:
        """Publish until cancelled."""
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
    """Check what one consumer sees.

    Args:
        find: called with the broken invariant and a description.
        gaps: whether the consumer asked for gaps.
        merged: whether its events arrive over several connections at once.
    """

    def __init__(
        self, find: Callable[[str, str], None], *, gaps: bool, merged: bool = False
    ) -> None:
        self._find = find
        self._gaps = gaps
        self._merged = merged
        self.numbers: dict[tuple[str, str], int] = {}
        """The last number, by kind of event and symbol."""
        self._sessions: dict[tuple[str, str], int] = {}
        self._excused: set[tuple[str, str]] = set()
        self._left: Counter[str] = Counter()
        self._missed: Counter[tuple[str, str]] = Counter()
        self.events = 0

    def left(self, symbol: str) -> None:
        """Note that the consumer drops a channel itself: the messages missed then are not lost."""
        self._left[symbol] += 1

    def saw(self, event: object) -> None:
        """Check one event that the consumer has received."""
        if isinstance(event, Gap):
            self._excused.update(self.numbers)
            return
        if isinstance(event, BookView):
            # A book may skip numbers; its content is checked on its own.
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
