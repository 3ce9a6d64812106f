"""A numbered order book: its content after any number of deltas can be computed.

Delta number n sets one level of each side to the quantity n, and n also determines the level. The
id n of a local book is therefore enough to check its content.
"""

from __future__ import annotations

import attrs
import msgspec
import trio

from connector.events import BookView
from connector.testing.market.audience import Audience

LEVELS = 5
BEGUN = 10
"""Number of deltas before the first one that a subscriber can receive."""
_BID, _ASK = 3000, 3001
Side = list[tuple[float, float]]


def bids_at(number: int) -> Side:
    """Price and quantity of every bid after this many deltas, best first."""
    return [(float(_BID - level), float(last)) for level, last in _levels(number)]


def asks_at(number: int) -> Side:
    """Price and quantity of every ask after this many deltas, best first."""
    return [(float(_ASK + level), float(last)) for level, last in _levels(number)]


def is_right(view: BookView) -> bool:
    """Whether a synced view equals the exchange's book of its id, and an unsynced one is empty."""
    shown = [[(level.price, level.quantity) for level in side] for side in (view.bids, view.asks)]
    if not view.synced:
        return shown == [[], []]
    return shown == [bids_at(view.update_id), asks_at(view.update_id)]


def _levels(number: int) -> list[tuple[int, int]]:
    """The existing levels, and the last delta that set each."""
    newest = range(number, max(0, number - LEVELS), -1)
    return sorted((each % LEVELS, each) for each in newest)


@attrs.frozen
class NumberedBook:
    """One book, one delta per period, and snapshots of it."""

    every_seconds: float = 0.5
    stale: int = 0
    """How many snapshots are older than the first delta that a subscriber can receive."""

    def begin(self, audience: Audience) -> NumberedBookPlayer:
        """Start to count."""
        return NumberedBookPlayer(self.every_seconds, audience, stale=self.stale)


@attrs.define
class NumberedBookPlayer:
    """A running `NumberedBook`."""

    every_seconds: float
    audience: Audience
    symbols: tuple[str, ...] = ("ETHUSDC",)
    number: int = BEGUN
    stale: int = 0

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        """The current book; while `stale` snapshots remain, an old one."""
        now = self.audience.now_ms()
        number = BEGUN // 2 if self.stale else self.number
        self.stale = max(self.stale - 1, 0)
        body = {
            "lastUpdateId": number, "E": now, "T": now,
            "bids": _written(bids_at(number)), "asks": _written(asks_at(number)),
        }  # fmt: skip
        return msgspec.json.encode(body)

    async def play(self) -> None:
        """Publish until cancelled."""
        while True:
            await trio.sleep(self.every_seconds)
            self.number += 1
            level = self.number % LEVELS
            now = self.audience.now_ms()
            delta: dict[str, object] = {
                "e": "depthUpdate", "E": now, "T": now, "s": "ETHUSDC",
                "U": self.number, "u": self.number, "pu": self.number - 1,
                "b": [[str(_BID - level), str(self.number)]],
                "a": [[str(_ASK + level), str(self.number)]],
            }  # fmt: skip
            self.audience.publish("ethusdc@depth@100ms", delta)


def _written(side: Side) -> list[list[str]]:
    return [[str(price), str(quantity)] for price, quantity in side]
