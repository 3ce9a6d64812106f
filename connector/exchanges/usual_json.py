"""Decode structs from JSON of the usual form in C, and everything else with msgspec.

msgspec makes a new object of each value, and looks for each name among all fields. Private events
repeat themselves: the same symbol, the same words, the same prices, in the same order. The reader
in C (`connector/exchanges/_usual_json.c`) remembers the last value of each field and its place.

Usual is JSON in ASCII without escapes, in which no name repeats, whole numbers have at most 18
digits and no sign, and decimal numbers are text without an exponent. For any other payload, for a
wrong type and for an absent field the reader gives up, and msgspec decodes the payload or says what
is wrong. Where the package is not compiled, msgspec decodes all.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from types import MappingProxyType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import msgspec

from connector.transport.compiled import load

T = TypeVar("T")

# The numbers of `connector/exchanges/_usual_json.c`.
_TEXT, _WHOLE, _OBJECT, _LIST = 1, 2, 64, 128
_FORMS = MappingProxyType(
    {str: _TEXT, int: _WHOLE, bool: 4, type(None): 8, Decimal: 16, msgspec.Raw: 32}
)

EXTENSION = load("connector.exchanges._usual_json", ("Reader",))


def usual_decoder(kind: type[T], *, strict: bool = True) -> Callable[[bytes], T]:
    """Make a decoder that also finds numbers in text.

    Args:
        kind: a struct whose fields are structs, lists of structs, texts, numbers and truths.
        strict: whether a text stays one where either a text or a whole number may be.
    """
    decode_any = msgspec.json.Decoder(kind, strict=False).decode
    decode = _strict_first(kind, decode_any) if strict else decode_any
    if EXTENSION is None:
        return decode
    read: Callable[[bytes], T | None] = _reader(EXTENSION.Reader, kind, strict).read

    def decode_either(payload: bytes) -> T:
        found = read(payload)
        return decode(payload) if found is None else found

    return decode_either


def _strict_first(kind: type[T], decode_any: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """Looking for numbers in text costs a fill a tenth more: it is done where there are none."""
    decode_numbers = msgspec.json.Decoder(kind).decode

    def decode(payload: bytes) -> T:
        try:
            return decode_numbers(payload)
        except msgspec.ValidationError:
            return decode_any(payload)

    return decode


def _reader(make: Any, kind: Any, strict: bool) -> Any:
    return make(kind, tuple(_field(make, each, strict) for each in msgspec.structs.fields(kind)))


def _field(
    make: Any, field: msgspec.structs.FieldInfo, strict: bool
) -> tuple[bytes, int, bool, object, Any]:
    forms, inner = 0, None
    for each in _alternatives(field.type):
        of = get_args(each)[0] if get_origin(each) is list else each
        if of is not each:
            forms, inner = forms | _LIST, _reader(make, of, strict)
        elif isinstance(each, type) and issubclass(each, msgspec.Struct):
            forms, inner = forms | _OBJECT, _reader(make, each, strict)
        else:
            forms |= _FORMS[each]
    if not strict and forms & _WHOLE:
        forms &= ~_TEXT
    absent = list if field.default_factory is list else field.default
    return field.encode_name.encode(), forms, field.required, absent, inner


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


__all__ = ["EXTENSION", "usual_decoder"]
