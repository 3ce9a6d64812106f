"""Lines of keys: the scanner finds exactly the paths that `tomllib` reads, on their lines."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connector.app.running.configuration.places import find_places

DOCUMENT = """\
# a comment with [brackets] and key = "value"
title = "one # no comment"

[adapters.futures]
exchange = "binance_usdm" # why
endpoints = { stream = "ws://x", rest = 'http://y' }
reconnect.cap = 5

[adapters."a b".'c.d']
x = 1979-05-27T07:32:00Z
[groups.ticks]
channels = [
  "trades", # [
  "partial_book:levels=5",
  [1, 2], ]
text = '''
[not a table]
"quoted" ''
'''
other = '''
y = 1'''
[[sinks]]
kind = "log"
[[sinks]]
kind = "jsonl"
  [sinks.more]
  z = true
"""


def paths(value: Any, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    if isinstance(value, dict):
        inside: Any = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    else:
        return {path}
    found = {path} if path else set()
    return found.union(*(paths(each, (*path, key)) for key, each in inside))


def test_every_value_has_the_line_that_it_is_written_on() -> None:
    found = find_places(DOCUMENT)

    lines = DOCUMENT.splitlines()
    assert set(found) == paths(tomllib.loads(DOCUMENT))
    assert lines[found["adapters", "futures", "exchange"] - 1].startswith("exchange")
    assert lines[found["adapters", "futures", "endpoints", "rest"] - 1].startswith("endpoints")
    assert lines[found["adapters", "futures", "reconnect", "cap"] - 1] == "reconnect.cap = 5"
    assert lines[found["groups", "ticks", "channels", 1] - 1] == '  "partial_book:levels=5",'
    assert lines[found["adapters", "a b", "c.d", "x"] - 1].startswith("x = 1979")
    assert lines[found["groups", "ticks", "other"] - 1] == "other = '''"
    assert found["sinks", 1, "kind"] == found["sinks", 1] + 1
    assert lines[found["sinks", 1, "more", "z"] - 1] == "  z = true"


KEYS = st.text("abcXYZ-_ .'\"\\é\t", min_size=1, max_size=6)
SCALARS = st.one_of(
    st.integers(-9, 99), st.booleans(), st.just(1.5), st.text("ab#[]{}=,'\"\\\n \t", max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def quote(text: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
    return '"' + "".join(escapes.get(each, each) for each in text) + '"'


def write(value: Any, newline: str) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{quote(k)} = {write(v, '')}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return f"[{newline}" + "".join(f"{write(v, newline)},{newline}" for v in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return quote(value) if isinstance(value, str) else str(value)


@given(
    st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=3), max_size=3),
    st.sampled_from(["", " # ]}\n\n", "\n"]),
)
def test_any_document_has_the_paths_that_tomllib_reads(
    tables: dict[str, dict[str, Any]], newline: str
) -> None:
    text = ""
    expected: dict[tuple[str, str], int] = {}
    for name, table in tables.items():
        text += f"[{quote(name)}]\n"
        for key, value in table.items():
            expected[name, key] = text.count("\n") + 1
            # Nothing may follow an inline table on the lines inside of it before TOML 1.1.
            text += f"{quote(key)} = {write(value, newline if isinstance(value, list) else '')}\n"
    assert tomllib.loads(text) == tables

    found = find_places(text)

    assert set(found) == paths(tables)
    assert {path: found[path] for path in expected} == expected


class Counted(str):
    """A text that knows how much of it was searched for line breaks."""

    searched = 0

    def count(self, *arguments: Any) -> int:
        _, begin, end = arguments
        type(self).searched += end - begin
        return super().count(*arguments)


def test_no_part_of_the_text_is_searched_twice() -> None:
    """Otherwise the time is quadratic: 2,000 channels took 13 seconds."""
    text = Counted("channels = [\n" + '"trades:ETHUSDC",\n' * 500 + "]\n")

    places = find_places(text)

    assert places["channels", 499] == 501
    assert Counted.searched <= len(text)
