"""The digits in a frame, of which the checksum of a book is made: as the exchange wrote them.

`connector.transport.compiled` may have it in C (`connector/book/_rows.c`), which reads the usual
form of a frame and leaves any other to this.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import msgspec

from connector.book.rows import EXTENSION


class _ObjectLevel(msgspec.Struct, gc=False):
    price: msgspec.Raw
    qty: msgspec.Raw


class _ObjectRow(msgspec.Struct, gc=False):
    bids: list[_ObjectLevel]
    asks: list[_ObjectLevel]


class _ObjectFrame(msgspec.Struct, gc=False):
    data: tuple[_ObjectRow]


class _ListLevel(msgspec.Struct, array_like=True, gc=False):
    price: str
    quantity: str


class _ListRow(msgspec.Struct, gc=False):
    bids: list[_ListLevel]
    asks: list[_ListLevel]


class _ListFrame(msgspec.Struct, gc=False):
    data: tuple[_ListRow]


_MOST_DIGITS = 400
"""More than a float can have on either side of its point."""
_OBJECTS = msgspec.json.Decoder(_ObjectFrame)
_LISTS = msgspec.json.Decoder(_ListFrame)


def read_digits(frame: bytes, stripped: bool) -> tuple[list[bytes], list[bytes]]:
    """What each of the bids and asks in a frame contributes to a checksum.

    Args:
        frame: was decoded before, so it is JSON, and prices and quantities are numbers. It has one
            row in ``data``.
        stripped: whether a level is ``{"price": 1.0, "qty": 2.0}`` and contributes the digits of
            both without points and leading zeros; else it is ``["1.0", "2.0", …]`` and contributes
            ``1.0:2.0``.

    Raises:
        msgspec.DecodeError: there is more than one row, or another form of level.
    """
    return read_plain_digits(frame, stripped) or read_digits_in_python(frame, stripped)


if EXTENSION is None:

    def read_plain_digits(frame: bytes, stripped: bool) -> tuple[list[bytes], list[bytes]] | None:
        """As `read_digits`, in a frame of the usual form, in which every number is of digits and
        at most one point; None of any other. Only in C: here nothing is usual.
        """
        return None

else:
    read_plain_digits = EXTENSION.read_digits


def read_digits_in_python(frame: bytes, stripped: bool) -> tuple[list[bytes], list[bytes]]:
    """`read_digits`, in Python."""
    if stripped:
        row = _OBJECTS.decode(frame).data[0]
        return _stripped(row.bids), _stripped(row.asks)
    texts = _LISTS.decode(frame).data[0]
    return _joined(texts.bids), _joined(texts.asks)


def _stripped(levels: list[_ObjectLevel]) -> list[bytes]:
    return [strip(_text(level.price)) + strip(_text(level.qty)) for level in levels]


def _text(number: msgspec.Raw) -> str:
    text = bytes(number).decode()
    if "e" not in text and "E" not in text:
        return text
    try:
        exact = Decimal(text)
    except InvalidOperation:
        return text
    # Written out it could be longer than memory. No checksum is made of such a number: left as it
    # is, it makes a wrong one.
    return f"{exact:f}" if abs(exact.adjusted()) < _MOST_DIGITS else text


def _joined(levels: list[_ListLevel]) -> list[bytes]:
    return [f"{level.price}:{level.quantity}".encode() for level in levels]


def strip(number: str) -> bytes:
    """The digits of `number` without its point and without zeros before the first other one."""
    return number.replace(".", "").lstrip("0").encode()
