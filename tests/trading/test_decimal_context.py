"""The program's decimal context, of few digits and with traps, does not change a result."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, Inexact, localcontext

import attrs
import pytest

from connector.accounts import Position
from connector.errors import LimitExceeded
from connector.orders import Keep, Limits
from connector.trading.account_book import AccountBook
from connector.trading.client_ids import ClientIds
from connector.trading.exposure import OwnLimits
from connector.trading.order_record import OrderRecord
from connector.trading.quoting import (
    Bounds,
    Cancel,
    Place,
    Quote,
    Resting,
    Wanted,
    plan,
    read_wanted,
)
from connector.trading.reports import PositionReport
from connector.trading.venue import AccountReading
from tests.trading.markets import instrument
from tests.trading.test_order_record import INTENT, fill, report

MUCH = Decimal("12345.67891")
MUCH_OF_3 = 4115.226303333333
FINE = instrument(
    tick_size=Decimal("0.00001"),
    step_size=Decimal("0.00001"),
    max_quantity=None,
    max_notional=None,
)


@pytest.fixture(autouse=True)
def few_digits() -> Iterator[None]:
    with localcontext(prec=3, traps=[Inexact]):
        yield


def test_trades_that_waited_for_one_and_trades_of_an_adopted_order() -> None:
    order = OrderRecord(attrs.evolve(INTENT, quantity=MUCH), "c1", "ETHUSDC")
    order.move("sent")
    order.read(report(filled="0.00002", quantity=MUCH), 1)
    order.assume_untold(1)
    order.read_fill(fill("3", "2.00001", "12345.00004"), 2)
    order.read_fill(fill("2", "12343.00001", "12343.00003"), 3)

    assert list(order.fills) == ["2", "3"]
    assert order.untold == Decimal("0.00002")
    assert not order.has_hole


def planned(wanted: Wanted, quotes: list[Quote], bounds: Bounds) -> tuple[Cancel | Place, ...]:
    position, others = Decimal("0.00001"), {"buy": Decimal("0.00002"), "sell": Decimal("0.00003")}
    arguments = (wanted, quotes, FINE, bounds)
    return plan(
        *arguments, position=position, others=others, room=9, resting=Resting(), now=0.0
    ).requests


def test_quotes_are_placed_up_to_the_largest_position() -> None:
    wanted = read_wanted(FINE, [("2990.00001", MUCH)], [("2990.00002", MUCH)])
    wanted.filled("sell", Decimal("2990.00002"), Decimal("0.00001"))
    quotes = [
        Quote("a", "buy", Decimal("2990.00001"), Decimal("0.00004")),
        Quote("b", "sell", Decimal("2990.00002"), Decimal("0.00004")),
    ]

    assert planned(wanted, quotes, Bounds(max_long=MUCH, max_short=MUCH, overlap=MUCH)) == (
        Place("buy", Decimal("2990.00001"), Decimal("12345.67884")),
        Place("sell", Decimal("2990.00002"), Decimal("12345.67885")),
    )


def test_a_quote_is_kept_within_ticks() -> None:
    wanted = read_wanted(FINE, [("2990.12345", MUCH)], [("2990.54321", MUCH)])
    quotes = [
        Quote("a", "buy", Decimal("2990.12222"), MUCH),
        Quote("b", "sell", Decimal("2990.54444"), MUCH),
    ]
    bounds = Bounds(max_long=Decimal(99_999), max_short=Decimal(99_999), keep=Keep(ticks=1234))

    assert planned(wanted, quotes, bounds) == ()


def test_positions_of_two_legs() -> None:
    long, short = MUCH, Decimal("1.00001")
    book = AccountBook(ClientIds("mm1", 1), {}, {"ETHUSDC": FINE})
    book.happen("connecting", "", 0)
    book.happen("subscribed", "", 0)
    book.join(
        AccountReading(
            balances=(),
            positions=(
                PositionReport(symbol="ETHUSDC", leg="long", quantity=long),
                PositionReport(symbol="ETHUSDC", leg="short", quantity=short.copy_negate()),
            ),
            hedge_mode=True,
        ),
        1,
    )

    position = book.holdings.position("ETHUSDC")

    assert (position.long, position.short) == (long, short)
    assert position.quantity == Decimal("12344.6789")
    assert book.holdings.standing(FINE, "short").amounts == (short.copy_negate(),)
    assert Position(symbol="ETHUSDC", long=long, short=short).quantity == Decimal("12344.6789")


def test_a_limit_names_the_position_exactly() -> None:
    intent = attrs.evolve(INTENT, side="sell", quantity=MUCH)
    with pytest.raises(LimitExceeded, match=r"could become -12345\.67892: the limit"):
        OwnLimits(Limits(position={"ETHUSDC": "0.5"})).check(
            intent,
            FINE,
            price=None,
            position=Decimal("-0.00001"),
            same_side=Decimal(0),
            open_notional=Decimal(0),
            now=0.0,
        )


def test_how_much_of_a_limit_is_used_up() -> None:
    own = OwnLimits(Limits(open_notional=3, position={"ETHUSDC": "3"}))

    used = own.used({"ETHUSDC": MUCH}, MUCH, 0.0)

    assert used == {"open_notional": MUCH_OF_3, "position ETHUSDC": MUCH_OF_3}
