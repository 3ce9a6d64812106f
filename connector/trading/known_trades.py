"""The reported trades: each is reported once, and their sum explains changes of the holdings.

The holdings of an account change by its trades. If an amount has changed by more than the known
trades, a trade is missing, even if the exchange's list does not show one yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from decimal import Decimal

import attrs

from connector.inputs.decimals import ZERO, difference, plus, product
from connector.instruments import Instrument
from connector.orders import Side
from connector.trading.holdings import Standing
from connector.trading.reports import FillReport

REMEMBERED_TRADES = 20_000
"""Number of remembered trade ids, so that each trade is reported once."""
_WHOLE_TRADES = 2_000
"""Number of the latest trades that are remembered with all fields."""
_SAME_TIME_NS = 10_000_000
"""Tolerance between the times of a trade and of the change it causes."""


@attrs.define
class KnownTrades:
    """The reported trades."""

    _seen: set[tuple[str, str]] = attrs.field(factory=set)
    _order: deque[tuple[str, str]] = attrs.field(factory=deque)
    of_others: set[tuple[str, str]] = attrs.field(factory=set)
    """Those that were told when nothing tied them to an order of ours, or by another run."""
    _latest: deque[FillReport] = attrs.field(factory=lambda: deque(maxlen=_WHOLE_TRADES))
    _of_nobody: dict[tuple[str, str], list[FillReport]] = attrs.field(factory=dict)
    """Those that nothing ties to anybody yet, by symbol and the order's id."""

    def __contains__(self, fill: FillReport) -> bool:
        return (fill.symbol, fill.trade_id) in self._seen

    def remember(self, fill: FillReport) -> bool:
        """Note that a trade is reported; False if it was reported before."""
        key = fill.symbol, fill.trade_id
        if key in self._seen:
            return False
        self._latest.append(fill)
        self._add(key)
        return True

    def tell_as_others(self, fill: FillReport) -> None:
        """It is told without an order of ours."""
        self.was_told(fill.symbol, fill.trade_id)
        if fill.client_id:
            return
        self._of_nobody.setdefault((fill.symbol, fill.exchange_id), []).append(fill)
        if len(self._of_nobody) > _WHOLE_TRADES:
            del self._of_nobody[next(iter(self._of_nobody))]

    def was_told(self, symbol: str, trade_id: str) -> None:
        """It was told without an order of ours, perhaps by an earlier run."""
        key = symbol, trade_id
        if key not in self._seen:
            self._add(key)
        self.of_others.add(key)

    def was_told_as_others(self, symbol: str, trade_id: str) -> bool:
        """Whether it was told without an order of ours."""
        return (symbol, trade_id) in self.of_others

    def _add(self, key: tuple[str, str]) -> None:
        self._seen.add(key)
        self._order.append(key)
        if len(self._order) > REMEMBERED_TRADES:
            oldest = self._order.popleft()
            self._seen.discard(oldest)
            self.of_others.discard(oldest)

    # --- whose they are, and what they have moved

    def of_nobody(self, symbol: str, side: Side, since_ns: int) -> list[FillReport]:
        """Trades since a time of which it is not known whose they are."""
        return [
            each
            for fills in self._of_nobody.values()
            for each in fills
            if (each.symbol, each.side) == (symbol, side)
            and (each.time_ns is None or each.time_ns >= since_ns)
        ]

    def belongs_to_ours(self, symbol: str, exchange_id: str) -> list[FillReport]:
        """An order of ours has this id: its trades that were told as nobody's."""
        return self._of_nobody.pop((symbol, exchange_id), [])

    def belongs_to_others(self, symbol: str, exchange_id: str) -> None:
        """Note that the exchange has named the order, and it is none of this run."""
        self._of_nobody.pop((symbol, exchange_id), None)

    def explain(
        self,
        before: Standing | None,
        now: Standing,
        instruments: Mapping[str, Instrument],
    ) -> bool | None:
        """Whether the known trades lead from what was held before to what is held now.

        On spot a deposit or a withdrawal moves one asset, a trade moves both.

        Returns:
            None if that cannot be told: a second trade was at the time of what was held before, or
            it is too long ago.
        """
        if before is None or before.time_ns is None:
            return None
        since_ns = before.time_ns
        times = [each.time_ns or 0 for each in self._latest]
        if times.count(since_ns) > 1:
            return None
        if any(since_ns < each <= since_ns + _SAME_TIME_NS for each in times):
            return None
        if len(self._latest) == _WHOLE_TRADES and (self._latest[0].time_ns or 0) > since_ns:
            return None
        moved = list(before.amounts)
        for each in self._latest:
            if each.time_ns is None or each.time_ns > since_ns:
                changes = _changes(each, before, instruments)
                moved = [plus(*pair) for pair in zip(moved, changes, strict=True)]
        return any(a == b for a, b in zip(moved, now.amounts, strict=True))


def _changes(
    fill: FillReport, held: Standing, instruments: Mapping[str, Instrument]
) -> tuple[Decimal, ...]:
    """By how much a trade moved each of the amounts."""
    signed = fill.quantity if fill.side == "buy" else difference(ZERO, fill.quantity)
    if not held.assets:
        of_it = (fill.symbol, fill.leg) == (held.symbol, held.leg)
        return (signed if of_it else ZERO,)
    instrument = instruments.get(fill.symbol)
    changes = []
    for asset in held.assets:
        change = ZERO
        if instrument is not None and asset == instrument.base:
            change = signed
        if instrument is not None and asset == instrument.quote:
            change = difference(ZERO, product(signed, fill.price))
        if asset == fill.fee_asset and fill.fee is not None:
            change = difference(change, fill.fee)
        changes.append(change)
    return tuple(changes)


def is_later(trade_id: str, than: str) -> bool:
    """Whether `trade_number` of one is above that of another."""
    if len(trade_id) == len(than) and trade_id.isdecimal() and than.isdecimal():
        return trade_id > than  # as their numbers are, without making these
    return trade_number(trade_id) > trade_number(than)


def trade_number(trade_id: str) -> tuple[int, str]:
    """Ids that are numbers rise by number, others by text."""
    return (int(trade_id), "") if trade_id.isdecimal() else (0, trade_id)
