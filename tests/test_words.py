"""README, documentation and public docstrings avoid phrases over which readers have stumbled."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

MODULES = [
    ROOT / "connector" / f"{name}.py"
    for name in (
        "__init__", "account/account", "account/order", "account/quotes", "account/statistics",
        "account/views", "accounts", "adapter/adapter", "adapter/opening", "adapter/requesting",
        "adapter/statistics", "adapter/subscribing", "app/recordings/recorder", "bases/event",
        "book/machine", "channels", "errors", "events", "feeds/delivery_delay", "feeds/feed",
        "inputs/blocks", "inputs/validation", "instruments", "keys", "lifecycle",
        "link/link_statistics", "link/pacing", "link/raw_frames", "link/request_trouble",
        "merging/merge", "orders", "recording/folder", "recording/format", "recording/reader",
        "recording/replay", "recording/writer", "testing/exchange/event_log",
        "testing/exchange/statistics", "testing/exchange/trading/accounts",
        "testing/exchange/trading/orders", "testing/faults/faults", "testing/faults/trading",
        "testing/network/ledger",
    )
]  # fmt: skip
"""Modules of which the API reference shows classes."""

AVOIDED = {
    "and is told": "and is reported",
    "are told": "are notified, or: receive a `Gap`",
    "as ever": "as before",
    "at this moment": "now, currently",
    "born of": "that came from",
    "brings nothing": "delivers no data",
    "for as long as you ask": "stays constant",
    "for ever": "forever",
    "could not be had": "could not be fetched",
    "for want of": "because … is missing",
    "goes on for ever": "does not end",
    "in whatever way": "for whatever reason",
    "is made so": "is done",
    "is had": "is available",
    "is no event": "the feed does not deliver it",
    "is told": "is notified, or: receives a `Gap`",
    "may stand there": "you can write",
    "no program is needed": "you do not have to write a program",
    "of its own accord": "by itself",
    "shows its state to": "open the page to see the state",
    "nothing to go by": "no ids",
    "so ask to be told": "pass `gaps=True`",
    "the running thing": "the open adapter",
    "tells all": "reports everything",
    "there is no more": "the feed has ended",
    "told once": "reported once",
    "told twice": "reported twice",
    "what comes": "the data, the events, the frames",
    "what becomes of": "what happens to, the outcome of",
    "what goes wrong with": "the failures of",
    "what is had": "the available data",
    "what is replaced": "replaced events",
    "who comes late": "a client that subscribes later",
    "who cannot": "if you cannot",
    "who merges": "`merge()` needs this",
    "who reads": "the reader, the consumer",
    "who writes": "the writer",
    "whoever": "the reader, the caller, a program that",
}
"""What to write instead of each phrase."""


RETIRED = {
    "is no address": "is not an address",
    "is no channel": "unknown channel …",
    "is no exchange": "unknown exchange …",
    "is no recording: ": "is not a recording: ",
    "is no route": "is not a route",
    "is there already": "already exists",
    "is told to": "is asked to",
    "nobody reads the pipe": "no process is reading the pipe",
    "stands where": "is in the place of",
    "write such as": "write, for example,",
}
"""What log texts, errors and help say instead of each phrase."""


def texts(tree: ast.Module) -> Iterator[str]:
    """Every string that is not a docstring, parts of f-strings too."""
    documents = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in documents:
                yield text


def test_messages_avoid_phrases_that_were_retired() -> None:
    found = [
        f"{path.relative_to(ROOT)}: instead of {phrase!r} write: {RETIRED[phrase]}"
        for path in sorted((ROOT / "connector").rglob("*.py"))
        for phrase in RETIRED
        if phrase in (source := path.read_text())
        for text in texts(ast.parse(source))
        if phrase in text
    ]

    assert found == []


def stumbles(text: str, avoided: Iterable[str] = tuple(AVOIDED)) -> list[str]:
    """The phrases to be `avoided` that `text` has, in any case and across the ends of lines."""
    flat = " ".join(text.split()).lower()
    return [each for each in avoided if each in flat and re.search(rf"\b{re.escape(each)}\b", flat)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_avoids_phrases_that_readers_stumble_over(page: Path) -> None:
    found = stumbles(page.read_text())

    assert not found, "; ".join(f"instead of {each!r} write: {AVOIDED[each]}" for each in found)


def docstrings(tree: ast.Module) -> Iterator[str]:
    """Every docstring, those of attributes too."""
    for node in ast.walk(tree):
        body = getattr(node, "body", ())
        for each in body if isinstance(body, list) else ():
            match each:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield text


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_public_docstrings_avoid_them_as_well(module: Path) -> None:
    found = stumbles(" ".join(docstrings(ast.parse(module.read_text()))))

    assert not found, "; ".join(f"instead of {each!r} write: {AVOIDED[each]}" for each in found)


INTERNAL = {"Draft", "Head", "Progress", "QuoteSettings", "Totals"}
"""Classes of these modules that the API reference does not show."""

INTERNAL_FIELDS = {"Feed.buffer"}
"""Fields that the API reference does not show."""


def fields(module: Path) -> Iterator[tuple[str, str, bool]]:
    """Class, name and whether it is documented, of every public field of `module`'s classes."""
    for kind in ast.parse(module.read_text()).body:
        if not isinstance(kind, ast.ClassDef) or kind.name.startswith("_") or kind.name in INTERNAL:
            continue
        text = ast.get_docstring(kind) or ""
        for field, after in zip(kind.body, [*kind.body[1:], None], strict=True):
            if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
                continue
            name = field.target.id
            if name.startswith("_") or f"{kind.name}.{name}" in INTERNAL_FIELDS:
                continue
            below = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            yield kind.name, name, below or re.search(rf"\b{name}\b.*:", text) is not None


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_public_field_says_what_it_is(module: Path) -> None:
    assert [f"{kind}.{name}" for kind, name, documented in fields(module) if not documented] == []


