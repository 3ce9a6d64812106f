"""The current market of a run: the top of every book, and the last trades.

The board looks at each batch on its way to a sink. It costs a look-up per event, and nothing where
no pages are served.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import attrs

from connector.events import BookSnapshot, BookView, Event, Level, Quote, Trade

Kind: TypeAlias = Literal["order_book", "partial_book", "best_quote"]
_LAST_TRADES = 12


@attrs.frozen
class Top:
    """The best bid and ask of a symbol: None for an empty side, or while a book is not synced."""

    adapter: str
    symbol: str
    kind: Kind
    bid: tuple[Any, Any] | None
    """Price and quantity."""
    ask: tuple[Any, Any] | None
    synced: bool
    received_ns: int


class MarketBoard:
    """The newest event of every kind and symbol, and the last trades of all."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, type[Event], str], Event] = {}
        self._trades: deque[tuple[str, Trade]] = deque(maxlen=_LAST_TRADES)
        self._readers: dict[tuple[str, str], object] = {}

    def see(self, reader: object, adapter: str, group: str, events: Sequence[Event]) -> None:
        """Look at events that `reader` has read; of several readers of a group the first counts."""
        if self._readers.setdefault((adapter, group), reader) is not reader:
            return
        latest, trades = self._latest, self._trades
        for event in events:
            if isinstance(event, Trade):
                trades.append((adapter, event))
            else:
                latest[adapter, type(event), event.symbol] = event

    def forget(self, reader: object) -> None:
        """`reader` has ended: another one of its group may take over."""
        for key in [key for key, found in self._readers.items() if found is reader]:
            del self._readers[key]

    def tops(self) -> list[Top]:
        """The tops of all books, by adapter and symbol."""
        shown = (_top(adapter, event) for (adapter, *_), event in self._latest.items())
        return sorted(filter(None, shown), key=lambda top: (top.adapter, top.symbol, top.kind))

    def trades(self) -> list[tuple[str, Trade]]:
        """The last trades with their adapters, the newest first."""
        return [*self._trades][::-1]


def _top(adapter: str, event: Event) -> Top | None:
    match event:
        case Quote():
            return Top(
                adapter,
                event.symbol,
                "best_quote",
                (event.bid_price, event.bid_quantity),
                (event.ask_price, event.ask_quantity),
                True,
                event.received_ns,
            )
        case BookView() | BookSnapshot():
            bid, ask = _best(event.bids), _best(event.asks)
            synced = event.synced if isinstance(event, BookView) else True
            kind: Kind = "order_book" if isinstance(event, BookView) else "partial_book"
            return Top(adapter, event.symbol, kind, bid, ask, synced, event.received_ns)
        case _:
            return None


def _best(side: Sequence[Level[Any]]) -> tuple[Any, Any] | None:
    return (side[0].price, side[0].quantity) if side else None
