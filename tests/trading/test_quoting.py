"""Quotes: never more exposure than wanted, in the order as written, no loop against a refusal."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import OrderInvalid
from connector.orders import Keep, Side
from connector.trading.quoting import (
    Bounds,
    Cancel,
    Place,
    Plan,
    Quote,
    Resting,
    Wanted,
    plan,
    read_wanted,
)
from tests.trading.markets import instrument

INSTRUMENT = instrument(
    tick_size=Decimal(1), step_size=Decimal(1), min_quantity=Decimal(1), min_notional=None
)
WIDE = Bounds(max_long=Decimal(1000), max_short=Decimal(1000))
NOTHING = {"buy": Decimal(0), "sell": Decimal(0)}


def make(
    wanted: Wanted, quotes: list[Quote] | None = None, bounds: Bounds = WIDE, **changes: Any
) -> Plan:
    arguments: dict[str, Any] = {
        "position": Decimal(0),
        "others": NOTHING,
        "room": 100,
        "resting": Resting(),
        "now": 0.0,
    }
    return plan(wanted, quotes or [], INSTRUMENT, bounds, **arguments | changes)


def want(bids: Any = (), asks: Any = ()) -> Wanted:
    return read_wanted(INSTRUMENT, bids, asks)


def quote(client_id: str, side: Side, price: int, remaining: int, **changes: Any) -> Quote:
    return attrs.evolve(Quote(client_id, side, Decimal(price), Decimal(remaining)), **changes)


def place(side: Side, price: int, quantity: int) -> Place:
    return Place(side, Decimal(price), Decimal(quantity))


# --- as written


def test_places_go_from_the_best_price_outwards_sides_in_turn() -> None:
    made = make(want(bids=[(98, 1), (99, 2), (97, 3)], asks=[(102, 1), (101, 2)]))

    assert made.requests == (
        place("buy", 99, 2),
        place("sell", 101, 2),
        place("buy", 98, 1),
        place("sell", 102, 1),
        place("buy", 97, 3),
    )
    assert made.behind == 0


def test_cancels_come_first_the_most_aggressive_first() -> None:
    quotes = [
        quote("b1", "buy", 95, 1),
        quote("b2", "buy", 97, 1),
        quote("a1", "sell", 104, 1),
        quote("a2", "sell", 103, 1),
    ]

    made = make(want(bids=[(90, 1)]), quotes)

    assert [each.client_id for each in made.cancels] == ["b2", "a2", "b1", "a1"]
    assert made.places == ()
    assert made.behind == 1


def test_a_replacement_waits_for_the_confirmation() -> None:
    old = quote("old", "buy", 99, 2)

    first = make(want(bids=[(98, 2)]), [old])
    assert (first.requests, first.behind) == ((Cancel("old"),), 1)

    second = make(want(bids=[(98, 2)]), [attrs.evolve(old, cancelling=True)])
    assert (second.requests, second.behind) == ((), 1)

    assert make(want(bids=[(98, 2)])).requests == (place("buy", 98, 2),)


def test_overlap_lets_a_replacement_go_before() -> None:
    bounds = attrs.evolve(WIDE, overlap=Decimal(2))

    made = make(want(bids=[(98, 2)]), [quote("old", "buy", 99, 2)], bounds)

    assert made.requests == (Cancel("old"), place("buy", 98, 2))


def test_what_is_there_stays() -> None:
    quotes = [quote("b", "buy", 99, 2), quote("a", "sell", 101, 2)]

    assert make(want(bids=[(99, 2)], asks=[(101, 2)]), quotes) == Plan((), (), 0)


def test_more_at_a_price_is_added_and_less_replaced() -> None:
    assert make(want(bids=[(99, 5)]), [quote("b", "buy", 99, 2)]).requests == (place("buy", 99, 3),)
    less = make(want(bids=[(99, 1)]), [quote("b", "buy", 99, 2)])
    assert (less.requests, less.behind) == ((Cancel("b"),), 1)


def test_keep_lets_a_less_aggressive_order_stay_and_never_a_more_aggressive_one() -> None:
    bounds = attrs.evolve(WIDE, keep=Keep(ticks=2))
    for price, stays in ((99, True), (97, True), (96, False), (100, False)):
        made = make(want(bids=[(99, 2)]), [quote("b", "buy", price, 2)], bounds)
        assert (made.cancels == ()) is stays, price
    for price, stays in ((101, True), (103, True), (104, False), (100, False)):
        made = make(want(asks=[(101, 2)]), [quote("a", "sell", price, 2)], bounds)
        assert (made.cancels == ()) is stays, price
    by_fraction = attrs.evolve(WIDE, keep=Keep(fraction="0.02"))
    assert make(want(bids=[(100, 2)]), [quote("b", "buy", 98, 2)], by_fraction).requests == ()


def test_the_room_is_for_the_best_prices() -> None:
    made = make(want(bids=[(99, 1), (98, 1)], asks=[(101, 1)]), room=2)

    assert made.places == (place("buy", 99, 1), place("sell", 101, 1))
    assert made.behind == 1


def test_a_place_on_its_way_is_cancelled_when_it_has_arrived() -> None:
    made = make(want(), [quote("b", "buy", 99, 1, reachable=False)])

    assert (made.cancels, made.behind) == ((), 1)


def test_the_largest_position_is_never_passed() -> None:
    bounds = attrs.evolve(WIDE, max_long=Decimal(10), max_short=Decimal(4))
    wanted = want(bids=[(99, 6), (98, 6)], asks=[(101, 6)])

    made = make(wanted, [], bounds, others={"buy": Decimal(1), "sell": Decimal(0)})
    assert made.places == (place("buy", 99, 6), place("sell", 101, 4), place("buy", 98, 3))

    made = make(wanted, [], bounds, position=Decimal(12))
    assert made.places == (place("sell", 101, 6),)
    made = make(wanted, [], bounds, position=Decimal(-5))
    assert made.places == (place("buy", 99, 6), place("buy", 98, 6))


# --- the budget


def test_what_is_filled_is_gone_until_the_next_want() -> None:
    wanted = want(bids=[(99, 2), (98, 2)])

    wanted.filled("buy", Decimal(98), Decimal(2))
    assert make(wanted).places == (place("buy", 99, 2),)
    wanted.filled("buy", Decimal(99), Decimal(1))
    assert make(wanted).places == (place("buy", 99, 1),)
    wanted.filled("buy", Decimal(97), Decimal(5))
    assert make(wanted).places == ()


@pytest.mark.parametrize(
    ("bids", "asks", "said"),
    [
        ([(100, 1)], [(100, 1)], "crosses"),
        ([("99.5", 1)], [], "tick"),
        ([(99, "0.5")], [], "breaks a rule"),
        ([(99, 1), (99, 2)], [], "twice"),
        ([(99, 0)], [], "above 0"),
        ([(-1, 1)], [], "above 0"),
        ([], [(101, 1000)], "breaks a rule"),
    ],
)
def test_a_wrong_want_is_invalid(bids: Any, asks: Any, said: str) -> None:
    with pytest.raises(OrderInvalid, match=said):
        read_wanted(INSTRUMENT, bids, asks)


def test_a_want_has_no_floats() -> None:
    with pytest.raises(TypeError):
        read_wanted(INSTRUMENT, [(99.0, 1)], [])


# --- refusals


def test_a_refused_side_and_price_rests_longer_each_time() -> None:
    resting, wanted, now = Resting(), want(bids=[(99, 1)]), 0.0
    rests = []
    for _ in range(7):
        assert make(wanted, resting=resting, now=now).places
        resting.refused("buy", Decimal(99), now)
        made = make(wanted, resting=resting, now=now)
        assert made.places == ()
        rests.append(made.resting_until - now)
        now = made.resting_until

    assert rests == [1, 2, 4, 8, 16, 30, 30]
    resting.accepted("buy", Decimal(99))
    assert resting.until("buy", Decimal(99)) < 0


def test_long_past_refusals_are_forgotten_and_recent_ones_are_not() -> None:
    resting = Resting()
    resting.refused("buy", Decimal(1), 0.0)
    for _ in range(4):
        resting.refused("sell", Decimal(1), 0.0)  # rests until 8.0, and is doubled until 16.0
    for price in range(2, 1001):
        resting.refused("buy", Decimal(price), 15.0)

    resting.refused("buy", Decimal(1), 15.0)
    resting.refused("sell", Decimal(1), 15.0)

    assert resting.until("buy", Decimal(1)) == 16.0  # as the first time
    assert resting.until("sell", Decimal(1)) == 31.0


def test_what_rests_does_not_hold_back_others() -> None:
    resting = Resting()
    resting.refused("buy", Decimal(99), 0.0)

    made = make(want(bids=[(99, 1), (98, 1)]), resting=resting)

    assert made.places == (place("buy", 98, 1),)


# --- the promises, in any state


PRICES = st.integers(90, 110)
SIZES = st.integers(1, 5)
SIDES = st.sampled_from(["buy", "sell"])
WANTED = st.builds(
    lambda bids, asks: want(
        bids=[(price, size) for price, size in bids.items() if price < 100],
        asks=[(price, size) for price, size in asks.items() if price > 100],
    ),
    st.dictionaries(PRICES, SIZES, max_size=4),
    st.dictionaries(PRICES, SIZES, max_size=4),
)
QUOTES = st.lists(
    st.builds(
        lambda side, price, size, cancelling, reachable: (side, price, size, cancelling, reachable),
        SIDES,
        PRICES,
        SIZES,
        st.booleans(),
        st.booleans(),
    ),
    max_size=8,
).map(
    lambda rows: [
        Quote(f"q{index}", side, Decimal(price), Decimal(size), cancelling, reachable)
        for index, (side, price, size, cancelling, reachable) in enumerate(rows)
    ]
)
BOUNDS = st.builds(
    lambda long, short, overlap, ticks: Bounds(
        max_long=Decimal(long),
        max_short=Decimal(short),
        overlap=Decimal(overlap),
        keep=Keep(ticks=ticks),
    ),
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(0, 3),
    st.integers(0, 3),
)


def as_good(side: Side, price: Decimal, threshold: Decimal) -> bool:
    return price >= threshold if side == "buy" else price <= threshold


@settings(max_examples=300, deadline=None)
@given(
    WANTED,
    QUOTES,
    BOUNDS,
    st.integers(-15, 15),
    st.tuples(st.integers(0, 5), st.integers(0, 5)),
    st.integers(0, 10),
)
def test_no_place_makes_more_exposure_than_is_wanted(  # noqa: PLR0917
    wanted: Wanted,
    quotes: list[Quote],
    bounds: Bounds,
    position: int,
    of_others: tuple[int, int],
    room: int,
) -> None:
    buys, sells = map(Decimal, of_others)
    others: dict[Side, Decimal] = {"buy": buys, "sell": sells}

    made = make(wanted, quotes, bounds, position=Decimal(position), others=others, room=room)

    assert len(made.places) <= room
    for side in ("buy", "sell"):
        there = [(each.price, each.remaining) for each in quotes if each.side == side]
        added = [(each.price, each.quantity) for each in made.places if each.side == side]
        for price, _ in added:
            thresholds = [at for at, _ in [*there, *added] if as_good(side, price, at)]
            for threshold in [*thresholds, price]:
                exposed = sum(size for at, size in [*there, *added] if as_good(side, at, threshold))
                allowed = sum(
                    each.quantity
                    for each in wanted.side(side)
                    if as_good(side, each.price, threshold)
                )
                assert exposed <= allowed + bounds.overlap
        if added:
            sign, most = (1, bounds.max_long) if side == "buy" else (-1, bounds.max_short)
            assert (
                sign * position + others[side] + sum(size for _, size in [*there, *added]) <= most
            )
    # Nothing is placed that is to be cancelled, and nothing wanted is cancelled twice.
    cancelled = [each.client_id for each in made.cancels]
    assert len(set(cancelled)) == len(cancelled)
    assert not {each.client_id for each in quotes if each.cancelling or not each.reachable} & set(
        cancelled
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(WANTED, min_size=1, max_size=4), st.data())
def test_it_converges_and_then_sends_nothing(wants: list[Wanted], data: st.DataObject) -> None:
    """Confirmations come one by one, wants in between; in the end the orders are the last want."""
    quotes: dict[str, Quote] = {}
    number = 0
    for index, wanted in enumerate(wants):
        last = index == len(wants) - 1
        for _ in range(200 if last else data.draw(st.integers(1, 3))):
            made = make(wanted, list(quotes.values()))
            for cancel in made.cancels:
                quotes[cancel.client_id] = attrs.evolve(quotes[cancel.client_id], cancelling=True)
            for new in made.places:
                number += 1
                quotes[str(number)] = Quote(
                    str(number), new.side, new.price, new.quantity, reachable=False
                )
            pending = [each for each in quotes.values() if each.cancelling or not each.reachable]
            if not pending:
                break
            told = data.draw(st.sampled_from(pending))
            if told.cancelling:
                del quotes[told.client_id]
            else:
                quotes[told.client_id] = attrs.evolve(told, reachable=True)

    for side in ("buy", "sell"):
        there: dict[Decimal, Decimal] = {}
        for each in quotes.values():
            if each.side == side:
                there[each.price] = there.get(each.price, Decimal(0)) + each.remaining
        assert there == {each.price: each.quantity for each in wants[-1].side(side)}
