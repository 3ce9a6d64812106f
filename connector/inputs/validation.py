"""Checks of arguments. A wrong one raises `ConfigError`, which says what to write."""

from __future__ import annotations

import math

from connector.errors import ConfigError


def check_seconds(name: str, value: object, *, zero: bool = False) -> float:
    """`value`, if it is a finite number of seconds above 0, or also 0 if `zero`."""
    match value:
        case bool():
            pass
        case int() | float() if 0 < value < math.inf or (zero and value == 0):
            return value
    raise ConfigError(f"{name}={value!r}: write a number of seconds {'>= 0' if zero else '> 0'}")


def check_timeout(value: object) -> None:
    """Raise `ConfigError` unless `value` is a number of seconds, or `math.inf` for no limit."""
    if value != math.inf:
        check_seconds("timeout", value, zero=True)


def check_symbol(value: object) -> None:
    """Raise `ConfigError` unless `value` is text, as a symbol is."""
    if not isinstance(value, str) or not value:
        raise ConfigError(f"symbol={value!r}: write it as the exchange does, such as 'ETHUSDC'")


def check_count(name: str, value: object) -> int:
    """`value`, if it is an integer above 0."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise ConfigError(f"{name}={value!r}: write a whole number >= 1")
