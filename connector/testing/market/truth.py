"""The true history of one symbol of the order flow, with which a client is compared."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TypeAlias

from connector.testing.market.matching import OrderBook, Scale
from connector.testing.market.payloads import TradeFacts

Levels: TypeAlias = Sequence[tuple[Decimal, Decimal]]
"""Price and quantity, best first."""
_Top: TypeAlias = tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]


class MarketTruth:
    """The best levels of a book after each action, and all trades, since recording began.

    Args:
        book: the book of the symbol.
        levels: how many levels per side to record.
        ms: the current time.
    """

    def __init__(self, book: OrderBook, levels: int, ms: int) -> None:
        self.levels = levels
        self._book = book
        self._first = 0
        """The number of the oldest recorded state."""
        self._tops: list[_Top] = []
        self._times: list[int] = []
        self._found: dict[int, dict[_Top, list[int]]] = {}
        self._read: dict[int, int] = {}
        self._trades: dict[tuple[int, int, bool], list[int]] = {}
        self.note(ms, ())

    def __len__(self) -> int:
        """The number of recorded states."""
        return len(self._tops)

    def note(self, ms: int, trades: Iterable[TradeFacts]) -> None:
        """Record the current book, and the trades."""
        book, levels = self._book, self.levels
        self._tops.append(
            (tuple(book.bids.best_levels(levels)), tuple(book.asks.best_levels(levels)))
        )
        self._times.append(ms)
        for trade in trades:
            key = trade.price, trade.quantity, trade.taker_buys
            self._trades.setdefault(key, []).append(trade.ms)

    def keep_last(self, states: int) -> None:
        """For a long run: drop old states and trades whenever there are twice as many as this."""
        if len(self._tops) < 2 * states:
            return
        self._first += len(self._tops) - states
        del self._tops[:-states], self._times[:-states]
        self._found.clear()
        self._read.clear()
        oldest_ms = self._times[0]
        self._trades = {key: ms for key, ms in self._trades.items() if ms[-1] >= oldest_ms}

    def find_book(self, bids: Levels, asks: Levels, since: int = 0) -> int | None:
        """The number of the first state not before `since` that has these best levels.

        Compares as many levels as the longer side has, at most `levels`. None if no state matches.
        """
        depth = min(max(len(bids), len(asks)), self.levels)
        scale = self._book.scale
        own_bids, own_asks = _in_units(bids[:depth], scale), _in_units(asks[:depth], scale)
        if own_bids is None or own_asks is None:
            return None
        places = self._index(depth).get((own_bids, own_asks), [])
        at = bisect_left(places, since)
        return places[at] if at < len(places) else None

    def ms_of(self, state: int) -> int:
        """When a state began, in milliseconds since 1970."""
        return self._times[state - self._first]

    def until_ms(self, state: int) -> int | None:
        """When the next state followed; None for the current state."""
        following = state + 1 - self._first
        return self._times[following] if following < len(self._times) else None

    def has_trade(self, price: Decimal, quantity: Decimal, side: str) -> bool:
        """Whether this trade happened, or this aggregate of trades at one price."""
        scale = self._book.scale
        wanted = _in_units([(price, quantity)], scale)
        return wanted is not None and (*wanted[0], side == "buy") in self._trades

    def _index(self, depth: int) -> dict[_Top, list[int]]:
        index = self._found.setdefault(depth, {})
        for place in range(self._read.get(depth, 0), len(self._tops)):
            bids, asks = self._tops[place]
            index.setdefault((bids[:depth], asks[:depth]), []).append(place + self._first)
        self._read[depth] = len(self._tops)
        return index


def _in_units(levels: Levels, scale: Scale) -> tuple[tuple[int, int], ...] | None:
    """Convert to ticks and lots; None if one would be a fraction."""
    units = []
    for price, quantity in levels:
        ticks, lots = price.scaleb(scale.tick_decimals), quantity.scaleb(scale.lot_decimals)
        if ticks != int(ticks) or lots != int(lots):
            return None
        units.append((int(ticks), int(lots)))
    return tuple(units)
