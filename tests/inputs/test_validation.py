"""What is a number of seconds or a count passes as it is, anything else is told what to write."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import ConfigError
from connector.inputs.validation import check_count, check_seconds

NO_NUMBERS = [None, "1", b"1", True, False, math.nan, 1j, Decimal(1), Fraction(1), [1]]


@given(st.floats(0, exclude_min=True, allow_infinity=False) | st.integers(1))
def test_seconds_above_zero_pass(seconds: float) -> None:
    assert check_seconds("patience", seconds) is seconds


@pytest.mark.parametrize("wrong", [*NO_NUMBERS, 0, 0.0, -1, -0.5, math.inf, -math.inf])
def test_no_other_seconds_pass(wrong: object) -> None:
    with pytest.raises(ConfigError, match=r"^patience=.*number of seconds > 0$"):
        check_seconds("patience", wrong)


def test_zero_seconds_pass_where_they_make_sense() -> None:
    assert check_seconds("patience", 0, zero=True) == 0
    with pytest.raises(ConfigError, match=">= 0"):
        check_seconds("patience", -1, zero=True)


@given(st.integers(1))
def test_counts_from_one_pass(count: int) -> None:
    assert check_count("buffer", count) == count


@pytest.mark.parametrize("wrong", [*NO_NUMBERS, 0, -1, 1.0, math.inf])
def test_no_other_counts_pass(wrong: object) -> None:
    with pytest.raises(ConfigError, match=r"^buffer=.*whole number >= 1$"):
        check_count("buffer", wrong)
