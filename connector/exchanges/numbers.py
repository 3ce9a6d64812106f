"""Numbers and times in payloads, checked: an impossible value does not decode.

msgspec accepts ``"NaN"`` and ``"Infinity"`` as floats. It reads a `Decimal` as Python does, with
surrounding blanks, ``_``, and the digits of any script. None of these is a price. The allowed range
of a number is therefore part of its type, which costs about 80 instructions per float. The compiled
loop omits this check for payloads that cannot contain such a value (`Stream.decode_unchecked`). A
`Decimal` has no such type: a suspicious payload is decoded a second time, to floats.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

import msgspec

LATEST_MS = 4_133_980_800_000
"""2101-01-01. Microseconds misread as milliseconds lie beyond it."""

Milliseconds: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=LATEST_MS)]
"""Milliseconds since the epoch; 0 if there is no time."""
Finite: TypeAlias = Annotated[float, msgspec.Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
"""A finite float."""

ON_WIRE = MappingProxyType[type[float | Decimal], Any]({float: Finite, Decimal: Decimal})
"""The type to which a payload's numbers are decoded, by the number type of the events."""

_HARMLESS = bytes(set(range(128)) - set(b"nN_ \\"))
"""All ASCII but for the bytes of which a number that only `Decimal` accepts has at least one."""


def decoder(kind: Any, *others: Any) -> Callable[[bytes], Any]:
    """Make a decoder from a JSON payload to a struct.

    Args:
        kind: the struct, or a list of it; where it is generic in its numbers, with one of `ON_WIRE`
            filled in, or with float if nothing is to be checked.
        others: what else it can be, generic in the same way.
    """
    decode = _decode(kind, *others)
    if get_args(_element(kind)) != (Decimal,):
        return decode
    check = _decode(*map(_of_floats, (kind, *others)))

    def decode_checked(payload: bytes) -> Any:
        if not is_plain(payload):
            check(payload)
        return decode(payload)

    return decode_checked


def rows_decoder(kind: Any, numbers: Any) -> Callable[[bytes], list[Any]]:
    """Make a decoder of a JSON list of `kind`, a struct that is generic in its numbers.

    Args:
        kind: without its type of numbers.
        numbers: what they are to be: `float` or `Decimal`.
    """
    decode: Callable[[bytes], list[Any]] = _decode(list[kind[ON_WIRE[numbers]]])
    if numbers is float:
        return decode
    check = _decode(list[kind[Finite]])

    def decode_checked(payload: bytes) -> list[Any]:
        if not is_plain(payload):
            check(payload)
        return decode(payload)

    return decode_checked


def number(text: str, numbers: Any) -> Any:
    """Convert `text` to `numbers`, which is `float` or `Decimal`.

    Raises:
        msgspec.ValidationError: it is not a finite number.
    """
    try:
        finite = abs(float(text)) < float("inf") and is_plain(text.encode())
    except ValueError:
        finite = False
    if not finite:
        raise msgspec.ValidationError(f"{text!r:.60} is no number")
    return numbers(text)


def _element(kind: Any) -> Any:
    """The struct of a list; else `kind`."""
    return get_args(kind)[0] if get_origin(kind) is list else kind


def _of_floats(kind: Any) -> Any:
    struct: Any = get_origin(_element(kind))[Finite]
    many: Any = list
    return struct if kind is _element(kind) else many[struct]


def _decode(*kinds: Any) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(Union[kinds], strict=False).decode  # noqa: UP007


def is_plain(payload: bytes) -> bool:
    """Whether `payload` cannot contain a number that only `Decimal` accepts.

    ``NaN``, ``sNaN`` and ``Infinity`` may be in any case; a blank may be written as an escape.
    """
    rest = payload.translate(None, _HARMLESS)  # a fifth of the time of searching for each
    if not rest:
        return True
    if rest.strip(b"nN"):
        return False
    small = payload.lower()
    return b"nan" not in small and b"inf" not in small
