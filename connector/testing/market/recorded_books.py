"""The books of Binance in a capture: snapshots that were fetched, and what has changed since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import attrs
import msgspec


class _Update(msgspec.Struct):
    """A message of ``<symbol>@depth``; one of a partial book has no such ids."""

    s: str
    U: int
    u: int
    b: list[list[str]]
    a: list[list[str]]


_decode_update = msgspec.json.Decoder(_Update).decode


@attrs.define
class _Book:
    last_id: int
    bids: dict[Decimal, Sequence[str]]
    asks: dict[Decimal, Sequence[str]]
    more: dict[str, Any]
    """What else the snapshot said."""
    stream: str | None = None
    """The stream whose changes count: others of the symbol have the same at another pace."""


class RecordedBooks:
    """What REST answers about books, as far as a capture was played."""

    def __init__(self) -> None:
        self._books: dict[str, _Book] = {}

    @property
    def symbols(self) -> tuple[str, ...]:
        """Those with a snapshot."""
        return tuple(self._books)

    def keep(self, symbol: str, body: str) -> None:
        """A snapshot was fetched."""
        more: dict[str, Any] = msgspec.json.decode(body)
        bids, asks = more.pop("bids"), more.pop("asks")
        self._books[symbol] = _Book(more.pop("lastUpdateId"), _side(bids), _side(asks), more)

    def change(self, stream: str, data: bytes) -> None:
        """A message was played."""
        if not self._books or "@depth" not in stream:
            return
        try:
            update = _decode_update(data)
        except msgspec.DecodeError:
            return
        book = self._books.get(update.s)
        if book is None or update.u <= book.last_id or book.stream not in (None, stream):
            return
        book.stream, book.last_id = stream, update.u
        for side, levels in ((book.bids, update.b), (book.asks, update.a)):
            for level in levels:
                if Decimal(level[1]):
                    side[Decimal(level[0])] = level
                else:
                    side.pop(Decimal(level[0]), None)

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        """The book as of now, cut to `limit` levels; None: there is none."""
        book = self._books.get(symbol)
        if book is None:
            return None
        told = {
            "lastUpdateId": book.last_id,
            **book.more,
            "bids": [book.bids[price] for price in sorted(book.bids, reverse=True)[:limit]],
            "asks": [book.asks[price] for price in sorted(book.asks)[:limit]],
        }
        return msgspec.json.encode(told)


def _side(levels: Iterable[Sequence[str]]) -> dict[Decimal, Sequence[str]]:
    return {Decimal(level[0]): level for level in levels}
