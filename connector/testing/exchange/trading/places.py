"""The places of accounts' orders in the market's books: where they rest, and what they meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

import attrs

from connector.testing.exchange.trading.instruments import Instrument
from connector.testing.exchange.trading.market_access import Floor
from connector.testing.exchange.trading.orders import Draft, Order
from connector.testing.exchange.trading.tape import Tape
from connector.testing.market.matching import BookSide, Resting
from connector.testing.market.matching import Side as BookSideName


@attrs.define(eq=False)
class Places:
    """Every order of an account that rests on a book, by its id."""

    floor: Floor
    instruments: Mapping[str, Instrument]
    tape: Tape
    _resting: dict[int, Resting] = attrs.field(factory=dict)

    def __bool__(self) -> bool:
        return bool(self._resting)

    def __getitem__(self, order_id: int) -> Resting:
        return self._resting[order_id]

    def rest(self, order: Order) -> None:
        """Put what remains of an order at the end of the queue at its price."""
        instrument = self.instruments[order.symbol]
        book = self.floor.book(order.symbol)
        side = (book.bids if order.side == "BUY" else book.asks).side
        resting = Resting(
            order.order_id,
            order.account,
            side,
            instrument.ticks(order.price),
            instrument.lots(order.remaining),
        )
        self._resting[order.order_id] = resting
        self.side(order.symbol, side).rest(resting)
        self.tape.changed(side, resting.price)
        self.floor.wake()

    def withdraw(self, order: Order) -> None:
        """Take an order off the book, if it rests there."""
        self.shrink(order, order.remaining)

    def shrink(self, order: Order, quantity: Decimal) -> None:
        """Take this quantity of an order off the book, if the order rests there."""
        resting = self._resting.get(order.order_id)
        if resting is not None:
            self.reduce(order.symbol, resting, self.instruments[order.symbol].lots(quantity))
            self.forget_if_filled(resting)

    def reduce(self, symbol: str, resting: Resting, lots: int) -> None:
        """Take so many lots of an order off the book; it keeps its place."""
        self.side(symbol, resting.side).reduce(resting, lots)
        self.tape.changed(resting.side, resting.price)

    def forget_if_filled(self, resting: Resting) -> None:
        """Forget an order of which nothing rests."""
        if not resting.lots:
            self._resting.pop(resting.order_id, None)

    def side(self, symbol: str, side: BookSideName) -> BookSide:
        """One side of a symbol's book."""
        return self.floor.book(symbol).side(side)

    def opposite(self, symbol: str, buys: bool) -> BookSide:
        """The side that an order takes from."""
        return self.side(symbol, "ask" if buys else "bid")

    def takes(self, symbol: str, buys: bool, price: Decimal) -> bool:
        """Whether an order at a price would take from the book."""
        best = self.opposite(symbol, buys).best
        if best is None:
            return False
        limit = self.instruments[symbol].ticks(price)
        return best <= limit if buys else best >= limit

    def fills_at_once(
        self, draft: Draft, quantity: Decimal, is_prevented: Callable[[Resting], bool]
    ) -> bool:
        """Whether the book has this quantity for an order, without what it may not trade with."""
        instrument = self.instruments[draft.symbol]
        side, lots = self.opposite(draft.symbol, draft.side == "BUY"), 0
        worst = instrument.ticks(draft.price) if draft.is_limit else side.worst
        if worst is None:
            return False
        for order in side.lots_within(worst):
            if not isinstance(order, Resting):
                lots += order
            elif not is_prevented(order):
                lots += order.lots
        return lots >= instrument.lots(quantity)
