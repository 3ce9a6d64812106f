"""The parameters that exchanges take, checked."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeAlias

import attrs

from connector.errors import ConfigError

NumberType: TypeAlias = type[Any]
"""`float` or `Decimal`."""


def check_numbers(instance: object, _: attrs.Attribute[Any], numbers: NumberType) -> None:
    """Refuse number types other than the two."""
    if numbers is not float and numbers is not Decimal:
        raise ConfigError(
            f"{type(instance).__name__}: numbers is {numbers!r}; it can be float or decimal.Decimal"
        )


def check_compression(instance: object, _: attrs.Attribute[Any], compression: object) -> None:
    """Refuse what is not a bool."""
    if not isinstance(compression, bool):
        raise ConfigError(
            f"{type(instance).__name__}: compression is {compression!r}; it can be True or False"
        )
