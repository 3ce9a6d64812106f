"""Numbered trades with a history on the exchange, and a reader of a feed with backfill.

Trade number n happens after n periods, whether or not there are subscribers, and its price encodes
its number. Streams deliver it, and so do requests for the past. A reader can therefore tell of
each trade whether it is correct, whether one before it is missing, and whether it had to be
fetched.
"""

from __future__ import annotations

from typing import Any

import attrs
import trio

from connector.events import Gap, Trade
from connector.testing.explore.stage import Stage
from connector.testing.market.audience import Audience
from connector.testing.market.candles import Bars
from connector.testing.market.history import History
from connector.testing.market.payloads import (
    Payloads,
    SpotPayloads,
    TradeFacts,
    UsdmPayloads,
)

SYMBOL = "ETHUSDC"
START_TICKS = 300_000


@attrs.frozen
class NumberedTrades:
    """One trade per period; each is also an aggregate trade of one."""

    every_seconds: float = 0.25

    def begin(self, audience: Audience) -> NumberedTradesPlayer:
        """Start to count."""
        return NumberedTradesPlayer(self.every_seconds, audience)


class NumberedTradesPlayer:
    """A running `NumberedTrades` market.

    Attributes:
        number: number of the last trade.
        streamed: numbers of the trades that were sent to a subscriber when they happened.
    """

    symbols = (SYMBOL,)

    def __init__(self, every_seconds: float, audience: Audience) -> None:
        self.number = 0
        self.streamed: set[int] = set()
        self._every_seconds = every_seconds
        self._audience = audience
        self._write: Payloads = (
            SpotPayloads() if audience.venue.rules.name == "spot" else UsdmPayloads()
        )
        now_ms = audience.now_ms()
        self._history = History(
            Bars(now_ms, START_TICKS), seed="", opened_ms=now_ms, start_ticks=START_TICKS
        )

    def history(self, symbol: str) -> History:
        """The trades from which requests for the past are answered."""
        return self._history

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        """Return no snapshot: this market has none."""
        return None

    async def play(self) -> None:
        """Trade until cancelled."""
        write, audience = self._write, self._audience
        while True:
            await trio.sleep(self._every_seconds)
            self.number += 1
            trade = TradeFacts(
                audience.now_ms(), self.number, START_TICKS + self.number, 1, True,
                self.number, self.number,
            )  # fmt: skip
            self._history.add([trade], [trade])
            sent = audience.publish("ethusdc@trade", write.trade(SYMBOL, trade).encode())
            sent += audience.publish("ethusdc@aggTrade", write.aggregate(SYMBOL, trade).encode())
            if sent:
                self.streamed.add(self.number)


class BackfillReader:
    """Check a feed with ``backfill``.

    Every trade must arrive once, in order, with the right mark; a gap must name each missing one.

    Args:
        stage: the environment of the program.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._player: Any = stage.exchange.player
        self._counted = stage.reader(gaps=True)
        self._last: int | None = None
        self._missing: set[int] = set()
        self._excused = False
        """Whether a gap arrived that does not say which trades are missing."""
        self._live = False
        self.marked = 0

    @property
    def events(self) -> int:
        """How many trades the consumer has received."""
        return self._counted.events

    @property
    def complete(self) -> bool:
        """Whether the newest trade has arrived over the stream, not by a request."""
        return self._live and self._last == self._player.number

    def saw(self, event: Gap | Trade[Any]) -> None:
        """Check one event that the consumer has received."""
        self._stage.turn()
        if isinstance(event, Gap):
            self._see_gap(event)
            return
        self._counted.events += 1
        number, last = event.trade_id, self._last
        self._last = number
        if round(event.price * 100) != START_TICKS + number:
            self._stage.find("I8", f"trade {number} has the price of another trade: {event.price}")
        self._live = not event.backfilled
        if event.backfilled:
            self.marked += 1
        elif number not in self._player.streamed:
            self._stage.find("I8", f"trade {number} was fetched but is not marked as such")
        if last is None:
            if event.backfilled:
                self._stage.find(
                    "I8", f"trade {number} was fetched although nothing could be missing yet"
                )
        elif number <= last:
            self._stage.find("I11", f"trade {number} came after {last}")
        else:
            self._see_step(last, number)

    def _see_gap(self, gap: Gap) -> None:
        if gap.first_id is None or gap.last_id is None:
            self._excused = True
            return
        told = set(range(gap.first_id, gap.last_id + 1))
        if self._last is not None and min(told) <= self._last:
            self._stage.find("I8", f"a Gap names trade {min(told)}, which precedes {self._last}")
        self._missing |= told

    def _see_step(self, last: int, number: int) -> None:
        missing = set(range(last + 1, number))
        if self._missing - missing:
            self._stage.find(
                "I8", f"a Gap names trade {min(self._missing - missing)}, which arrived"
            )
        if missing - self._missing and not self._excused:
            self._stage.find("I8", f"trade {last} was followed by {number} without a Gap between")
        self._missing.clear()
        self._excused = False
