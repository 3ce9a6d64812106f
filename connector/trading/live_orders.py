"""Sums over our orders that have not ended, updated as the orders change.

Limits are checked before every order. Adding up all open orders each time would cost more the more
orders are open. Instead, an order reports its changes (`OrderRecord.note_change`), and only its
share of the sums is replaced at the next query. The sums are exact, because the share that is
subtracted equals the share that was added.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import TypeAlias

from connector.inputs.decimals import ZERO, difference, plus, total
from connector.instruments import Instrument
from connector.orders import Side
from connector.trading.exposure import Exposure, notional_of
from connector.trading.order_record import OrderRecord

_Share: TypeAlias = tuple[tuple[str, Side], Decimal, Decimal]
"""Of one order: where it counts, what may still be traded of it, and what that is worth."""


class LiveOrders:
    """The orders of one account that are not over.

    Args:
        instruments: what an order is worth; one of another instrument is worth nothing.
    """

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = instruments
        self._changed: list[OrderRecord] = []
        self._live: dict[str, OrderRecord] = {}
        self._shares: dict[str, _Share] = {}
        self._quantities: dict[tuple[str, Side], Decimal] = {}
        self._worth = ZERO
        self._unpriced: dict[str, OrderRecord] = {}
        """Those whose worth depends on the market's price."""

    def add(self, record: OrderRecord, worth: Decimal | None = None) -> None:
        """Count an order from now on, whenever it is not over.

        Args:
            record: the order.
            worth: its notional, if the caller has computed it.
        """
        record.note_changes_in(self._changed)
        self._count(record, worth)

    def records(self) -> Collection[OrderRecord]:
        """All of them."""
        self._settle()
        return self._live.values()

    def quantity(self, symbol: str, side: Side) -> Decimal:
        """What the orders of one side of `symbol` may still trade; what only reduces adds none."""
        if self._changed:
            self._settle()
        return self._quantities.get((symbol, side), ZERO)

    def exposure(self, symbol: str, without: OrderRecord | None = None) -> Exposure:
        """What the orders of `symbol` may still become. What only reduces adds nothing.

        Args:
            symbol: the instrument.
            without: an order that is not to be counted.
        """
        if self._changed:
            self._settle()
        buys = self._quantities.get((symbol, "buy"), ZERO)
        sells = self._quantities.get((symbol, "sell"), ZERO)
        share = None if without is None else self._shares.get(without.client_id)
        if share is not None:
            (of, side), quantity, _ = share
            if of == symbol and side == "buy":
                buys = difference(buys, quantity)
            elif of == symbol:
                sells = difference(sells, quantity)
        return Exposure(buys, sells)

    def notional(
        self, prices: Mapping[str, Decimal], without: OrderRecord | None = None
    ) -> Decimal:
        """What all of them together may still be worth; what only reduces is worth nothing.

        Args:
            prices: of the market, by symbol: of an order that has no price of its own.
            without: an order that is not to be counted.
        """
        if self._changed:
            self._settle()
        worth = self._worth
        share = None if without is None else self._shares.get(without.client_id)
        if share is not None:
            worth = difference(worth, share[2])
        if not self._unpriced:
            return worth
        return total(
            [
                worth,
                *(
                    notional_of(each, self._instruments[each.symbol], prices.get(each.symbol))
                    for each in self._unpriced.values()
                    if each is not without
                ),
            ]
        )

    def _settle(self) -> None:
        """Replace the shares of the orders that have changed."""
        for record in self._changed:
            record.note_changes_in(self._changed)
            self._take_out(record)
            self._count(record)
        self._changed.clear()

    def _count(self, record: OrderRecord, worth: Decimal | None = None) -> None:
        if record.over:
            self._live.pop(record.client_id, None)
            return
        self._live[record.client_id] = record
        if not record.intent.reduce_only:
            self._put_in(record, worth)

    def _take_out(self, record: OrderRecord) -> None:
        self._unpriced.pop(record.client_id, None)
        share = self._shares.pop(record.client_id, None)
        if share is not None:
            where, quantity, worth = share
            self._quantities[where] = difference(self._quantities[where], quantity)
            self._worth = difference(self._worth, worth)

    def _put_in(self, record: OrderRecord, worth: Decimal | None) -> None:
        where: tuple[str, Side] = record.symbol, record.intent.side
        quantity = record.remaining
        if worth is None:
            worth = self._worth_of(record, quantity)
        self._shares[record.client_id] = where, quantity, worth
        self._quantities[where] = plus(self._quantities.get(where, ZERO), quantity)
        self._worth = plus(self._worth, worth)

    def _worth_of(self, record: OrderRecord, quantity: Decimal) -> Decimal:
        instrument = self._instruments.get(record.symbol)
        price = record.price if record.amending is None else record.worst_price
        if instrument is None:
            return ZERO
        if price is None:
            self._unpriced[record.client_id] = record
            return ZERO
        return instrument.notional(quantity, price)
