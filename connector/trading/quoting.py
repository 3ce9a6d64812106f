"""Compare the desired quotes with the existing orders, and plan the requests to send.

It is a pure function and guarantees, whatever the orders' states are:

- cancels of unwanted orders come first, the most aggressive first; then new orders, from the
  best price outwards, sides in turn;
- at each price the exposure never exceeds the wanted quantity at that price and better ones, plus
  `overlap`: an order counts until it is certainly over, so a replacement waits for the
  confirmation of the cancel;
- the position never passes `max_long` or `max_short`, whichever orders are filled;
- a side and price that the exchange refused is not sent again for 1, 2, 4 … 30 s.

The desired quotes are a budget: filled quantity is not replaced until the next `want`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise, zip_longest
from typing import TypeVar

import attrs

from connector.errors import OrderInvalid
from connector.inputs.decimals import (
    ZERO,
    Exact,
    difference,
    is_multiple,
    plus,
    positive,
    product,
    total,
)
from connector.instruments import Instrument
from connector.orders import Keep, Side

T = TypeVar("T")

_LONGEST_REST = 30.0
SIDES: tuple[Side, Side] = ("buy", "sell")


@attrs.define
class Level:
    """One price that is wanted, and how much of it has not been filled."""

    price: Decimal
    quantity: Decimal


@attrs.define(eq=False)
class Wanted:
    """A budget of quotes: best first on both sides."""

    bids: list[Level] = attrs.field(factory=list)
    asks: list[Level] = attrs.field(factory=list)

    def side(self, side: Side) -> list[Level]:
        """The levels of one side."""
        return self.bids if side == "buy" else self.asks

    def filled(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        """Take from the budget what was filled: first at that price, then from the best outwards.

        A fill at a price that is not wanted any more counts as well: it has made the exposure.
        """
        levels = self.side(side)
        for level in sorted(levels, key=lambda each: each.price != price):
            part = min(level.quantity, quantity)
            level.quantity = difference(level.quantity, part)
            quantity = difference(quantity, part)


def read_wanted(
    instrument: Instrument,
    bids: Iterable[tuple[Exact, Exact]],
    asks: Iterable[tuple[Exact, Exact]],
) -> Wanted:
    """The budget that a program asks for.

    Raises:
        TypeError: a number is a float.
        OrderInvalid: a price or a quantity breaks a rule of the instrument, a price stands twice,
            or the sides cross; nothing of it counts then.
    """
    wanted = Wanted(
        sorted(_levels(instrument, "bid", bids), key=lambda each: each.price, reverse=True),
        sorted(_levels(instrument, "ask", asks), key=lambda each: each.price),
    )
    for levels in (wanted.bids, wanted.asks):
        for level, following in pairwise(levels):
            if level.price == following.price:
                raise OrderInvalid(f"{instrument.symbol}: the price {level.price} is listed twice")
    if wanted.bids and wanted.asks and wanted.bids[0].price >= wanted.asks[0].price:
        raise OrderInvalid(
            f"{instrument.symbol}: the bid {wanted.bids[0].price} crosses the ask "
            f"{wanted.asks[0].price}"
        )
    return wanted


def _levels(instrument: Instrument, what: str, pairs: Iterable[tuple[Exact, Exact]]) -> list[Level]:
    levels = []
    side: Side = "buy" if what == "bid" else "sell"
    for pair in pairs:
        price, quantity = positive("price", pair[0]), positive("quantity", pair[1])
        if not is_multiple(price, instrument.tick_size):
            raise OrderInvalid(
                f"{instrument.symbol}: the {what} {price} is not a multiple of the tick "
                f"{instrument.tick_size}"
            )
        if instrument.tradable(quantity, price, side) != quantity:
            raise OrderInvalid(
                f"{instrument.symbol}: {quantity} at the {what} {price} breaks a rule of the "
                f"instrument: steps of {instrument.step_size}, at least "
                f"{instrument.min_quantity}, a notional of at least {instrument.min_notional}"
            )
        levels.append(Level(price, quantity))
    return levels


@attrs.frozen
class Quote:
    """An order of the quotes, as it stands."""

    client_id: str
    side: Side
    price: Decimal
    remaining: Decimal
    """What may still be filled of it."""
    cancelling: bool = False
    """Whether its cancel is on its way."""
    reachable: bool = True
    """Whether a cancel would find it: not while its place is on its way."""


@attrs.frozen
class Cancel:
    """Cancel an order."""

    client_id: str


@attrs.frozen
class Place:
    """Place an order."""

    side: Side
    price: Decimal
    quantity: Decimal


@attrs.frozen
class Plan:
    """What to send now, in this order."""

    cancels: tuple[Cancel, ...]
    places: tuple[Place, ...]
    behind: int
    """How many more requests it takes to reach what is wanted, and that must wait."""
    resting_until: float = math.inf
    """When the first side and price that rests may be tried again."""

    @property
    def requests(self) -> tuple[Cancel | Place, ...]:
        """All of them."""
        return (*self.cancels, *self.places)


@attrs.frozen(kw_only=True)
class Bounds:
    """What the quotes of an instrument may lead to."""

    max_long: Decimal
    max_short: Decimal
    overlap: Decimal = ZERO
    keep: Keep = attrs.field(factory=Keep)


class Resting:
    """Sides and prices that the exchange has refused."""

    def __init__(self) -> None:
        self._until: dict[tuple[Side, Decimal], tuple[float, float]] = {}

    def refused(self, side: Side, price: Decimal, now: float) -> None:
        """Let it rest, twice as long as the last time."""
        _, last = self._until.get((side, price), (0.0, 0.0))
        seconds = min(last * 2 or 1.0, _LONGEST_REST)
        self._until[side, price] = now + seconds, seconds
        if len(self._until) > 1000:
            self._until = {
                key: rest for key, rest in self._until.items() if rest[0] + rest[1] > now
            }

    def accepted(self, side: Side, price: Decimal) -> None:
        """The exchange has taken it."""
        self._until.pop((side, price), None)

    def until(self, side: Side, price: Decimal) -> float:
        """When it may be tried again; in the past if it may now."""
        return self._until.get((side, price), (-math.inf, 0.0))[0]


def plan(
    wanted: Wanted,
    quotes: Sequence[Quote],
    instrument: Instrument,
    bounds: Bounds,
    *,
    position: Decimal,
    others: Mapping[Side, Decimal],
    room: int,
    resting: Resting,
    now: float,
) -> Plan:
    """Plan the requests that turn the orders into the desired quotes.

    Args:
        wanted: the budget as it is now.
        quotes: the orders that are not certainly over, oldest first.
        instrument: what they trade.
        bounds: what they may lead to.
        position: what is held, with a sign.
        others: by side, what other orders of the account may still add to the position.
        room: how many orders may be placed now.
        resting: what the exchange has refused.
        now: of the clock of `resting`.
    """
    serving: dict[Side, list[list[Quote]]] = {
        side: _serve(side, wanted, quotes, instrument, bounds.keep) for side in SIDES
    }
    needed = {each.client_id for side in SIDES for served in serving[side] for each in served}
    unwanted = [each for each in quotes if each.client_id not in needed and not each.cancelling]
    cancels = _in_turn(
        *(_by_aggression(side, [each for each in unwanted if each.side == side]) for side in SIDES)
    )
    waiting = sum(not each.reachable for each in cancels)
    placing = _Placing(quotes, instrument, bounds, position, others)
    places: list[Place] = []
    first_rest = math.inf
    for side, level, served in _in_turn(*(_missing(side, wanted, serving) for side in SIDES)):
        missing = difference(level.quantity, total(each.remaining for each in served))
        rest = resting.until(side, level.price)
        if rest > now:
            first_rest = min(first_rest, rest)
            continue
        quantity = placing.fitting(side, level.price, missing)
        if quantity <= ZERO:
            continue
        if len(places) >= room or not placing.is_covered(side, level.price, quantity, wanted):
            waiting += 1
            continue
        placing.add(side, level.price, quantity)
        places.append(Place(side, level.price, quantity))
    return Plan(
        tuple(Cancel(each.client_id) for each in cancels if each.reachable),
        tuple(places),
        waiting,
        first_rest,
    )


class _Placing:
    """The exposure, order by order, while places are added to it."""

    def __init__(
        self,
        quotes: Sequence[Quote],
        instrument: Instrument,
        bounds: Bounds,
        position: Decimal,
        others: Mapping[Side, Decimal],
    ) -> None:
        self._instrument = instrument
        self._overlap = bounds.overlap
        self._there: dict[Side, list[tuple[Decimal, Decimal]]] = {"buy": [], "sell": []}
        for quote in quotes:
            self._there[quote.side].append((quote.price, quote.remaining))
        self._free: dict[Side, Decimal] = {
            "buy": difference(bounds.max_long, plus(position, others.get("buy", ZERO))),
            "sell": difference(plus(bounds.max_short, position), others.get("sell", ZERO)),
        }
        for quote in quotes:
            self._free[quote.side] = difference(self._free[quote.side], quote.remaining)

    def fitting(self, side: Side, price: Decimal, missing: Decimal) -> Decimal:
        """How much of `missing` can be placed without passing the largest position; 0 if none."""
        most = min(missing, self._free[side])
        return self._instrument.tradable(most, price, side) if most > ZERO else ZERO

    def is_covered(self, side: Side, price: Decimal, quantity: Decimal, wanted: Wanted) -> bool:
        """Whether at no price there would be more than is wanted at it and better ones."""
        there = self._there[side]
        thresholds = {level.price for level in wanted.side(side)} | {at for at, _ in there}
        for threshold in thresholds:
            if _better(side, threshold, price):
                continue
            exposed = total(size for at, size in there if not _better(side, threshold, at))
            allowed = total(
                each.quantity
                for each in wanted.side(side)
                if not _better(side, threshold, each.price)
            )
            if plus(exposed, quantity) > plus(allowed, self._overlap):
                return False
        return True

    def add(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        """Count a place."""
        self._there[side].append((price, quantity))
        self._free[side] = difference(self._free[side], quantity)


def _serve(
    side: Side, wanted: Wanted, quotes: Sequence[Quote], instrument: Instrument, keep: Keep
) -> list[list[Quote]]:
    """Which orders serve each level: those at its price first, then slightly less aggressive ones.

    An order serves one level, and never more of it than is wanted.
    """
    levels = wanted.side(side)
    serving: list[list[Quote]] = [[] for _ in levels]
    left = [level.quantity for level in levels]
    free = [each for each in quotes if each.side == side and not each.cancelling]
    for exactly in (True, False):
        for index, level in enumerate(levels):
            for quote in tuple(free):
                if quote.remaining > left[index]:
                    continue
                if exactly:
                    fits = quote.price == level.price
                else:
                    fits = _is_kept(side, quote.price, level.price, instrument, keep)
                if fits:
                    serving[index].append(quote)
                    left[index] = difference(left[index], quote.remaining)
                    free.remove(quote)
    return serving


def _is_kept(
    side: Side, price: Decimal, wanted: Decimal, instrument: Instrument, keep: Keep
) -> bool:
    away = difference(wanted, price) if side == "buy" else difference(price, wanted)
    if away < ZERO:
        return False
    ticks = product(instrument.tick_size or ZERO, Decimal(keep.ticks))
    return away <= max(ticks, product(keep.fraction, wanted))


def _missing(
    side: Side, wanted: Wanted, serving: Mapping[Side, list[list[Quote]]]
) -> list[tuple[Side, Level, list[Quote]]]:
    return [
        (side, level, served)
        for level, served in zip(wanted.side(side), serving[side], strict=True)
        if level.quantity > total(each.remaining for each in served)
    ]


def _by_aggression(side: Side, quotes: list[Quote]) -> list[Quote]:
    return sorted(quotes, key=lambda each: each.price, reverse=side == "buy")


def _better(side: Side, price: Decimal, than: Decimal) -> bool:
    """Whether `price` is more aggressive."""
    return price > than if side == "buy" else price < than


def _in_turn(first: Sequence[T], second: Sequence[T]) -> list[T]:
    """One of each in turn."""
    pairs = zip_longest(((each,) for each in first), ((each,) for each in second), fillvalue=())
    return [each for pair in pairs for part in pair for each in part]
