"""Intents and limits: exact numbers, and what cannot work is refused with words."""

from __future__ import annotations

import pickle
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector import errors
from connector.errors import ConfigError, OrderInvalid
from connector.inputs import decimals
from connector.orders import OVER, Keep, Limit, Limits, Market, OrderState, opposite


def test_numbers_are_decimals_whatever_they_were_written_as() -> None:
    for quantity in (Decimal("0.5"), "0.5"):
        intent = Limit("ETHUSDC", "buy", quantity=quantity, price=3000)
        assert (intent.quantity, intent.price) == (Decimal("0.5"), Decimal(3000))
        assert type(intent.price) is Decimal


@pytest.mark.parametrize("name", ["quantity", "price"])
def test_a_float_is_a_type_error_that_says_what_to_write(name: str) -> None:
    with pytest.raises(TypeError, match=f"write {name}='0.1' or {name}=Decimal\\('0.1'\\)"):
        Limit("ETHUSDC", "buy", **{"quantity": 1, "price": 1} | {name: 0.1})  # type: ignore[arg-type]


def test_floats_are_refused_everywhere() -> None:
    with pytest.raises(TypeError):
        Market("ETHUSDC", "buy", quantity=1.0)
    with pytest.raises(TypeError):
        Market("ETHUSDC", "buy", quote_quantity=1.0)
    with pytest.raises(TypeError):
        Limits(order_notional=500.0)
    with pytest.raises(TypeError):
        Limits(position={"ETHUSDC": 0.5})
    with pytest.raises(TypeError):
        Keep(fraction=0.1)
    with pytest.raises(TypeError):
        Limit("ETHUSDC", "buy", quantity=True, price=1)


@pytest.mark.parametrize("value", [0, "-1", "nan", "inf", "one", Decimal("-0.1"), ""])
def test_a_number_of_an_order_is_finite_and_above_0(value: str) -> None:
    with pytest.raises(OrderInvalid):
        Limit("ETHUSDC", "buy", quantity=value, price=1)


@pytest.mark.parametrize("value", ["1e100", "1e999999999", 10**30, Decimal("1e25")])
def test_a_number_that_cannot_be_computed_with_exactly_is_no_order(value: Any) -> None:
    for wrong in ({"price": value}, {"quantity": value}):
        with pytest.raises(OrderInvalid, match="is too large"):
            Limit("ETHUSDC", "buy", **{"quantity": 1, "price": 1} | wrong)
    with pytest.raises(OrderInvalid, match="is too large"):
        decimals.exact("quantity", Decimal(value).copy_negate())


@pytest.mark.parametrize(
    "wrong",
    [
        {"side": "bid"},
        {"symbol": ""},
        {"symbol": "ETH USDC"},
        {"time_in_force": "DAY"},
        {"leg": "both"},
        {"post_only": 1},
        {"reduce_only": None},
        {"tag": 5},
        {"post_only": True, "time_in_force": "IOC"},
    ],
)
def test_a_wrong_word_is_refused(wrong: dict[str, object]) -> None:
    right: dict[str, object] = {"symbol": "ETHUSDC", "side": "buy", "quantity": 1, "price": 1}
    with pytest.raises(ConfigError):
        Limit(**right | wrong)  # type: ignore[arg-type]


def test_a_market_order_has_one_quantity() -> None:
    assert Market("ETHUSDC", "buy", quote_quantity="100").quantity is None
    with pytest.raises(ConfigError, match="either"):
        Market("ETHUSDC", "buy")
    with pytest.raises(ConfigError, match="either"):
        Market("ETHUSDC", "buy", quantity=1, quote_quantity=1)


def test_intents_are_values() -> None:
    first = Limit("ETHUSDC", "buy", quantity="0.50", price="3000")

    assert first == Limit("ETHUSDC", "buy", quantity="0.5", price=3000)
    assert pickle.loads(pickle.dumps(first)) == first
    with pytest.raises(AttributeError):
        first.price = Decimal(1)  # type: ignore[misc]
    assert opposite("buy") == "sell"


def test_limits_must_limit_something_or_say_so() -> None:
    with pytest.raises(ConfigError, match=r"Limits\.none\(\)"):
        Limits()
    assert Limits.none().order_notional is None
    limits = Limits(
        order_notional="500", open_notional=3000, position={"ETHUSDC": "0.5"}, orders_per_minute=600
    )
    assert limits.position == {"ETHUSDC": Decimal("0.5")}
    with pytest.raises(ConfigError):
        Limits(orders_per_minute=0)
    with pytest.raises(ConfigError):
        Limits(position={"ETHUSDC": -1})
    with pytest.raises(ConfigError):
        Limits(position=[("ETHUSDC", 1)])


def test_keep() -> None:
    assert Keep(ticks=2, fraction="0.001").fraction == Decimal("0.001")
    for wrong in (-1, 1.5, True):
        with pytest.raises(ConfigError):
            Keep(ticks=wrong)
    with pytest.raises(ConfigError):
        Keep(fraction="-0.1")


def test_states_that_are_over() -> None:
    living: set[OrderState] = {"queued", "sent", "open", "unknown"}
    assert not living & OVER


def test_only_what_certainly_is_not_placed_may_be_tried_again() -> None:
    certain = {
        errors.OrderInvalid,
        errors.OrderRefused,
        errors.NotSynced,
        errors.LimitExceeded,
        errors.LimitReached,
        errors.NotSent,
    }
    assert {each for each in certain if issubclass(each, errors.OrderNotPlaced)} == certain
    for other in (
        errors.OrderUnknown,
        errors.AmendRefused,
        errors.OrderEnded,
        errors.IdInUse,
        errors.NameInUse,
        errors.OrdersLeft,
    ):
        assert not issubclass(other, errors.OrderNotPlaced)
        assert issubclass(other, errors.ConnectorError)


@pytest.mark.parametrize(
    "error",
    [
        errors.OrderInvalid("no", Limit("A", "buy", quantity=1, price=1)),
        errors.OrderRefused("balance", -2010, "insufficient balance"),
        errors.LimitReached("wait", 2.5),
        errors.AmendRefused("other", -2038, "unchanged"),
    ],
)
def test_errors_survive_pickling(error: errors.ConnectorError) -> None:
    again = pickle.loads(pickle.dumps(error))

    assert vars(again) == vars(error)
    assert str(again) == str(error)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**18), max_value=10**18))
def test_what_is_written_reads_back_equal(value: Decimal) -> None:
    text = decimals.written(value)

    assert Decimal(text) == value
    assert "E" not in text.upper()


def test_a_program_s_decimal_context_does_not_matter() -> None:
    with localcontext() as context:
        context.prec = 3
        intent = Limit("ETHUSDC", "buy", quantity="1.23456789", price="12345.6789")
        worth = decimals.product(intent.quantity, intent.price)
        assert str(worth) == "15241.578750190521"
        assert decimals.total([Decimal(100000), Decimal("0.00001")]) == Decimal("100000.00001")
