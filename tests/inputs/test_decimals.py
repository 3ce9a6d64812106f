"""Numbers of orders: read the same in every form, and written as the exchange wants them."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import OrderInvalid
from connector.inputs.decimals import exact, positive, written

numbers = st.decimals(allow_nan=False, allow_infinity=False)


@given(numbers)
def test_a_number_is_written_without_an_exponent_and_without_idle_zeros(value: Decimal) -> None:
    plain = format(value, "f")
    expected = plain.rstrip("0").rstrip(".") if "." in plain else plain

    assert written(value) == expected
    assert Decimal(written(value)) == value


@given(st.one_of(numbers.map(str), st.text(), st.sampled_from(("nan", "sNaN", "-Infinity", "1_0"))))
def test_a_text_is_read_as_in_any_other_place(text: str) -> None:
    refused = _refusal(text)
    if refused is not None:
        with pytest.raises(OrderInvalid) as caught:
            positive("price", text)
        assert str(caught.value) == refused
    elif exact("price", text) > 0:
        assert positive("price", text) == exact("price", text)
    else:
        with pytest.raises(OrderInvalid, match="must be above 0"):
            positive("price", text)


def _refusal(text: str) -> str | None:
    try:
        exact("price", text)
    except OrderInvalid as refused:
        return str(refused)
    return None


def test_the_context_of_the_program_does_not_count() -> None:
    with localcontext(Context(prec=2, traps=[])):
        assert positive("price", "2990.125") == Decimal("2990.125")
        with pytest.raises(OrderInvalid, match="'x' is not a finite number"):
            positive("price", "x")
