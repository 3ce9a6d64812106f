"""An order book that matches by price, then time; integers throughout.

Prices are in ticks and quantities in lots, so that no number is ever rounded; `Scale` converts them
to the decimal text of a venue.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator
from typing import Literal, TypeAlias

import attrs

Side: TypeAlias = Literal["bid", "ask"]


@attrs.frozen
class Scale:
    """How one symbol's integers are written as decimals.

    A tick is ``10**-tick_decimals``; prices are written with `price_decimals` places, as many or
    more.
    """

    tick_decimals: int
    lot_decimals: int
    price_decimals: int
    quantity_decimals: int

    def price(self, ticks: int) -> str:
        return decimal_text(ticks, self.tick_decimals, self.price_decimals)

    def quantity(self, lots: int) -> str:
        return decimal_text(lots, self.lot_decimals, self.quantity_decimals)

    def value(self, ticks_times_lots: int) -> str:
        """A price times a quantity, such as a volume in the quote asset."""
        return decimal_text(
            ticks_times_lots,
            self.tick_decimals + self.lot_decimals,
            max(self.price_decimals, self.tick_decimals + self.lot_decimals),
        )


def decimal_text(units: int, decimals: int, written: int) -> str:
    """``units * 10**-decimals`` with exactly `written` digits after the point."""
    units *= 10 ** (written - decimals)
    sign = "-" if units < 0 else ""
    if written == 0:
        return f"{units}"
    whole, part = divmod(abs(units), 10**written)
    return f"{sign}{whole}.{part:0{written}d}"


@attrs.define(eq=False)
class Resting:
    """An account's order in the queue of its level; other orders there are plain quantities."""

    order_id: int
    account: str
    side: Side
    price: int
    lots: int


@attrs.frozen
class Fill:
    """One trade: a maker order matched with a taker."""

    price: int
    quantity: int
    maker: Resting | None = None
    """The maker order, if it belongs to an account."""


def _lots_of(order: int | Resting) -> int:
    return order if isinstance(order, int) else order.lots


class BookSide:
    """One side of a book: levels of orders, best first."""

    def __init__(self, side: Side, scale: Scale) -> None:
        self.side: Side = side
        self.quantities: dict[int, int] = {}
        """Price in ticks to the level's lots."""
        self._sign = -1 if side == "bid" else 1
        self._keys: list[int] = []
        self._orders: dict[int, deque[int | Resting]] = {}
        self._scale = scale
        self._texts: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def best(self) -> int | None:
        """Price of the best level in ticks."""
        return self._sign * self._keys[0] if self._keys else None

    @property
    def worst(self) -> int | None:
        """Price of the level farthest from the other side in ticks."""
        return self._sign * self._keys[-1] if self._keys else None

    def prices(self) -> Iterator[int]:
        """Prices of all levels in ticks, best first."""
        return (self._sign * key for key in tuple(self._keys))

    def price_at(self, rank: int) -> int:
        """Price of the level at a rank; 0 is the best, -1 the farthest."""
        return self._sign * self._keys[rank]

    def add(self, price: int, quantity: int) -> None:
        """Add an order behind the others at its price."""
        self._append(price, quantity, quantity)

    def rest(self, order: Resting) -> None:
        """Add an account's order behind the others at its price."""
        self._append(order.price, order, order.lots)

    def _append(self, price: int, order: int | Resting, lots: int) -> None:
        if price in self._orders:
            self._orders[price].append(order)
            self.quantities[price] += lots
        else:
            self._orders[price] = deque((order,))
            self.quantities[price] = lots
            insort(self._keys, self._sign * price)
        self._texts.pop(price, None)

    def cancel(self, price: int, index: int) -> int:
        """Remove the order at a place in its level's queue, and return its lots.

        Orders of accounts are skipped; if the level has no other orders, it returns 0.
        """
        orders = self._orders[price]
        places = [place for place, order in enumerate(orders) if isinstance(order, int)]
        if not places:
            return 0
        place = places[index % len(places)]
        quantity = _lots_of(orders[place])
        del orders[place]
        self._reduce(price, quantity)
        return quantity

    def take(self, quantity: int) -> list[Fill]:
        """Match a market order with the best orders, first come first served."""
        fills: list[Fill] = []
        while quantity and self._keys:
            fill = self.take_first(quantity)
            fills.append(fill)
            quantity -= fill.quantity
        return fills

    @property
    def first(self) -> int | Resting | None:
        """The next order to match; an order without an account is given by its lots."""
        return self._orders[self._sign * self._keys[0]][0] if self._keys else None

    def take_first(self, most: int) -> Fill:
        """Match with the first order in the queue of the best level."""
        price = self._sign * self._keys[0]
        orders = self._orders[price]
        first = orders[0]
        filled = min(most, _lots_of(first))
        maker = first if isinstance(first, Resting) else None
        if filled == _lots_of(first):
            orders.popleft()
        elif not isinstance(first, Resting):
            orders[0] = first - filled
        if maker is not None:
            maker.lots -= filled
        self._reduce(price, filled)
        return Fill(price, filled, maker)

    def reduce(self, order: Resting, lots: int) -> None:
        """Reduce an account's order, which keeps its place; an order without lots is removed."""
        if lots == order.lots:
            self._orders[order.price].remove(order)
        order.lots -= lots
        self._reduce(order.price, lots)

    def lots_within(self, price: int) -> Iterator[int | Resting]:
        """The orders that a taker with a limit could match, in order."""
        for key in tuple(self._keys):
            if key > self._sign * price:
                return
            yield from tuple(self._orders[self._sign * key])

    def _reduce(self, price: int, quantity: int) -> None:
        self._texts.pop(price, None)
        left = self.quantities[price] - quantity
        if left:
            self.quantities[price] = left
            return
        del self.quantities[price], self._orders[price]
        del self._keys[bisect_left(self._keys, self._sign * price)]

    def text(self, price: int) -> str:
        """The level as JSON, ``["3000.10","1.200"]``; a removed level has quantity zero."""
        text = self._texts.get(price)
        if text is None:
            quantity = self.quantities.get(price, 0)
            text = f'["{self._scale.price(price)}","{self._scale.quantity(quantity)}"]'
            if quantity:
                self._texts[price] = text
        return text

    def best_levels(self, levels: int) -> list[tuple[int, int]]:
        """Price and lots of the best levels, best first."""
        prices = [self._sign * key for key in self._keys[:levels]]
        return [(price, self.quantities[price]) for price in prices]

    def top(self, levels: int) -> str:
        """The best levels as a JSON array."""
        return f"[{','.join(self.text(self._sign * key) for key in self._keys[:levels])}]"


class OrderBook:
    """Both sides of one symbol."""

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self.bids = BookSide("bid", scale)
        self.asks = BookSide("ask", scale)

    def side(self, side: Side) -> BookSide:
        return self.bids if side == "bid" else self.asks

    def best(self) -> tuple[int, int, int, int]:
        """Best bid, its lots, best ask, its lots; zeros where a side is empty."""
        bid, ask = self.bids.best or 0, self.asks.best or 0
        return bid, self.bids.quantities.get(bid, 0), ask, self.asks.quantities.get(ask, 0)