AVOIDED_INSIDE = {
    "as told by": "according to",
    "at work for": "a running …",
    "by the clock on the wall": "in real time",
    "beside what is usual": "additional",
    "could not be had": "could not be fetched",
    "for ever": "forever, until cancelled",
    "is made so": "is done",
    "of its own accord": "by itself",
    "so ask to be told": "pass `gaps=True`",
    "somebody listens": "the stream has subscribers",
    "tells all": "reports everything",
    "the words of the exchange": "the message of the exchange",
    "told once": "reported once",
    "told twice": "reported twice",
    "here they are": "take the …",
    "there is to be seen": "the shown values",
    "what became of": "the outcome of",
    "what becomes of": "the outcome of",
    "what comes": "the data, the events, the input",
    "what is asked once": "requests",
    "what is replaced": "replaced events",
    "who comes late": "a client that subscribes later",
    "who reads": "the reader, the consumer",
    "who subscribes": "the subscriber",
    "whoever": "the reader, the caller, a task that",
}
"""What inner modules write instead of each phrase, in docstrings and comments."""


def comments(source: str) -> Iterator[str]:
    """The text of every comment."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string.lstrip("# ")


def test_inner_modules_avoid_the_worst_of_them() -> None:
    found = []
    for path in sorted((ROOT / "connector").rglob("*.py")):
        source = path.read_text()
        if not stumbles(source.replace("#", " "), AVOIDED_INSIDE):
            continue  # most modules need neither the parser nor the tokenizer
        said = " ".join([*docstrings(ast.parse(source)), *comments(source)])
        found += [
            f"{path.relative_to(ROOT)}: instead of {each!r} write: {AVOIDED_INSIDE[each]}"
            for each in stumbles(said, AVOIDED_INSIDE)
        ]

    assert found == []


def test_a_phrase_is_found_in_any_case_and_across_lines() -> None:
    assert stumbles("Who\n  writes decides. Who read it?") == ["who writes"]
