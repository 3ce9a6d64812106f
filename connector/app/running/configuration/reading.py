"""Convert TOML tables to frozen Structs, and collect all mistakes instead of only the first.

A Struct's fields say what can stand in a table: their types are what `msgspec.convert` checks, and
the ``examples`` of a `msgspec.Meta` what a mistake's explanation suggests.
"""

from __future__ import annotations

import difflib
import math
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeVar, cast

import attrs
import msgspec

from connector.app.running.configuration.places import Path
from connector.app.secret import Secret
from connector.errors import ConfigError

S = TypeVar("S")


@attrs.frozen(order=True)
class Mistake:
    """Something in a configuration that cannot work."""

    line: int
    key: str
    """Such as ``groups.quotes.buffer``."""
    message: str
    """The mistake, its value, and what to write instead."""

    def __str__(self) -> str:
        return f"line {self.line}: {self.key}: {self.message}" if self.key else self.message


class Findings:
    """The mistakes found so far; `places` knows the line of a path.

    Args:
        places: lines by path (`connector.app.running.configuration.places`).
    """

    def __init__(self, places: Mapping[Path, int]) -> None:
        self._places = places
        self._found: set[Mistake] = set()

    def __iter__(self) -> Iterator[Mistake]:
        """All, by line."""
        return iter(sorted(self._found))

    def __len__(self) -> int:
        return len(self._found)

    def add(self, path: Path, message: str) -> None:
        """`message` is wrong about what stands at `path`, or at what is nearest to it."""
        line = next(
            (
                self._places[path[:end]]
                for end in range(len(path), 0, -1)
                if path[:end] in self._places
            ),
            1,
        )
        self._found.add(Mistake(line, write_path(path), message))


def write_path(path: Path) -> str:
    """`path` as a person writes it: ``sinks[0].path``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


def read_table(kind: type[S], value: object, path: Path, findings: Findings) -> S | None:
    """The table `value` as a `kind` of Struct; None when it is no table at all.

    Of a field that is wrong, which is noted, the result has the default, or None.
    """
    if not isinstance(value, dict):
        findings.add(path, f"{_TYPES.get(type(value), 'a value')} is in the place of a table")
        return None
    fields = {field.encode_name: field for field in msgspec.structs.fields(cast("Any", kind))}
    for key in value:
        if key not in fields:
            findings.add((*path, key), unknown("key", key, fields))
    arguments: dict[str, Any] = {}
    for key, field in fields.items():
        if key in value:
            before = len(findings)
            read = _read_field(field, value[key], (*path, key), findings)
            if len(findings) == before or field.required:
                arguments[field.name] = read
        elif field.required:
            findings.add(path, f"{key} is missing{_such_as(field)}")
            arguments[field.name] = None
    return kind(**arguments)


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """What to say of a name that is none: the one that was probably meant, or all there are."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"unknown {what} {name!r}; did you mean {close[0]!r}?"
    return (
        f"unknown {what} {name!r}; there are {', '.join(names)}" if names else f"no {what} is here"
    )


def _read_field(
    field: msgspec.structs.FieldInfo, value: object, path: Path, findings: Findings
) -> Any:
    kinds = _bare_types(field.type)
    struct = next((kind for kind in kinds if _is_struct(kind)), None)
    if struct is Secret and not isinstance(value, dict) and str not in kinds:
        # Whatever it is, it is not repeated.
        findings.add(
            path, 'the file must not contain a secret: write { env = "NAME" } or { file = "…" }'
        )
        return None
    if struct is not None and isinstance(value, dict):
        read: Any = read_table(struct, value, path, findings)
        if isinstance(read, Secret):
            try:
                read.reveal()
            except ConfigError as error:
                findings.add(path, str(error))
        return read
    choices = [
        each for kind in kinds if typing.get_origin(kind) is Literal for each in kind.__args__
    ]
    if choices and isinstance(value, str) and value not in choices:
        findings.add(path, unknown("choice", value, choices))
        return None
    try:
        converted = msgspec.convert(value, field.type)
    except msgspec.ValidationError as error:
        wrong = _BACKTICKS.sub(_in_words, str(error).partition(" - at ")[0])
        shown = f"{value!r}: " if isinstance(value, str | int | float | bool) else ""
        findings.add(path, f"{shown}{wrong[0].lower()}{wrong[1:]}{_such_as(field)}")
        return None
    if converted == math.inf:
        findings.add(path, f"{value}: expected a finite number{_such_as(field)}")
    return converted


def _bare_types(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, without what is said about them."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _bare_types(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return tuple(bare for each in typing.get_args(annotation) for bare in _bare_types(each))
    return (annotation,)


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _such_as(field: msgspec.structs.FieldInfo) -> str:
    """An example of a field's value, to be put behind a message."""
    example = next(_examples(field.type), None)
    return (
        "" if example is None else f"; write, for example, {field.encode_name} = {_toml(example)}"
    )


def _examples(annotation: Any) -> Iterator[Any]:
    for each in typing.get_args(annotation):
        yield from getattr(each, "examples", None) or ()
        yield from _examples(each)


def _toml(value: Any) -> str:
    return msgspec.json.encode(value).decode().replace('":', '" = ')


_BACKTICKS = re.compile("`([^`]*)`")
_WORDS = MappingProxyType(
    {"int": "a whole number", "float": "a number", "str": "a string", "bool": "true or false",
     "array": "an array", "object": "a table", "null": "nothing"}
)  # fmt: skip
_TYPES: Mapping[type, str] = MappingProxyType(
    {bool: "true or false", str: "a string", list: "an array", int: "a number", float: "a number"}
)


def _in_words(found: re.Match[str]) -> str:
    """What msgspec calls a type, in the words of the file's author."""
    names = (name.strip().partition(" ") for name in found[1].split("|"))
    kept = (_WORDS.get(name, name) + space + rest for name, space, rest in names if name != "null")
    return " or ".join(kept)
