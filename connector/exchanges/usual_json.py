"""Decode structs from JSON of the usual form in C, and everything else with msgspec.

msgspec makes a new object of each value, and looks for each name among all fields. Private events,
and trades of one frame, repeat themselves: the same symbol, the same words, the same prices, in the
same order. The reader in C (`connector/exchanges/_usual_json.c`) remembers the last value of each
field and its place.

Usual is JSON in ASCII without escapes, in which no name repeats, whole numbers have at most 18
digits and no sign, and decimal numbers and floats have no exponent. For any other payload, for a
wrong type or value and for an absent field the reader gives up, and msgspec decodes the payload or
says what is wrong. Where the package is not compiled, msgspec decodes all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin

import msgspec

from connector.transport.compiled import load

T = TypeVar("T")
Decode: TypeAlias = Callable[[bytes], Any]
"""From a payload to a struct, or to a list of structs."""

# The numbers of `connector/exchanges/_usual_json.c`.
_TEXT, _WHOLE, _OBJECT, _LIST, _FLOAT, _WORD, _QUOTED = 1, 2, 64, 128, 256, 512, 1024
_ALONE, _SIDES = 2048, 4096
_FORMS = MappingProxyType(
    {str: _TEXT, int: _WHOLE, bool: 4, type(None): 8, Decimal: 16, msgspec.Raw: 32, float: _FLOAT}
)
_MOST_PLACES = 40
"""Before or behind the point: no exchange has a decimal number with more."""
_NO_SLOT = -1
_NO_LIMIT = 2**63 - 1

_Field: TypeAlias = tuple[bytes, int, int, bool, object, Any, int, object]
"""As `Decoder` in C takes it."""

EXTENSION = load("connector.exchanges._usual_json", ("Decoder",))


def usual_decoder(
    kind: Any, *, strict: bool = True, otherwise: Decode | None = None, finite: bool = False
) -> Decode:
    """Make a decoder that also finds numbers in text.

    Args:
        kind: a struct whose fields are structs, lists of structs, texts, words, numbers and truths;
            or a list of it. A field of another type must have a default, and is unusual if present.
        strict: whether a text stays one where either a text or a whole number may be, and numbers
            are looked for in text only if there are none otherwise.
        otherwise: decodes unusual payloads, as msgspec would; None for msgspec itself.
        finite: whether to refuse decimal numbers as `finite_decoder` does. None of those is usual.
    """
    decode_any = otherwise or msgspec.json.Decoder(kind, strict=False).decode
    decode_unusual = _strict_first(kind, decode_any) if strict else decode_any
    if finite:
        decode_unusual = _finite(decode_unusual)
    if EXTENSION is None:
        return decode_unusual
    is_list = get_origin(kind) is list
    struct = get_args(kind)[0] if is_list else kind
    decode: Decode = _reader(
        EXTENSION.Decoder, struct, strict, decode_unusual, is_list=is_list
    ).decode
    return decode


def finite_decoder(kind: Any) -> Decode:
    """Make a decoder that also finds numbers in text.

    It raises `msgspec.ValidationError` for decimal numbers that nothing can be computed with:
    msgspec takes ``"NaN"`` and ``"1e999999999"``, too.
    """
    return _finite(msgspec.json.Decoder(kind, strict=False).decode)


def _finite(decode: Decode) -> Decode:
    def decode_and_check(payload: bytes) -> Any:
        found = decode(payload)
        _check_numbers(found)
        return found

    return decode_and_check


def _check_numbers(value: object) -> None:
    if isinstance(value, Decimal):
        if not value.is_finite() or abs(value.adjusted()) > _MOST_PLACES:
            raise msgspec.ValidationError(f"{value} is no amount and no price")
    elif isinstance(value, msgspec.Struct):
        for name in _with_numbers(type(value)):
            _check_numbers(getattr(value, name))
    elif isinstance(value, list):
        for each in value:
            _check_numbers(each)


@cache
def _with_numbers(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields in which there may be decimal numbers."""
    simple = {str, int, bool, type(None), msgspec.Raw, float}
    return tuple(each.name for each in _fields(kind) if not simple >= {*_alternatives(each.type)})


