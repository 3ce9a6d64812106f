"""An import may only point down: the contracts of import-linter, checked with every test run.

`nox -s lint` runs import-linter itself, which also follows chains of imports. What stands in
pyproject.toml is read here, so that there is one list of layers. Imports for type checkers count
as any other: no two modules need each other, not even by a type.
"""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "connector"
LINTER: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
    "importlinter"
]
LAYERS: dict[str, list[list[str]]] = {
    contract["containers"][0]: [re.split(r" : ", layer) for layer in contract["layers"]]
    for contract in LINTER["contracts"]
    if contract["type"] == "layers"
}
"""The layers of each room, highest first; of `connector` itself, the rooms."""
(PURITY,) = (each for each in LINTER["contracts"] if each["type"] == "forbidden")
PURE = tuple(PURITY["source_modules"])
FORBIDDEN = set(PURITY["forbidden_modules"])


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that is imported, for whatever purpose."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in names)


def part_of(name: str, container: str) -> str | None:
    """The layer of `container` that `name` belongs to, if it is below `container`."""
    return name.removeprefix(f"{container}.").partition(".")[0] if below(name, container) else None


def below(name: str, container: str) -> bool:
    return name.startswith(f"{container}.")


def violations(imported: Iterable[tuple[int, str]], module: str) -> Iterator[str]:
    """What `module`, such as ``connector.transport.tap``, must not import."""
    for line, name in imported:
        package = name.partition(".")[0]
        if package in FORBIDDEN and any(module == each or below(module, each) for each in PURE):
            yield f"{module}:{line} imports {package}, which does I/O"
        for container, layers in LAYERS.items():
            height = {part: -depth for depth, row in enumerate(layers) for part in row}
            own, other = part_of(module, container), part_of(name, container)
            if own == other or own not in height or other not in height:
                continue
            if height[other] >= height[own]:
                yield f"{module}:{line} imports {other}, which is not below {own}"


def modules() -> dict[str, Path]:
    """Every module by its full name; a package is its `__init__`."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted(PACKAGE.rglob("*.py"))
    }


@functools.cache
def imported_by() -> dict[str, list[tuple[int, str]]]:
    """What each module imports; every one is parsed once for all tests."""
    return {name: list(imports(ast.parse(path.read_text()))) for name, path in modules().items()}


def test_imports_point_down() -> None:
    found = [
        each for name, imported in imported_by().items() for each in violations(imported, name)
    ]

    assert not found, "\n".join(found)


@pytest.mark.parametrize("container", LAYERS)
def test_every_module_of_a_room_has_a_layer(container: str) -> None:
    parts = {part_of(name, container) for name in modules()} - {None}
    ignored = {"_version", "__main__"} if container in {"connector", "connector.app"} else set()

    assert parts - ignored == {part for row in LAYERS[container] for part in row}


def test_every_room_with_more_than_a_few_modules_has_its_order() -> None:
    sizes = {
        ".".join(folder.relative_to(ROOT).parts): len(list(folder.glob("*.py")))
        for folder in PACKAGE.iterdir()
        if folder.is_dir()
    }

    assert {room for room, size in sizes.items() if size > 3} <= set(LAYERS)


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Modules that need each other, if there are any."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_need_each_other() -> None:
    known = modules()
    graph = {
        name: {full if full in known else full.rpartition(".")[0] for _, full in imported}
        & set(known) - {name}
        for name, imported in imported_by().items()
    }

    assert circle(graph) == []


def test_a_circle_is_found() -> None:
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}
    assert circle({"a": {"b", "c"}, "b": {"c"}}) == []


@pytest.mark.parametrize(
    ("module", "source", "what"),
    [
        ("connector.feeds.feed", "from connector.link.link import Link", "imports link"),
        ("connector.transport.tap", "def f():\n    from connector import link", "imports link"),
        ("connector.link.silence", "import connector.link.session", "imports session"),
        ("connector.feeds.buffer", "from connector.feeds.feed import Feed", "imports feed"),
        ("connector.adapter", "from connector.testing import open_exchange", "imports testing"),
        ("connector.exchanges.binance.spot", "import trio.abc", "which does I/O"),
        ("connector.book.state", "from socket import socket", "which does I/O"),
        (
            "connector.link.session",
            "if TYPE_CHECKING:\n    from connector.link.link import Link",
            "imports link",
        ),
    ],
)
def test_the_check_catches_its_specimen(module: str, source: str, what: str) -> None:
    (found,) = violations(imports(ast.parse(source)), module)

    assert what in found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("connector.link.link", "from connector.link.session import Session"),
        ("connector.link.link", "from connector.feeds.feed import Feed"),
        ("connector.transport.tap", "from connector.transport.websocket_frames import TEXT"),
        ("connector.transport.tap", "import trio"),
    ],
)
def test_what_is_allowed(module: str, source: str) -> None:
    assert not list(violations(imports(ast.parse(source)), module))
