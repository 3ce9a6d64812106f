"""The rules of an instrument, before an order is sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import OrderInvalid
from connector.instruments import Status
from connector.orders import Limit, Market
from connector.trading.filters import check_intent
from tests.trading.markets import instrument


@pytest.mark.parametrize(
    ("changes", "said", "nearest"),
    [
        ({"price": "3000.15"}, "tick", ("3000.1", "0.5")),
        ({"price": "3000.15", "side": "sell"}, "tick", ("3000.2", "0.5")),
        ({"price": "0.05"}, "tick", None),
        ({"price": "100000.1"}, "above", None),
        ({"quantity": "0.015"}, "step", ("3000", "0.01")),
        ({"quantity": "0.001"}, "step", None),
        ({"quantity": "100.01"}, "above", ("3000", "100")),
        ({"quantity": "0.01", "price": "499.9"}, "notional", None),
    ],
)
def test_what_breaks_a_rule_names_it_and_the_nearest(
    changes: dict[str, Any], said: str, nearest: tuple[str, str] | None
) -> None:
    intent = Limit(
        **{"symbol": "ETHUSDC", "side": "buy", "quantity": "0.5", "price": 3000} | changes
    )

    with pytest.raises(OrderInvalid, match=said) as caught:
        check_intent(instrument(), intent)

    found = caught.value.nearest
    assert (found and (found.price, found.quantity)) == (
        nearest and (Decimal(nearest[0]), Decimal(nearest[1]))
    )


@given(
    st.decimals("0.0001", 200, places=4),
    st.decimals("0.01", 200_000, places=3),
    st.sampled_from(["buy", "sell"]),
    st.booleans(),
)
def test_the_nearest_passes_and_is_no_worse(
    quantity: Decimal, price: Decimal, side: Any, reduce_only: bool
) -> None:
    intent = Limit("ETHUSDC", side, quantity=quantity, price=price, reduce_only=reduce_only)
    try:
        check_intent(instrument(), intent)
    except OrderInvalid as invalid:
        nearest = invalid.nearest
        if nearest is not None:
            check_intent(instrument(), nearest)
            assert nearest.quantity <= quantity
            assert nearest.price <= price if side == "buy" else nearest.price >= price


def test_reduce_only_needs_no_notional_and_passes_a_halt() -> None:
    small = Limit("ETHUSDC", "buy", quantity="0.01", price=100, reduce_only=True)
    check_intent(instrument(), small)
    check_intent(instrument(status=Status.PAUSED), small)


def test_what_is_halted_cannot_be_opened() -> None:
    with pytest.raises(OrderInvalid, match="cannot be traded now"):
        check_intent(
            instrument(status=Status.PAUSED, exchange_status="HALT"),
            Limit("ETHUSDC", "buy", quantity=1, price=3000),
        )


@pytest.mark.parametrize(
    ("quantity", "said"), [("0.15", "step"), ("0.05", "below|step"), ("10.1", "above")]
)
def test_market_lots(quantity: str, said: str) -> None:
    with pytest.raises(OrderInvalid, match=said):
        check_intent(instrument(), Market("ETHUSDC", "buy", quantity=quantity))


def test_a_market_order_s_notional_needs_a_price() -> None:
    intent = Market("ETHUSDC", "buy", quantity="0.1")

    check_intent(instrument(), intent)
    with pytest.raises(OrderInvalid, match="notional"):
        check_intent(instrument(), intent, Decimal(10))
    check_intent(instrument(), Market("ETHUSDC", "buy", quote_quantity=1), Decimal(10))
