"""A program's own limits, with all that may still be traded counted."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connector.errors import LimitExceeded
from connector.orders import Limit, Limits, Market
from connector.trading.exposure import Exposure, OwnLimits, exposure_of, notional_of
from connector.trading.order_record import OrderRecord
from tests.trading.markets import instrument


def limit(side: Any = "buy", quantity: str = "1", **changes: Any) -> Limit:
    return Limit("ETHUSDC", side, **{"quantity": quantity, "price": 100} | changes)


def check(own: OwnLimits, intent: Any, **changes: Any) -> None:
    own.check(
        intent,
        instrument(),
        **{
            "price": None,
            "position": Decimal(0),
            "same_side": Decimal(0),
            "open_notional": Decimal(0),
            "now": 0.0,
        }
        | changes,
    )


def test_open_in_flight_and_unknown_orders_count_until_they_are_over() -> None:
    records = []
    for state in ("queued", "sent", "open", "unknown", "filled", "absent", "refused"):
        made = OrderRecord(limit(), state, "ETHUSDC")
        made.state = state  # type: ignore[assignment]
        records.append(made)
    records[2].filled = Decimal("0.25")
    records.append(OrderRecord(limit("sell", "2"), "s", "ETHUSDC"))
    records.append(OrderRecord(limit("sell", "2", reduce_only=True), "r", "ETHUSDC"))
    records.append(OrderRecord(limit(), "other", "BTCUSDC"))

    assert exposure_of(records, "ETHUSDC") == Exposure(Decimal("3.75"), Decimal(2))
    assert notional_of(records[2], instrument(), None) == 75
    assert notional_of(records[4], instrument(), None) == 0


def test_one_order_and_all_together() -> None:
    own = OwnLimits(Limits(order_notional=100, open_notional=250))

    check(own, limit(), open_notional=Decimal(150))
    with pytest.raises(LimitExceeded, match="order_notional=100"):
        check(own, limit(quantity="1.01"))
    with pytest.raises(LimitExceeded, match="open_notional=250"):
        check(own, limit(), open_notional=Decimal(151))


@pytest.mark.parametrize(("side", "position"), [("buy", 1), ("sell", -1)])
def test_the_position_that_may_come_about(side: Any, position: int) -> None:
    own = OwnLimits(Limits(position={"ETHUSDC": 3}))
    exposed = Exposure(Decimal(1), Decimal(1))

    check(own, limit(side), position=Decimal(position), same_side=exposed.of(side))
    with pytest.raises(LimitExceeded, match="position=3"):
        check(own, limit(side, "1.01"), position=Decimal(position), same_side=exposed.of(side))
    check(own, limit(side, "4"), position=Decimal(-2 * position), same_side=exposed.of(side))
    check(
        own,
        limit(side, "9", reduce_only=True),
        position=Decimal(position),
        same_side=exposed.of(side),
    )


def test_a_symbol_without_a_limit_has_none() -> None:
    check(OwnLimits(Limits(position={"BTCUSDC": 0})), limit(quantity="50"))


def test_orders_per_minute() -> None:
    own = OwnLimits(Limits(orders_per_minute=2))
    for now in (0.0, 10.0):
        check(own, limit(), now=now)
        own.count(now)

    with pytest.raises(LimitExceeded, match="orders_per_minute=2"):
        check(own, limit(reduce_only=True), now=59.9)
    check(own, limit(), now=60.0)


def test_an_order_without_a_price_needs_the_market_s() -> None:
    own = OwnLimits(Limits(order_notional=100))

    check(own, Market("ETHUSDC", "buy", quantity=1), price=Decimal(99))
    with pytest.raises(LimitExceeded, match="order_notional"):
        check(own, Market("ETHUSDC", "buy", quantity=1), price=Decimal(101))
    with pytest.raises(LimitExceeded, match="no price is known"):
        check(own, Market("ETHUSDC", "buy", quantity=1))
    with pytest.raises(LimitExceeded, match="order_notional"):
        check(own, Market("ETHUSDC", "buy", quote_quantity=101))
    with pytest.raises(LimitExceeded, match="write quantity"):
        check(
            OwnLimits(Limits(position={"ETHUSDC": 1})), Market("ETHUSDC", "buy", quote_quantity=1)
        )


def test_no_limits() -> None:
    check(OwnLimits(Limits.none()), limit(quantity="1000000"))
