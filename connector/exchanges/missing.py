"""Trades that a stream missed: collect them from replies, and report those still missing.

The module does no I/O: `next_request` returns the next request, and `take` stores its reply.

.. code-block:: text

    last ─── the stream was interrupted ─── first
      │          │ found │    hole   │ found  │
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from connector.events import Trade
from connector.exchanges.requests import BackfillOffer, BackfillWay, Trades
from connector.exchanges.rest_service import RestRequest


@attrs.frozen
class Hole:
    """Trades that could not be fetched."""

    first_id: int | None
    last_id: int | None
    """Id of the last missing trade; None if ids carry no order."""
    begin_ns: int | None
    end_ns: int | None


class MissingTrades:
    """The trades between two trades of a stream.

    Args:
        offer: how the exchange sends missed trades.
        way: which of the offer's requests to use.
        symbol: the symbol as the program wrote it.
        last: the last trade before them.
        first: the first trade after them; None if none has arrived yet.
    """

    def __init__(
        self,
        offer: BackfillOffer,
        way: BackfillWay,
        symbol: str,
        last: Trade[Any],
        first: Trade[Any] | None,
    ) -> None:
        self._offer = offer
        self._way = way
        self._symbol = symbol
        self._last = last
        self._first = first
        self._cursor = last.trade_id + 1 if way.reach == "from" else None
        if way.reach == "before" and first is not None:
            self._cursor = first.trade_id
        self._limit = way.most
        self.found: list[Trade[Any]] = []
        """The trades fetched so far, oldest first."""
        self.finished = False
        """Whether no further request is needed."""
        self.joins_last = False
        """Whether no trade is known to be missing directly after `last`."""
        self.joins_first = first is None
        """Whether no trade is known to be missing directly before `first`."""

    def next_request(self) -> RestRequest[Trades]:
        """Return the next request; call it only while not `finished`."""
        first = self._first
        self._limit = self._way.most
        if self._way.reach == "from" and first is not None and self._cursor is not None:
            # One more than needed, which shows that the exchange has stored all of them.
            self._limit = max(min(self._limit, first.trade_id - self._cursor + 1), 1)
        return self._way.request(self._symbol, self._cursor, self._limit)

    def take(self, reply: Sequence[Trade[Any]]) -> None:
        """Store the trades in the reply to the last request."""
        if self._offer.numbered:
            self._take_numbered(sorted(reply, key=lambda trade: trade.trade_id))
        else:
            self._take_unnumbered(reply)

    def _take_numbered(self, reply: Sequence[Trade[Any]]) -> None:
        last_id = self._last.trade_id
        first_id = None if self._first is None else self._first.trade_id
        inside = [
            trade
            for trade in reply
            if trade.trade_id > last_id and (first_id is None or trade.trade_id < first_id)
        ]
        if not reply:
            self.finished = True
            return
        oldest, newest = reply[0].trade_id, reply[-1].trade_id
        if first_id is not None and newest >= first_id - 1:
            self.joins_first = True
        if self._way.reach == "from":
            self.joins_last = True  # what it jumps over, numbers tell
            known = self.found[-1].trade_id if self.found else last_id
            self.found += [trade for trade in inside if trade.trade_id > known]
            at_end = len(reply) < self._limit or (self.joins_first and first_id is not None)
            self.finished = at_end or newest < (self._cursor or 0)
            self._cursor = newest + 1
            return
        known = self.found[0].trade_id if self.found else newest + 1
        self.found[:0] = [trade for trade in inside if trade.trade_id < known]
        self.joins_last = oldest <= last_id + 1
        if self._way.reach == "before" and first_id is not None:
            self.joins_first = True  # the newest before it, numbers do not tell
        at_end = self.joins_last or len(reply) < self._limit
        stuck = self._cursor is not None and oldest >= self._cursor
        self.finished = self._way.reach == "newest" or at_end or stuck
        self._cursor = oldest

    def _take_unnumbered(self, reply: Sequence[Trade[Any]]) -> None:
        """Store the reply to a request for the newest trades."""
        self.finished = True
        last, first = self._last, self._first
        known = [index for index, trade in enumerate(reply) if trade.trade_id == last.trade_id]
        begun_ns, ended_ns = last.exchange_time_ns or 0, None
        self.joins_last = bool(known)
        if known:
            later = list(reply[known[-1] + 1 :])
        else:
            later = [each for each in reply if (each.exchange_time_ns or 0) >= begun_ns]
        if first is not None:
            ended_ns = first.exchange_time_ns
            ends = [index for index, trade in enumerate(later) if trade.trade_id == first.trade_id]
            self.joins_first = bool(ends)
            if ends:
                later = later[: ends[0]]
            elif ended_ns is not None:
                later = [each for each in later if (each.exchange_time_ns or 0) <= ended_ns]
        self.found = later


@attrs.frozen
class Filled:
    """The fetched trades between `last` and `first`."""

    offer: BackfillOffer
    last: Trade[Any]
    first: Trade[Any] | None
    found: Sequence[Trade[Any]]
    joins_last: bool
    joins_first: bool

    def items(self) -> Iterator[Trade[Any] | Hole]:
        """Yield the trades, and holes in the places of those still missing."""
        if self.offer.numbered and self.offer.dense:
            yield from self._numbered()
            return
        if not self.joins_last:
            yield self._hole(self.last, self.found[0] if self.found else self.first)
        yield from self.found
        if self.first is not None and not self.joins_first and (self.found or self.joins_last):
            yield self._hole(self.found[-1] if self.found else self.last, self.first)

    def _numbered(self) -> Iterator[Trade[Any] | Hole]:
        before = self.last
        for trade in self.found:
            if trade.trade_id > before.trade_id + 1:
                yield self._hole(before, trade)
            yield trade
            before = trade
        if self.first is not None and self.first.trade_id > before.trade_id + 1:
            yield self._hole(before, self.first)

    def _hole(self, before: Trade[Any], after: Trade[Any] | None) -> Hole:
        numbered = self.offer.numbered and after is not None
        return Hole(
            first_id=before.trade_id + 1 if numbered else None,
            last_id=after.trade_id - 1 if numbered and after is not None else None,
            begin_ns=before.exchange_time_ns,
            end_ns=None if after is None else after.exchange_time_ns,
        )
