"""Find the line of each key and element in a TOML document, which `tomllib` does not provide.

The document has been read by `tomllib` before, so it is well-formed; this only follows along. A
path is what leads to a value in the result: keys, and indices of arrays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_STRINGS = (
    re.compile(r'"""(?:\\.|[^\\])*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?:\\.|[^"\\])*"'),
    re.compile(r"'[^']*'"),
)
_OTHER = re.compile(r"[^,\]}\n#]+")
"""Numbers, dates and booleans."""


def find_places(text: str) -> Mapping[Path, int]:
    """The line, from 1, at which each value of the TOML document `text` begins or is named."""
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0
        """Up to where line breaks have been counted: no part of the text is counted twice."""
        self._lines: dict[Path, int] = {}
        self._lengths: dict[Path, int] = {}
        """Of arrays of tables, so far."""

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        self._skip_space()
        while self._at < len(self._text):
            if self._take("[["):
                table = self._enter_element(self._keys())
                self._expect("]]")
            elif self._take("["):
                table = self._resolve(self._keys())
                self._expect("]")
            else:
                self._pair(table)
            self._skip_space()
        return self._lines

    def _enter_element(self, keys: Path) -> Path:
        """Begin another element of the array of tables called `keys`."""
        array = (*self._resolve(keys[:-1]), keys[-1])
        index = self._lengths.get(array, 0)
        self._lengths[array] = index + 1
        self._note((*array, index))
        return (*array, index)

    def _resolve(self, keys: Path) -> Path:
        """The path of a table's header: an array in it stands for its newest element."""
        path: Path = ()
        for key in keys:
            path = (*path, key)
            self._note(path)
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
        return path

    def _pair(self, table: Path) -> None:
        keys = self._keys()
        for end in range(1, len(keys) + 1):
            self._note((*table, *keys[:end]))
        self._expect("=")
        self._value((*table, *keys))

    def _value(self, path: Path) -> None:
        self._skip_space()
        self._note(path)
        if self._take("["):
            index = 0
            while not self._take_after_space("]"):
                self._value((*path, index))
                index += 1
                self._take_after_space(",")
        elif self._take("{"):
            while not self._take_after_space("}"):
                self._pair(path)
                self._take_after_space(",")
        elif not self._string():
            self._match(_OTHER)

    def _keys(self) -> Path:
        """A dotted key."""
        keys: list[str] = []
        while True:
            self._skip_space()
            quoted = self._string()
            keys.append(_unquote(quoted) if quoted else self._match(_BARE))
            if not self._match(_DOT):
                self._skip_space()
                return tuple(keys)

    def _string(self) -> str:
        return next(filter(None, map(self._match, _STRINGS)), "")

    def _note(self, path: Path) -> None:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        for end in range(1, len(path) + 1):
            self._lines.setdefault(path[:end], self._line)

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found[0]

    def _take(self, token: str) -> bool:
        taken = self._text.startswith(token, self._at)
        self._at += len(token) if taken else 0
        return taken

    def _take_after_space(self, token: str) -> bool:
        self._skip_space()
        return self._take(token)

    def _expect(self, token: str) -> None:
        self._skip_space()
        taken = self._take(token)
        assert taken, f"not TOML at {self._at}: {self._text[self._at : self._at + 20]!r}"

    def _skip_space(self) -> None:
        self._match(_SPACE)


_ESCAPE = re.compile(r'\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[btnfre"\\])')
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}


def _unquote(key: str) -> str:
    """The text of a quoted key."""
    if key.startswith("'"):
        return key[1:-1]

    def unescape(found: re.Match[str]) -> str:
        code = found[1]
        return chr(int(code[1:], 16)) if code[0] in "uU" else _ESCAPED.get(code, code)

    return _ESCAPE.sub(unescape, key[1:-1])