def changes_decoder(
    kind: Any,
    rows: tuple[Any, Any],
    *,
    within: str,
    only: Mapping[str, str],
    symbols: tuple[str, Mapping[str, str]],
    levels: str,
    otherwise: Decode,
) -> Decode:
    """Make a decoder of changes to a book whose rows say which side they are of.

    Args:
        kind: the struct with ``symbol``, ``bids`` and ``asks``. Its other fields are those of the
            frame.
        rows: the structs of a bid and of an ask, with tags; all are generic in their numbers.
        within: the field of the frame with a list of one object.
        only: in that object, fields with the only text that is usual.
        symbols: in it, the field with a symbol, and what each is called in the event.
        levels: in it, the field with the rows.
        otherwise: decodes unusual payloads.
    """
    if EXTENSION is None:
        return otherwise
    make, kinds = EXTENSION.Decoder, [get_origin(each) for each in rows]
    tag = kinds[0].__struct_config__.tag_field
    sides = {each.__struct_config__.tag: each for each in kinds}
    parts = [_field(make, each, 1 + at, False) for at, each in enumerate(_fields(rows[0]))]
    row = make(tuple, (tag, *_names(rows[0])), True, 1 + len(parts), (_word(tag, 0, sides), *parts))
    spread = "symbol", "bids", "asks"
    name, known = symbols
    inner = make(tuple, spread, True, len(spread), (
        *(_word(field, _NO_SLOT, {text: None}) for field, text in only.items()),
        _word(name, 0, known),
        (levels.encode(), _SIDES, 1, True, None, row, _NO_LIMIT, None),
    ))  # fmt: skip
    own = [each for each in _fields(kind) if each.name not in spread]
    names = (*spread, *(each.name for each in own))
    fields = [_field(make, each, len(spread) + at, False) for at, each in enumerate(own)]
    decode: Decode = make(get_origin(kind), names, False, len(names), (
        (within.encode(), _ALONE, 0, True, None, inner, _NO_LIMIT, None), *fields,
    ), otherwise).decode  # fmt: skip
    return decode


def _strict_first(kind: type[T], decode_any: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """Looking for numbers in text costs a fill a tenth more: it is done where there are none."""
    decode_numbers = msgspec.json.Decoder(kind).decode

    def decode(payload: bytes) -> T:
        try:
            return decode_numbers(payload)
        except msgspec.ValidationError:
            return decode_any(payload)

    return decode


def _reader(
    make: Any, kind: Any, strict: bool, otherwise: object = None, *, is_list: bool = False
) -> Any:
    struct = get_origin(kind) or kind
    found, names = _fields(kind), _names(kind)
    by_place = names == getattr(struct, "__match_args__", ())
    if hasattr(struct, "__post_init__"):
        raise TypeError(f"{struct} would have to be told of its values")
    fields = [_field(make, each, slot, strict) for slot, each in enumerate(found)]
    tag = struct.__struct_config__.tag
    if tag is not None:
        fields.append(_word(struct.__struct_config__.tag_field, _NO_SLOT, {tag: None}))
    return make(struct, names, by_place, len(names), tuple(fields), otherwise, is_list)


def _fields(kind: Any) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)


def _names(kind: Any) -> tuple[str, ...]:
    return tuple(each.name for each in _fields(kind))


def _word(name: str, slot: int, meanings: Mapping[str, object]) -> _Field:
    """A field in which only these words are usual."""
    words = tuple((word.encode(), meaning) for word, meaning in meanings.items())
    return name.encode(), _WORD, slot, True, None, None, _NO_LIMIT, words


def _field(make: Any, field: msgspec.structs.FieldInfo, slot: int, strict: bool) -> _Field:
    forms, inner, most, words, kinds = 0, None, _NO_LIMIT, [], _alternatives(field.type)
    for each in kinds:
        if get_origin(each) is Annotated:
            each, *limits = get_args(each)
            most = min(most, *map(_most, limits))
        if get_origin(each) is list:
            forms, inner = forms | _LIST, _reader(make, get_args(each)[0], strict)
        elif get_origin(each) is Literal:
            forms, words = forms | _WORD, [(word.encode(), word) for word in get_args(each)]
        elif isinstance(get_origin(each) or each, type) and issubclass(
            get_origin(each) or each, msgspec.Struct
        ):
            forms, inner = forms | _OBJECT, _reader(make, each, strict)
        elif each in _FORMS or field.required:
            forms |= _FORMS[each]
    if not strict:
        forms = _lenient(forms)
    absent = list if field.default_factory is list else field.default
    name = field.encode_name.encode()
    return name, forms, slot, field.required, absent, inner, most, tuple(words)


def _lenient(forms: int) -> int:
    """With numbers in text: only where nothing else can be meant."""
    if forms in (_WHOLE, _FLOAT):
        return forms | _QUOTED
    return forms & ~_TEXT if forms & _WHOLE else forms


def _most(limit: msgspec.Meta) -> int:
    """The largest number, or the longest text. No float that is usual is infinite."""
    if any((limit.gt, limit.lt, limit.multiple_of, limit.pattern, limit.min_length)) or (
        isinstance(limit.ge, int) and limit.ge > 0
    ):
        raise TypeError(f"{limit} cannot be checked")
    if limit.max_length is not None:
        return limit.max_length
    return _NO_LIMIT if limit.le is None or isinstance(limit.le, float) else limit.le


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


__all__ = ["EXTENSION", "finite_decoder", "usual_decoder"]
