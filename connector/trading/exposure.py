"""Compute the exposure of all orders, and check it against the program's own limits.

Open, in-flight and unknown orders count with the whole quantity that may still be traded, until
they have certainly ended. An order that was considered lost, but is open, counts again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from decimal import Decimal

import attrs

from connector.errors import LimitExceeded
from connector.inputs.decimals import ZERO, difference, plus, quotient, total
from connector.instruments import Instrument
from connector.orders import Intent, Limit, Limits, Side
from connector.trading.order_record import OrderRecord

_MINUTE = 60.0


@attrs.frozen
class Exposure:
    """The orders of one instrument that may still trade."""

    buys: Decimal
    sells: Decimal

    def of(self, side: Side) -> Decimal:
        """The quantity on one side."""
        return self.buys if side == "buy" else self.sells


def exposure_of(records: Iterable[OrderRecord], symbol: str) -> Exposure:
    """What the orders of `symbol` may still become. What only reduces adds nothing."""
    buys, sells = [ZERO], [ZERO]
    for record in records:
        if record.symbol == symbol and not record.intent.reduce_only:
            (buys if record.intent.side == "buy" else sells).append(record.remaining)
    return Exposure(total(buys), total(sells))


def notional_of(record: OrderRecord, instrument: Instrument, price: Decimal | None) -> Decimal:
    """What may still be paid for an order; by `price` if it has none of its own."""
    at = record.worst_price or price
    if at is None:
        return getattr(record.intent, "quote_quantity", None) or ZERO
    return instrument.notional(record.remaining, at)


class OwnLimits:
    """A program's `Limits`, with a memory of the last minute."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._placed: deque[float] = deque()

    def check(
        self,
        intent: Intent,
        instrument: Instrument,
        *,
        price: Decimal | None,
        position: Decimal,
        same_side: Decimal,
        open_notional: Decimal,
        now: float,
        worth: Decimal | None = None,
    ) -> None:
        """Refuse an order that would exceed a limit.

        Args:
            intent: the order.
            instrument: what it trades.
            price: the market's, for an order without one; None if it is not known.
            position: what is held of it, with a sign.
            same_side: what the orders of the instrument on its side may still trade.
            open_notional: of all orders that are not over.
            now: of our monotonic clock.
            worth: the notional of the order, if the caller has computed it.

        Raises:
            LimitExceeded: it says which, and by how much.
        """
        limits, placed = self.limits, self._placed
        per_minute = limits.orders_per_minute
        if placed and placed[0] <= now - _MINUTE:
            self._forget(now)
        if per_minute is not None and len(placed) >= per_minute:
            raise LimitExceeded(
                f"{len(self._placed)} orders within a minute: the limit is "
                f"orders_per_minute={per_minute}"
            )
        if intent.reduce_only:
            return
        if limits.position is not None:
            self._check_position(intent, instrument.symbol, position, same_side)
        of_one, of_all = limits.order_notional, limits.open_notional
        if of_one is None and of_all is None:
            return
        if worth is None:
            worth = _worth(intent, instrument, price)
        if of_one is not None and worth > of_one:
            raise LimitExceeded(f"a notional of {worth}: the limit is order_notional={of_one}")
        if of_all is not None and plus(open_notional, worth) > of_all:
            raise LimitExceeded(
                f"{open_notional} open or on its way, and {worth}: the limit is "
                f"open_notional={of_all}"
            )

    def count(self, now: float) -> None:
        """An order is placed."""
        self._placed.append(now)

    def used(
        self, positions: Mapping[str, Decimal], open_notional: Decimal, now: float
    ) -> dict[str, float]:
        """How much of each limit is used up: 1 is all of it.

        Args:
            positions: by symbol, the largest that there is or may come about.
            open_notional: of all orders that are not over.
            now: of our monotonic clock.
        """
        self._forget(now)
        limits = self.limits
        found: dict[str, float] = {}
        if limits.orders_per_minute is not None:
            found["orders_per_minute"] = len(self._placed) / limits.orders_per_minute
        if limits.open_notional is not None:
            found["open_notional"] = float(quotient(open_notional, limits.open_notional))
        for symbol, most in (limits.position or {}).items():
            found[f"position {symbol}"] = float(quotient(positions.get(symbol, ZERO), most))
        return found

    def _check_position(
        self, intent: Intent, symbol: str, position: Decimal, same_side: Decimal
    ) -> None:
        limit = (self.limits.position or {}).get(symbol)
        if limit is None:
            return
        quantity = intent.quantity
        if quantity is None:
            raise LimitExceeded(
                f"{symbol}: the position that a quote_quantity leads to is not known, and is "
                "limited; write quantity"
            )
        buys = intent.side == "buy"
        reached = plus(same_side, quantity)
        if position:
            reached = plus(reached, position) if buys else difference(reached, position)
        if reached > limit:
            signed = reached if buys else reached.copy_negate()
            raise LimitExceeded(
                f"{symbol}: the position could become {signed}: the limit is position={limit}"
            )

    def _forget(self, now: float) -> None:
        while self._placed and self._placed[0] <= now - _MINUTE:
            self._placed.popleft()


def _worth(intent: Intent, instrument: Instrument, price: Decimal | None) -> Decimal:
    if isinstance(intent, Limit):
        return instrument.notional(intent.quantity, intent.price)
    if intent.quote_quantity is not None:
        return intent.quote_quantity
    assert intent.quantity is not None
    if price is None:
        raise LimitExceeded(
            f"{instrument.symbol}: no price is known yet, so the notional of an order without one "
            "cannot be limited; place a Limit with time_in_force='IOC'"
        )
    return instrument.notional(intent.quantity, price)
