"""Parameters of a request, read as strictly as the exchange reads them.

Source: binance_trading §5, §6 (-1100 … -1130).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from connector.testing.exchange.trading.refusals import refusal

DECIMAL = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")
MOST_PLACES = 8
"""More decimal places than any asset has are refused with -1111, before the filters."""


def text_of(params: Mapping[str, str], name: str) -> str:
    """Read a mandatory parameter.

    Raises:
        Refused: -1102.
    """
    text = params.get(name, "")
    if not text:
        raise refusal("missing", name)
    return text


def decimal_of(params: Mapping[str, str], name: str, *, mandatory: bool = True) -> Decimal:
    """Read a decimal number; zero if it is optional and not sent.

    Raises:
        Refused: -1102 if it is missing, -1100 if it is not a number, -1111 if it has too many
            decimal places.
    """
    text = params.get(name, "")
    if not text:
        if mandatory:
            raise refusal("missing", name)
        return Decimal(0)
    if not DECIMAL.fullmatch(text):
        raise refusal("illegal", name, "^([0-9]{1,20})(\\.[0-9]{1,20})?$")
    number = Decimal(text)
    if -int(number.normalize().as_tuple().exponent) > MOST_PLACES:
        raise refusal("precision")
    return number


def whole_of(params: Mapping[str, str], name: str) -> int | None:
    """Read a whole number; None if it is not sent.

    Raises:
        Refused: -1100 if it is not a whole number.
    """
    text = params.get(name, "")
    if not text:
        return None
    if not text.isdecimal() or not text.isascii():
        raise refusal("illegal", name, "^[0-9]{1,20}$")
    return int(text)


def flag_of(params: Mapping[str, str], name: str) -> bool:
    """Read ``"true"`` or ``"false"``; false if it is not sent.

    Raises:
        Refused: -1130.
    """
    text = params.get(name, "false").lower()
    if text not in ("true", "false"):
        raise refusal("parameter", name)
    return text == "true"


def unwanted(params: Mapping[str, str], *names: str) -> None:
    """Refuse parameters that this request does not take.

    Raises:
        Refused: -1106.
    """
    for name in names:
        if params.get(name):
            raise refusal("unwanted", name)
