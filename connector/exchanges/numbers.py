"""Numbers and times as payloads write them: what cannot be one does not decode.

msgspec takes ``"NaN"`` and ``"Infinity"`` for floats, and reads a `Decimal` as Python does: with
blanks around it, with ``_`` and the digits of any script in it. None of it is a price. What a
number may be is therefore part of its type, which costs a float some 80 instructions; the compiled
loop does without where nothing could be wrong (`Stream.decode_unchecked`). A `Decimal` has no such
type: a payload in which one could be wrong is decoded a second time, to floats.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

import msgspec

LATEST_MS = 4_133_980_800_000
"""2101-01-01. Microseconds that are taken for milliseconds are beyond it."""

Milliseconds: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=LATEST_MS)]
"""A moment since the epoch; 0 where there is none."""
Finite: TypeAlias = Annotated[float, msgspec.Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
"""A float that is a number."""

ON_WIRE = MappingProxyType[type[float | Decimal], Any]({float: Finite, Decimal: Decimal})
"""What a payload's numbers are decoded to, by what the events have."""


def decoder(kind: Any, *others: Any) -> Callable[[bytes], Any]:
    """What decodes a JSON payload to a struct.

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
    """What decodes a JSON list of `kind`, a struct that is generic in its numbers.

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
    """`text` as `numbers`, which is `float` or `Decimal`.

    Raises:
        msgspec.ValidationError: it is no finite number.
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
    """Whether nothing in `payload` could be a number that only a `Decimal` can be.

    ``NaN``, ``sNaN`` and ``Infinity`` may be in any case; a blank may be written as an escape.
    """
    small = payload.lower()
    return (
        b"nan" not in small
        and b"inf" not in small
        and b"_" not in payload
        and b" " not in payload
        and b"\\" not in payload
        and payload.isascii()
    )
