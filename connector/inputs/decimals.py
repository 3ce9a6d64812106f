"""Exact decimal numbers: read from what a program writes, and computed to the last digit.

The context of the program is not used: it may have few digits, or traps.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_FLOOR, Context, Decimal, InvalidOperation
from typing import TypeAlias

from connector.errors import OrderInvalid

Exact: TypeAlias = Decimal | int | str
"""How a number of an order is written."""

DIGITS = 60
"""Enough for the exact product of any price and any quantity."""

_EXACT = Context(prec=DIGITS)
"""Its methods compute in it; entering a context costs more than what is computed."""

ZERO = Decimal(0)
_LARGEST = Decimal("1e25")
"""What is larger is no price and no quantity, and its results may have more digits than 60."""
_ONE = Decimal(1)


def exact(name: str, value: object) -> Decimal:
    """`value` as a `Decimal`.

    Raises:
        TypeError: it is a float, whose digits are not those that were written; or no number.
        OrderInvalid: it is text that is not a finite number, or it is too large.
    """
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, str):
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("nan")
    elif isinstance(value, float):
        raise TypeError(
            f"{name}={value!r} is a float, which is not exact: write {name}={str(value)!r} or "
            f"{name}=Decimal({str(value)!r})"
        )
    elif isinstance(value, int) and not isinstance(value, bool):
        number = Decimal(value)
    else:
        raise TypeError(f"{name}={value!r}: write a Decimal, an int or a str")
    if not number.is_finite():
        raise OrderInvalid(f"{name}={value!r} is not a finite number")
    if not -_LARGEST < number < _LARGEST:
        raise OrderInvalid(f"{name}={value!r} is too large for a price or a quantity")
    return number


def positive(name: str, value: object) -> Decimal:
    """`exact`, above 0.

    Raises:
        TypeError: as `exact`.
        OrderInvalid: it is not above 0, or as `exact`.
    """
    # A text, as most are written: `exact` in fewer steps. One that is wrong gets its words below.
    if type(value) is str:
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = exact(name, value)
        if number.is_finite() and ZERO < number < _LARGEST:
            return number
    number = exact(name, value)
    if number <= ZERO:
        raise OrderInvalid(f"{name}={value!r}; it must be above 0")
    return number


def not_negative(name: str, value: object) -> Decimal:
    """`exact`, 0 or above; errors as of `positive`."""
    number = exact(name, value)
    if number < 0:
        raise OrderInvalid(f"{name}={value!r}; it must be 0 or above")
    return number


def product(*factors: Decimal) -> Decimal:
    """The exact product."""
    result = _ONE
    for factor in factors:
        result = _EXACT.multiply(result, factor)
    return result


def total(terms: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    result = ZERO
    for term in terms:
        result = _EXACT.add(result, term)
    return result


# As they are: a function around each would cost more than what it computes.
times = _EXACT.multiply
"""The exact product of two."""
plus = _EXACT.add
"""The exact sum of two."""
difference = _EXACT.subtract
"""The exact difference, of the first and the second."""
quotient = _EXACT.divide
"""The quotient to 60 digits, of the first by the second."""
remainder = _EXACT.remainder
"""What a division of the first by the second leaves; 0 if it is a multiple."""


def is_multiple(value: Decimal, unit: Decimal | None) -> bool:
    """Whether `value` is a multiple of `unit`; None stands for any."""
    if unit is None:
        return True
    return _EXACT.remainder(value, unit) == 0


def floor_to(value: Decimal, unit: Decimal | None) -> Decimal:
    """The largest multiple of `unit` that is not above `value`."""
    if unit is None:
        return value
    whole = _EXACT.divide(value, unit).to_integral_value(ROUND_FLOOR)
    return _EXACT.multiply(Decimal(int(whole)), unit)


def written(value: Decimal) -> str:
    """`value` without an exponent and without zeros that say nothing, as it goes on the wire."""
    text = str(value)
    if "E" in text:
        text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


__all__ = [
    "ZERO",
    "Exact",
    "difference",
    "exact",
    "floor_to",
    "is_multiple",
    "not_negative",
    "plus",
    "positive",
    "product",
    "quotient",
    "remainder",
    "times",
    "total",
    "written",
]
