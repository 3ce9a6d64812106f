"""The project agrees with itself: versions, public names, docs, and the rules of the house."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import textwrap
import tokenize
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from connector._version import __version__
from tests.test_layers import LAYERS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "connector"
MODULES = sorted(PACKAGE.rglob("*.py"))
SOURCES = [*MODULES, *sorted((ROOT / "tests").rglob("*.py")), ROOT / "noxfile.py"]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
TEXTS = [*SOURCES, *PAGES, ROOT / "pyproject.toml", ROOT / ".ci" / "run", ROOT / "LICENSE"]

PUBLIC_MODULES = (
    "connector",
    "connector.exchanges.binance",
    "connector.exchanges.bitget",
    "connector.exchanges.bybit",
    "connector.exchanges.coinbase",
    "connector.exchanges.deribit",
    "connector.exchanges.hyperliquid",
    "connector.exchanges.kraken",
    "connector.exchanges.okx",
    "connector.channels",
    "connector.events",
    "connector.errors",
    "connector.lifecycle",
    "connector.statistics",
    "connector.instruments",
    "connector.book",
    "connector.account",
    "connector.accounts",
    "connector.orders",
    "connector.trading.account_like",
    "connector.trading.venue",
    "connector.recording",
    "connector.app.recorder",
    "connector.app.tables",
    "connector.metrics",
    "connector.app.redis",
    "connector.protocol",
    "connector.link.source",
    "connector.testing",
    "connector.testing.explore",
    "connector.testing.conformance",
    "connector.testing.strategies",
    "connector.testing.model",
    "connector.testing.leaks",
)
"""Where users import from: each has `__all__`, and every name in it a place in the reference."""
INNER_MODULES = {
    "connector.app.redis.entries",
    "connector.book.renewal",
    "connector.book.rules",
    "connector.book.sequence",
    "connector.book.state",
    "connector.exchanges.requests",
    "connector.keys",
    "connector.link.raw_frames",
    "connector.link.states",
    "connector.recording.format",
}
"""Modules of which the reference shows what they say, or some of what they have."""
NOT_PUBLIC = {
    "connector.events": {"E", "N_co"},
    "connector.channels": {"D_co", "E_co"},
    "connector.instruments": {"N", "say_unknown"},
    "connector.lifecycle": {"level_of", "log", "log_more", "write_fields"},
    "connector.link.source": {"source_of", "stream_names"},
    "connector.testing.model": {"GIVE_UP_CLOSING", "SILENCE", "TOO_LATE"},
    "connector.trading.account_like": {"OrderT"},
    "connector.trading.venue": {"T_co"},
}
"""Names for the rooms beside it, and variables of types."""

SCENARIOS = {
    "deploy", "docs", "imports", "independent", "layers", "links_at_rest", "loopback",
    "mutation", "performance", "project", "structure", "words",
}  # fmt: skip
"""Test files that are about no single module."""

MODULE_LINES = 400
LONG = {
    "connector/adapter/adapter.py",
    "connector/events.py",
    "connector/feeds/delivery.py",
    "connector/link/link.py",
    "connector/merging/arbitration.py",
    "connector/testing/exchange/connection.py",
    "connector/testing/exchange/exchange.py",
    "connector/testing/exchange/trading/engine.py",
    "connector/testing/model.py",
    "connector/transport/tap.py",
}
"""Modules of one idea that needs more: parting them would not make them simpler."""
LONG_LINES = 500
FILE_BYTES = 1 << 20


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --- versions


def test_the_newest_entry_of_the_changelog_is_this_version() -> None:
    entries = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert entries[0] == __version__


def test_the_installed_distribution_is_this_version() -> None:
    assert metadata.version("trio-connector") == __version__


def test_the_classifiers_name_the_versions_that_are_required() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [
        tuple(map(int, classifier.rpartition(" :: ")[2].split(".")))
        for classifier in project["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", classifier)
    ]

    assert f">={'.'.join(map(str, min(named)))}" == project["requires-python"]
    assert named == sorted(named)


# --- names, docs and modules agree


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_all_names_what_is_there(name: str) -> None:
    module = importlib.import_module(name)

    public = list(module.__all__)

    assert len(public) == len(set(public))
    assert [name for name in public if not hasattr(module, name)] == []
    assert [name for name in public if name.startswith("_") and name != "__version__"] == []


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_what_a_public_module_defines_is_in_all(name: str) -> None:
    module = importlib.import_module(name)
    own = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and getattr(value, "__module__", None) == name
    }

    assert own - set(module.__all__) == NOT_PUBLIC.get(name, set()) & own


IMPORTS = ROOT / "docs" / "reference" / "imports.md"
REFERENCE = {page: page.read_text() for page in (ROOT / "docs" / "reference").glob("*.md")}


def shown(text: str) -> Iterator[tuple[str, str]]:
    """Modules and the names of them that a page of the reference shows."""
    directive = re.compile(r"^\.\. auto(\w+):: ([\w.]+)\n((?:   .*\n)*)", re.MULTILINE)
    for kind, name, options in directive.findall(text):
        if kind != "module":
            module, _, each = name.rpartition(".")
            yield module, each
            continue
        found = re.search(r":members:(.*)", options)
        listed = found[1].replace(",", " ").split() if found else []
        if found is not None:
            hidden = re.search(r":exclude-members:(.*)", options)
            left_out = hidden[1].replace(",", " ").split() if hidden else []
            names = listed or getattr(importlib.import_module(name), "__all__", [])
            yield from ((name, each) for each in names if each not in left_out)


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_every_public_name_is_in_the_reference(name: str) -> None:
    there = {each for text in REFERENCE.values() for module, each in shown(text) if module == name}

    assert set(importlib.import_module(name).__all__) - there - ELSEWHERE.get(name, set()) == set()


ELSEWHERE = {
    "connector": {
        *importlib.import_module("connector.errors").__all__,
        *importlib.import_module("connector.events").__all__,
    },
    "connector.book": {"BookStatistics"},
    "connector.exchanges.hyperliquid": {"Endpoints"},
    "connector.exchanges.kraken": {"Endpoints"},
    "connector.exchanges.bitget": {"Endpoints"},
    "connector.exchanges.coinbase": {"Endpoints"},
    "connector.exchanges.deribit": {"Endpoints"},
    "connector.exchanges.okx": {"Endpoints"},
}
"""Names that are shown where they are defined."""


def test_the_reference_shows_public_modules() -> None:
    named = {
        each
        for text in REFERENCE.values()
        for each in re.findall(r"^\.\. automodule:: (.+)$", text, re.MULTILINE)
    }

    assert named - INNER_MODULES <= set(PUBLIC_MODULES)
    assert named >= INNER_MODULES


def test_what_the_reference_says_to_import_is_there() -> None:
    said = re.findall(r"`from ([\w.]+) import ([\w, ]+)`", REFERENCE[IMPORTS])

    missing = [
        f"{module}.{name}"
        for module, names in said
        for name in names.split(", ")
        if not hasattr(importlib.import_module(module), name)
        and importlib.util.find_spec(f"{module}.{name}") is None
    ]

    assert len(said) > 20
    assert missing == []


def test_the_reference_comes_first_and_begins_with_what_a_program_begins_with() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    first, *_ = re.findall(r":caption: (.*)\n:maxdepth: 1\n\n(.*)", index)

    assert first == ("API reference", "reference/imports")
    assert "reference/imports\nreference/adapter\n" in index
    assert (
        "autofunction:: connector.open_adapter"
        in REFERENCE[ROOT / "docs" / "reference" / "adapter.md"].partition("autoclass")[0]
    )


def test_every_page_of_the_docs_is_in_the_table_of_contents() -> None:
    docs = ROOT / "docs"
    index = (docs / "index.md").read_text()

    pages = {page.relative_to(docs).with_suffix("").as_posix() for page in docs.rglob("*.md")}
    linked = set(re.findall(r"^([a-z/-]+)$", index, re.MULTILINE))

    assert pages - {"index"} == linked


def picture() -> str:
    """The rooms and the order inside them, as the contracts of import-linter have them."""
    lines = []
    for row in LAYERS["connector"]:
        for room in row:
            module = importlib.import_module(f"connector.{room}")
            is_room = hasattr(module, "__path__")
            said = (module.__doc__ or "").splitlines()[0].rstrip(".")
            lines.append(f"{room + '/' if is_room else room:<13} {said}")
            inside = LAYERS.get(f"connector.{room}") if room not in {"app", "testing"} else None
            if inside:
                order = " > ".join(", ".join(layer) for layer in inside)
                lines += textwrap.wrap(
                    order, 82, initial_indent=" " * 14 + "· ", subsequent_indent=" " * 16
                )
    return "\n".join(lines)


def test_the_design_shows_the_rooms_as_the_contracts_have_them() -> None:
    page = (ROOT / "docs" / "design.md").read_text()
    shown = re.search(r"## Rooms.*?```text\n(.*?)\n```", page, re.DOTALL)
    assert shown is not None

    assert shown[1] == picture(), f"put this into docs/design.md:\n{picture()}"


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if not re.match(r"https?://|#", target):
                yield page, target


def test_links_between_files_lead_somewhere() -> None:
    broken = [
        f"{relative(page)} → {target}"
        for page, target in links()
        if not (page.parent / target.partition("#")[0]).exists()
    ]

    assert broken == []


# --- the rules of the house


def first_token(path: Path) -> tokenize.TokenInfo:
    """The first token of a module that means something."""
    blank = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE}
    with path.open() as file:
        return next(
            each for each in tokenize.generate_tokens(file.readline) if each.type not in blank
        )


def test_modules_say_their_one_idea_in_the_first_line() -> None:
    silent = []
    for path in SOURCES:
        first = first_token(path)
        said = ast.literal_eval(first.string).strip() if first.type == tokenize.STRING else ""
        if first.type != tokenize.ENDMARKER and not re.search(r"\A.*[.:]$", said, re.MULTILINE):
            silent.append(relative(path))

    assert silent == []


def test_modules_stay_small_enough_to_read_in_one_sitting() -> None:
    lines = {relative(path): len(path.read_text().splitlines()) for path in MODULES}

    assert {
        path: count
        for path, count in lines.items()
        if count > (LONG_LINES if path in LONG else MODULE_LINES)
    } == {}


BANNED_NAME = re.compile(r"manager|helper|util|handle_", re.IGNORECASE)
OF_LIBRARIES = {"handle_async_request"}
"""Names that an interface prescribes which we implement."""


def test_names_are_the_domains_words() -> None:
    named = [
        f"{relative(path)}: {node.name}"
        for path in MODULES
        if BANNED_NAME.search(source := path.read_text())
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and BANNED_NAME.search(node.name)
        and node.name not in OF_LIBRARIES
    ]
    files = [relative(path) for path in MODULES if BANNED_NAME.search(path.stem)]

    assert named + files == []


BANNED_TEXT = {
    "an unfinished thought": re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"),
    "a tab": re.compile(r"\t"),
    "a blank at the end of a line": re.compile(r"[ \r]$", re.MULTILINE),
    "a path of one machine": re.compile(r"(?<![\w.~:])/(home|Users|root|work|tmp|opt)/"),
    "a sleep by the wall clock": re.compile(r"\btime\.sleep\("),
}


@pytest.mark.parametrize("what", BANNED_TEXT)
def test_no_file_contains(what: str) -> None:
    found = [
        f"{relative(path)}:{text[: match.start()].count(chr(10)) + 1}"
        for path in TEXTS
        if path != Path(__file__)
        for text in [path.read_text()]
        for match in BANNED_TEXT[what].finditer(text)
    ]

    assert found == []


def test_files_end_with_one_newline_and_are_of_a_sane_size() -> None:
    for path in TEXTS:
        data = path.read_bytes()
        assert not data or (data.endswith(b"\n") and not data.endswith(b"\n\n")), relative(path)
        assert len(data) < FILE_BYTES, relative(path)


def test_tests_mirror_the_package() -> None:
    known = {path.stem for path in MODULES} | {path.parent.name for path in MODULES}
    known |= SCENARIOS
    strangers = [
        relative(path)
        for path in (ROOT / "tests").rglob("test_*.py")
        if known.isdisjoint({*prefixes(path.stem.removeprefix("test_")), path.parent.name})
    ]

    assert strangers == []


def prefixes(name: str) -> Iterator[str]:
    """`a_b_c`, `a_b`, `a`: a test file may say more after the module's name."""
    parts = name.split("_")
    return ("_".join(parts[:end]) for end in range(len(parts), 0, -1))


def test_the_package_says_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()
